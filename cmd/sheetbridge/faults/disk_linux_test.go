package faults

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// The disk of the embedded store is full for a while: what cannot be stored is
// not answered 200, the bridge says that it is not ready, and when there is room
// again it ends, which is what it takes, and goes on where it was.
func TestFaultsDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.embedded()
	w.settled(30 * time.Second)
	stop := w.editing(30 * time.Millisecond)
	for range eventstest.Times(1, 5) {
		pause(t, time.Second)
		was := limitFiles(t, p, 4096)
		refused := len(w.refusedCallbacks())
		eventstest.AwaitNil(t, 60*time.Second, "a callback that is not stored, and for who says so", func() error {
			code, err := w.admin.call(t.Context(), http.MethodGet, "/readyz", nil, nil)
			if len(w.refusedCallbacks()) == refused || code != http.StatusServiceUnavailable {
				return errors.Join(errNotYet, err)
			}
			return nil
		})
		pause(t, time.Duration(eventstest.Times(1, 30))*time.Second)
		if !p.running() {
			t.Fatal("it ended while nothing can be stored")
		}
		limitFiles(t, p, was)
		select {
		case <-p.done:
		case <-time.After(60 * time.Second):
			t.Fatal("it does not end although there is room again")
		}
		if code := p.cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		p.start()
		w.ready(w.admin)
		w.enabled(60 * time.Second)
	}
	stop()
	w.settled(90 * time.Second)
	w.stands("live", 60*time.Second)
	p.stop()
	p.raced()
}

// limitFiles has writes of a process fail beyond a size of the file, as they do
// on a full disk, and returns the limit that was.
func limitFiles(t testing.TB, p *process, size uint64) uint64 {
	t.Helper()
	var was unix.Rlimit
	must(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &was))
	must(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: was.Max}, nil))
	return was.Cur
}
