package main

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/lmittmann/tint"
)

// TestReadablePass: on a terminal a pass is a sentence about the sheet and its shares; of
// one that failed everything is kept.
func TestReadablePass(t *testing.T) {
	common := []any{"registration", "r1", "why", "callback", "whole", false, "sheet", int64(7), "sheetName", "Orders", "took", 120400 * time.Microsecond}
	for name, tc := range map[string]struct {
		attrs []any
		want  string
	}{
		"published": {[]any{"result", "done", "published.acme.orders", 1, "published.globex.so-2", 3},
			"INF sheet \"Orders\" → acme/orders: 1 event, globex/so-2: 3 events why=callback took=120ms\n"},
		"nothing": {[]any{"result", "done"}, "INF sheet \"Orders\": nothing to publish why=callback took=120ms\n"},
		"failed": {[]any{"result", "later", "attempt", 2, "err", errors.New("no")},
			"INF pass registration=r1 why=callback whole=false sheet=7 sheetName=Orders took=120.4ms result=later attempt=2 err=no\n"},
		"failed in part": {[]any{"result", "done", "published.acme.orders", 1, "err", errors.New("no")},
			"INF pass registration=r1 why=callback whole=false sheet=7 sheetName=Orders took=120.4ms result=done published.acme.orders=1 err=no\n"},
		"again": {[]any{"result", "again"}, "INF pass registration=r1 why=callback whole=false sheet=7 sheetName=Orders took=120.4ms result=again\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			log := slog.New(readableLog{tint.NewTextHandler(&b, &tint.Options{NoColor: true, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}})})
			log.Info("pass", append(append([]any{}, common...), tc.attrs...)...)
			if got := b.String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
