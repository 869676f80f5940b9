package webhooktest

import (
	"time"
)

// Until waits for a condition that NATS has to come to.
func (w *World) Until(done func() bool) {
	w.T.Helper()
	for !done() {
		select {
		case <-w.T.Context().Done():
			w.T.Fatal("it did not come to it")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
