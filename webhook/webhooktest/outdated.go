package webhooktest

import (
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// JoinWithoutRelay is another process of the world's whose passes are driven by hand.
func (w *World) JoinWithoutRelay() *Bridge {
	w.T.Helper()
	other := w.Join()
	other.StopRelay()
	return other
}

func (w *World) WholeHint(shares ...string) *inbox.Hint {
	return &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Whole: true, Full: true, Shares: shares, ReceivedAt: time.Now()}
}

func (w *World) RowHint(shares ...string) *inbox.Hint {
	return &inbox.Hint{
		Registration: w.Reg.ID, Why: inbox.WhyCallback, Shares: shares, ReceivedAt: time.Now(),
		Rows: map[int64]inbox.Row{w.Sheet.Rows[0]: {}},
	}
}
