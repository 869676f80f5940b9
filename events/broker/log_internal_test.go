package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestServerLog(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(1000, 0)
	l := newServerLog(slog.New(slog.NewTextHandler(&b, nil)))
	l.limited.now, l.limited.at = func() time.Time { return now }, now

	l.Noticef("passing")
	l.Debugf("hidden")
	l.Tracef("hidden")
	for range 3 * linesBurst {
		l.Errorf("violation by %s", "acme")
	}
	if got := strings.Count(b.String(), "level=ERROR msg=\"nats server\" line=\"violation by acme\""); got != linesBurst {
		t.Errorf("got %d lines, want %d:\n%s", got, linesBurst, b.String())
	}
	if strings.Contains(b.String(), "hidden") || strings.Contains(b.String(), "passing") {
		t.Errorf("log shows too much:\n%s", b.String())
	}
	b.Reset()
	now = now.Add(time.Second)
	for range 2 * linesPerSecond {
		l.Warnf("slow consumer")
	}
	if got := strings.Count(b.String(), "slow consumer"); got != linesPerSecond {
		t.Errorf("a second later: got %d lines, want %d:\n%s", got, linesPerSecond, b.String())
	}
	if !strings.Contains(b.String(), "lines=100") {
		t.Errorf("log does not tell of the 100 lines left out:\n%s", b.String())
	}

	l.Fatalf("first %d", 1)
	l.Fatalf("second")
	if err := l.failed(); err == nil || err.Error() != "first 1" {
		t.Errorf("got %v, want the first fatal line", err)
	}
}
