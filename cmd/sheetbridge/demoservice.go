package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/demo"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// serveDemo runs the service of a demo.
func serveDemo(ctx context.Context, d demo.Service, log io.Writer, ready func(demo.Addresses)) error {
	cfg := &config{
		PublicURL: "http://" + d.Public.Addr().String(), Socket: d.Public, CallbackLimit: 16 << 20,
		AdminListen: "127.0.0.1:0", Admin: adminConfig{Tokens: []admin.Token{{Name: "demo", Secret: d.AdminToken}}},
		DataDir: d.Dir, Temporary: true, Master: masterIn(d.Dir), NATS: natsConfig{Listen: "127.0.0.1:0", Replicas: 1},
		SmartsheetURL: d.Smartsheet, ReconcileEvery: time.Minute, APIRate: 240,
	}
	level := slog.LevelWarn
	if d.Verbose {
		level = slog.LevelInfo
	}
	return serve(ctx, cfg, newLogger(log, level, "text"), func(a addresses) {
		ready(demo.Addresses{Admin: a.Admin, NATS: a.NATS})
	})
}
