package webhook

import (
	"context"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// Handle does the pass of one hint, as the relay does with what the inbox hands out.
func (r *Relay) Handle(ctx context.Context, h *inbox.Hint) error { return r.handle(ctx, h) }
