package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// ErrBroken says that a write to the store failed, as on a full disk. The server
// takes nothing more into what it could not write until it is started again,
// even if there is room again.
var ErrBroken = errors.New("the store of NATS is broken")

// trial is how much must fit into the store for it to be worth a start, bytes.
const trial = 16 << 20

// Health returns ErrBroken, and which write failed, where the server cannot
// store; nil where it can.
func (b *Broker) Health(ctx context.Context) error {
	if !b.srv.JetStreamEnabled() {
		return fmt.Errorf("%w: JetStream is shut down", ErrBroken)
	}
	b.mu.Lock()
	own := b.conns[b.bridge] // its account
	b.mu.Unlock()
	msg, err := b.sys.RequestWithContext(ctx, "$SYS.REQ.SERVER."+b.srv.ID()+".HEALTHZ", []byte(`{"details":true}`))
	if err != nil {
		return fmt.Errorf("ask for the server's health: %w", err)
	}
	var answer struct {
		Data struct {
			Errors []struct {
				Account string `json:"account"`
				Stream  string `json:"stream"`
				Error   string `json:"error"`
			} `json:"errors"`
		} `json:"data"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return fmt.Errorf("read the server's health: %w", err)
	}
	for _, e := range answer.Data.Errors {
		// Starting again does not mend other errors, such as missing files of an account
		// that was removed; and one partner's unreadable stream must not stop the others.
		_, cause, ok := strings.Cut(e.Error, "write error: ")
		if ok && (e.Account == own || fullDisk(cause)) {
			return fmt.Errorf("%w: stream %s: %s", ErrBroken, e.Stream, cause)
		}
	}
	return nil
}

// fullDisk tells whether a write failed for want of room. The server hands on no
// more than the text of it.
func fullDisk(cause string) bool {
	for _, full := range []error{syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT} {
		if strings.Contains(cause, full.Error()) {
			return true
		}
	}
	return false
}

// TryStore writes to the disk of the store, nil if that can be done.
func (b *Broker) TryStore() (err error) {
	f, err := os.CreateTemp(b.dir, "trial-*")
	if err != nil {
		return fmt.Errorf("try the store: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, trial)); err != nil {
		return fmt.Errorf("try the store: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("try the store: %w", err)
	}
	return nil
}
