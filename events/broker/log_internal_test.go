package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestOthersDoingsAreWarnings: ERROR is for what is ours to mend.
func TestOthersDoingsAreWarnings(t *testing.T) {
	for format, want := range map[string]string{
		"127.0.0.1:4000 - cid:7 - Publish Violation - Subject %q":                         "WARN",
		`[::1]:4000 - wid:7 - "v1.55.0:go" - Subscription Violation - Subject %q, SID %s`: "WARN",
		"192.0.2.1:4000 - lid:7 - TLS leafnode handshake error: %v":                       "WARN",
		"Error trying to write to the store of %s":                                        "ERROR",
		"JETSTREAM - Failed to store of %s":                                               "ERROR",
	} {
		var b bytes.Buffer
		newServerLog(slog.New(slog.NewTextHandler(&b, nil))).Errorf(format, "a", "b")
		if !strings.Contains(b.String(), "level="+want+" ") {
			t.Errorf("got %swant %s", b.String(), want)
		}
	}
}

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
