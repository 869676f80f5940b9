package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// DeadName is the name of the stream of hints that were given up.
const DeadName = "DEAD"

const (
	maxDead    = 10_000
	deadMaxAge = 90 * 24 * time.Hour
)

// ErrNotFound says that there is no such hint.
var ErrNotFound = errors.New("no such hint")

// Dead is a hint that was given up.
type Dead struct {
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Hint   *Hint     `json:"hint"`
}

func openDead(ctx context.Context, js jetstream.JetStream, replicas int) (jetstream.Stream, error) {
	return js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        DeadName,
		Description: "Sheetbridge: hints that were given up",
		Subjects:    []string{"dead.>"},
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
		MaxMsgs:     maxDead,
		MaxAge:      deadMaxAge,
		AllowDirect: true,
	})
}

// GiveUp stores a hint among the dead with the reason.
func (in *Inbox) GiveUp(ctx context.Context, h *Hint, reason string) error {
	data, err := json.Marshal(Dead{Reason: reason, At: time.Now().UTC(), Hint: h})
	if err != nil {
		return fmt.Errorf("giving a hint up: %w", err)
	}
	if _, err := in.js.Publish(ctx, "dead."+h.Registration, data); err != nil {
		return fmt.Errorf("giving a hint up: %w", err)
	}
	return nil
}

// Dead returns the hints that were given up, newest first, at most limit.
func (in *Inbox) Dead(ctx context.Context, limit int) ([]Dead, error) {
	info, err := in.dead.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing dead hints: %w", err)
	}
	list := []Dead{}
	for seq := info.State.LastSeq; seq >= info.State.FirstSeq && seq > 0 && len(list) < limit; seq-- {
		d, err := in.deadAt(ctx, seq)
		if errors.Is(err, ErrNotFound) {
			continue // it was sent again
		}
		if err != nil {
			return nil, err
		}
		list = append(list, *d)
	}
	return list, nil
}

func (in *Inbox) deadAt(ctx context.Context, seq uint64) (*Dead, error) {
	m, err := in.dead.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading a dead hint: %w", err)
	}
	d := &Dead{}
	if err := json.Unmarshal(m.Data, d); err != nil {
		return nil, fmt.Errorf("reading a dead hint: %w", err)
	}
	d.ID = strconv.FormatUint(seq, 10)
	return d, nil
}

// Retry sends a dead hint again; ErrNotFound if there is none with the id.
func (in *Inbox) Retry(ctx context.Context, id string) error {
	seq, err := strconv.ParseUint(id, 10, 64)
	if err != nil || seq == 0 {
		return ErrNotFound
	}
	d, err := in.deadAt(ctx, seq)
	if err != nil {
		return err
	}
	d.Hint.Attempt = 0
	if err := in.Put(ctx, d.Hint); err != nil {
		return err
	}
	if err := in.dead.DeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("removing a dead hint: %w", err)
	}
	return nil
}
