package diagnose

import (
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

func TestExamineClock(t *testing.T) {
	for name, tc := range map[string]struct {
		skew  time.Duration
		level string
		words string
	}{
		"right":        {2 * time.Second, checkOK, "within"},
		"a bit slow":   {20 * time.Second, checkWarning, "our clock is 20s behind the one of NATS"},
		"hours fast":   {-3 * time.Hour, checkWrong, "our clock is 3h ahead of the one of NATS"},
		"a minute off": {61 * time.Second, checkWrong, "behind"},
	} {
		t.Run(name, func(t *testing.T) {
			var f findings
			examineClock(&f, "NATS", tc.skew)
			if f[0].Level != tc.level || !strings.Contains(f[0].Detail, tc.words) || (f[0].Todo == "") != (tc.level == checkOK) {
				t.Errorf("got %+v, want %s and %q", f[0], tc.level, tc.words)
			}
		})
	}
}

func TestExamineStreams(t *testing.T) {
	for name, tc := range map[string]struct {
		look  broker.ServerState
		of    string
		level string
		words string
	}{
		"one server":          {broker.ServerState{Streams: []broker.StreamState{{Name: "INBOX", Replicas: 1}}}, "replicas", checkOK, "one server"},
		"a memory stream":     {broker.ServerState{Streams: []broker.StreamState{{Name: "INBOX", Memory: true, Replicas: 1}}}, "storage", checkWrong, "INBOX"},
		"a single copy":       {broker.ServerState{Cluster: "a", Streams: []broker.StreamState{{Name: "INBOX", Replicas: 1}}}, "replicas", checkWarning, "only one copy of INBOX"},
		"a copy that is away": {broker.ServerState{Cluster: "a", Streams: []broker.StreamState{{Name: "INBOX", Replicas: 3, Behind: []string{"n2"}}}}, "replicas", checkWrong, "INBOX on n2"},
		"three copies":        {broker.ServerState{Cluster: "a", Streams: []broker.StreamState{{Name: "INBOX", Replicas: 3}}}, "replicas", checkOK, "all copies"},
	} {
		t.Run(name, func(t *testing.T) {
			var f findings
			examineStreams(&f, &tc.look)
			for _, c := range f {
				if c.Name == tc.of && (c.Level != tc.level || !strings.Contains(c.Detail, tc.words)) {
					t.Errorf("got %+v, want %s and %q", c, tc.level, tc.words)
				}
			}
		})
	}
}
