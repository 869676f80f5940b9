package registry

import (
	"context"
	"encoding/json"
	"time"
)

// Notice is something that is sent to a person once. It stays as long as its condition
// lasts, so that it is not sent twice.
type Notice struct {
	Key     string          `json:"key"` // what it is about: one record, and one notice, of each
	ID      string          `json:"id"`  // of the event
	Body    json.RawMessage `json:"body"`
	Made    time.Time       `json:"made"`
	NextTry time.Time       `json:"nextTry,omitzero"` // zero: it was delivered or given up
	Tries   int             `json:"tries"`
	Once    bool            `json:"once,omitempty"` // it is about what happened, and goes when it was delivered
	To      string          `json:"to,omitempty"`   // partner that is told; empty: A

	Revision uint64 `json:"-"`
}

// Notices returns all notices by their keys.
func (r *Registry) Notices() []*Notice { return list(r, r.notices) }

// CreateNotice stores a new notice; ErrExists if there is one of that key.
func (r *Registry) CreateNotice(ctx context.Context, n *Notice) error {
	return create(ctx, r, noticeKey+n.Key, n)
}

// UpdateNotice changes a notice as the bucket has it.
func (r *Registry) UpdateNotice(ctx context.Context, key string, change func(*Notice) error) error {
	return update(ctx, r, noticeKey+key, func(n *Notice, revision uint64) error {
		n.Revision = revision
		return change(n)
	})
}

// DeleteNotice removes a notice as it was read.
func (r *Registry) DeleteNotice(ctx context.Context, n *Notice) error {
	return r.remove(ctx, noticeKey+n.Key, n.Revision)
}
