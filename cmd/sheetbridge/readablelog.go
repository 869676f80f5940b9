package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// readableLog writes the line of a pass that is done as a person would say it:
//
//	sheet "Orders" → acme/orders: 3 events why=callback took=120ms
//
// Other lines, and what programs read, stay as they are.
type readableLog struct{ slog.Handler }

func (h readableLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "pass" {
		r = readablePass(r)
	}
	return h.Handler.Handle(ctx, r)
}

func (h readableLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return readableLog{h.Handler.WithAttrs(attrs)}
}

func (h readableLog) WithGroup(name string) slog.Handler {
	return readableLog{h.Handler.WithGroup(name)}
}

// readablePass says what a pass published, and keeps why it was made and how long it
// took. The line of a pass that is not done stays as it is: people on call need all of it
// to find out what went wrong.
func readablePass(r slog.Record) slog.Record {
	var name string
	var done, failed bool
	var published []string
	var kept []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		share, isCount := strings.CutPrefix(a.Key, "published.")
		switch {
		case isCount:
			events := "events"
			if a.Value.Int64() == 1 {
				events = "event"
			}
			published = append(published, fmt.Sprintf("%s: %d %s", strings.Replace(share, ".", "/", 1), a.Value.Int64(), events))
		case a.Key == "sheetName":
			name = a.Value.String()
		case a.Key == "result":
			done = a.Value.String() == "done"
		case a.Key == "err":
			failed = true
		case a.Key == "took":
			kept = append(kept, slog.Duration(a.Key, a.Value.Duration().Round(time.Millisecond)))
		case a.Key == "why":
			kept = append(kept, a)
		}
		return true
	})
	if !done || failed {
		return r
	}
	text := fmt.Sprintf("sheet %q: nothing to publish", name)
	if len(published) > 0 {
		text = fmt.Sprintf("sheet %q → %s", name, strings.Join(published, ", "))
	}
	readable := slog.NewRecord(r.Time, r.Level, text, r.PC)
	readable.AddAttrs(kept...)
	return readable
}
