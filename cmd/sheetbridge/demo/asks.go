package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// nextStatus is what the second partner, who makes and ships the orders, sets.
func nextStatus() map[string]string {
	return map[string]string{"Open": "In production", "In production": "Shipped"}
}

// orders are those that a partner sees, as its events say.
type orders struct {
	mu     sync.Mutex
	number map[string]string // by row
	status map[string]string
}

// took keeps what an event says of an order.
func (o *orders) took(e *terminal.Event) {
	row, isRow := strings.CutPrefix(e.Object(), "row/")
	if !isRow || e.Sheet() != "orders" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.status == nil {
		o.number, o.status = map[string]string{}, map[string]string{}
	}
	delete(o.status, row)
	if e.Data.After != nil {
		o.number[row], o.status[row] = textOf(e.Data.After, "order_no"), textOf(e.Data.After, "status")
	}
}

// textOf is a field that is a text, empty for others.
func textOf(o events.Object, name string) string {
	var text string
	if json.Unmarshal(o.Get(name), &text) != nil {
		return ""
	}
	return text
}

// moving returns the n-th order that can be moved on, false where there is none.
func (o *orders) moving(n int) (row, number, status string, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rows := slices.DeleteFunc(slices.Sorted(maps.Keys(o.status)), func(row string) bool { return nextStatus()[o.status[row]] == "" })
	if len(rows) == 0 {
		return "", "", "", false
	}
	row = rows[n%len(rows)]
	return row, o.number[row], o.status[row], true
}

// ask lets a partner move an order on again and again, as sheetbridge write does. What
// became of it stands in its stream.
func (s *stage) ask(ctx context.Context, v *view) error {
	if s.demo.writes == 0 {
		return nil
	}
	tick := time.NewTicker(s.demo.writes)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		row, number, status, ok := v.orders.moving(n)
		if !ok {
			continue
		}
		err := s.askFor(ctx, v, fmt.Sprintf("demo-%d", n), row, number, status)
		if err != nil && ctx.Err() == nil && !errors.Is(err, stream.ErrMayNotWrite) { // the server is told a moment later who may
			return err
		}
	}
}

func (s *stage) askFor(ctx context.Context, v *view, id, row, number, status string) error {
	next := nextStatus()[status]
	request, err := json.Marshal(map[string]any{
		"id": id, "op": events.OpUpdate, "row": row,
		"expect": map[string]string{"status": status}, "set": map[string]string{"status": next},
	})
	if err != nil {
		return err
	}
	p := s.out.palette
	o := stream.AskOptions{URL: s.addresses.NATS, Creds: v.creds, Sheet: "orders", ID: id, Request: request}
	var printErr error
	o.Stored = func() {
		printErr = s.out.line(v.partner, v.colour, fmt.Sprintf("orders row/%s %s  %s  that status %s become %s  (write %s)",
			row, p.Paint(terminal.Bold, number), p.Paint(terminal.Bold, "asks"), status, next, id))
	}
	_, err = stream.Ask(ctx, o)
	return errors.Join(err, printErr)
}
