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

// Sighting is what can be seen of a partner's stream from outside.
type Sighting struct {
	Created  time.Time `json:"created"`  // when the stream was made
	Sequence uint64    `json:"sequence"` // its last one
	Store    string    `json:"store"`    // names the embedded server's store on disk; empty: not ours
}

// streamRecord is what is remembered of a partner's stream.
type streamRecord struct {
	Epoch string `json:"epoch"`
	Sighting
}

// Epoch names the incarnation of a partner's stream and remembers what was seen
// of it. A stream that was made again, whose last sequence has fallen, or whose
// store on disk is a copy of the one before gets a new epoch: its consumers have
// positions that mean nothing any more. observe is called after the
// record was read: what others recorded before that is never more than what it sees.
func (r *Registry) Epoch(ctx context.Context, partner string, observe func(context.Context) (Sighting, error)) (string, error) {
	was, text, revision, err := r.streamRecord(ctx, partner)
	if err != nil {
		return "", err
	}
	for range attempts {
		seen, err := observe(ctx)
		if err != nil {
			return "", err
		}
		now := streamRecord{Epoch: was.Epoch, Sighting: seen}
		if !was.goesOn(seen) {
			now.Epoch = uuid.NewString()
		}
		if now == was {
			return now.Epoch, nil
		}
		value, err := encode(&now, text)
		if err != nil {
			return "", fmt.Errorf("remembering the epoch of partner %s: %w", partner, err)
		}
		_, err = r.put(ctx, epochKey+partner, value, revision)
		if err == nil {
			return now.Epoch, nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrExists) {
			return "", err
		}
		other, otherText, stands, err := r.streamRecord(ctx, partner)
		if err != nil {
			return "", err
		}
		// A replica that was faster and saw as much has written what we would.
		if same := now.Epoch == was.Epoch; (other.Epoch == was.Epoch) == same && now.goesOn(other.Sighting) {
			return other.Epoch, nil
		}
		was, text, revision = other, otherText, stands
	}
	return "", fmt.Errorf("remembering the epoch of partner %s: %w", partner, ErrConflict)
}

// streamRecord reads what is remembered of a partner's stream, its JSON, and its
// revision; nothing and 0 where nothing is.
func (r *Registry) streamRecord(ctx context.Context, partner string) (was streamRecord, text []byte, revision uint64, err error) {
	text, revision, err = r.fresh(ctx, epochKey+partner)
	if errors.Is(err, ErrNotFound) {
		return was, nil, 0, nil
	}
	if err != nil {
		return was, nil, 0, err
	}
	if err := json.Unmarshal(text, &was); err != nil {
		return was, nil, 0, fmt.Errorf("reading the epoch of partner %s: %w", partner, err)
	}
	return was, text, revision, nil
}

// goesOn tells whether what is seen is the same stream, as it was or longer.
func (was *streamRecord) goesOn(seen Sighting) bool {
	return was.Epoch != "" && was.Created.Equal(seen.Created) && was.Sequence <= seen.Sequence && was.Store == seen.Store
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
