package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const epochKey = "epoch."

// Sighting is what can be told of a partner's stream from outside.
type Sighting struct {
	Created  time.Time `json:"created"`  // when the stream was made
	Sequence uint64    `json:"sequence"` // its last one
	Store    string    `json:"store"`    // names the embedded server's store on disk; empty: not ours
}

// incarnation is what is remembered of a partner's stream.
type incarnation struct {
	Epoch string `json:"epoch"`
	Sighting
}

// Epoch names the incarnation of a partner's stream and remembers what was seen
// of it. A stream that was made anew, whose last sequence has fallen, or whose
// store on disk is a copy of the one before gets a new epoch: its consumers have
// positions that mean nothing any more. Look is called after what is remembered
// was read, so that what others saw meanwhile is never more than what it sees.
func (r *Registry) Epoch(ctx context.Context, partner string, look func(context.Context) (Sighting, error)) (string, error) {
	for range attempts {
		value, revision, err := r.fresh(ctx, epochKey+partner)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return "", err
		}
		seen, lookErr := look(ctx)
		if lookErr != nil {
			return "", lookErr
		}
		var was incarnation
		if err == nil {
			if err := json.Unmarshal(value, &was); err != nil {
				return "", fmt.Errorf("reading the epoch of partner %s: %w", partner, err)
			}
		} else {
			revision = 0
		}
		now := incarnation{Epoch: was.Epoch, Sighting: seen}
		if was.Epoch == "" || !was.Created.Equal(seen.Created) || seen.Sequence < was.Sequence || was.Store != seen.Store {
			now.Epoch = uuid.NewString()
		}
		if now == was {
			return now.Epoch, nil
		}
		_, err = r.put(ctx, epochKey+partner, now, revision)
		if err == nil {
			return now.Epoch, nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrExists) {
			return "", err
		}
	}
	return "", fmt.Errorf("remembering the epoch of partner %s: %w", partner, ErrConflict)
}

// ForgetEpoch forgets a partner's stream.
func (r *Registry) ForgetEpoch(ctx context.Context, partner string) error {
	_, revision, err := r.fresh(ctx, epochKey+partner)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.remove(ctx, epochKey+partner, revision)
}
