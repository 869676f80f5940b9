package main

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// A service that starts again takes callbacks before it has begun to look after its
// webhooks: however many there are, and however long Smartsheet takes.
func TestReadyBeforeWebhooksAreLookedAfter(t *testing.T) {
	sim := smartsheettest.New(t)
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	sheet, err := sim.AddSheet(smartsheettest.SheetSpec{Name: "Orders", Owner: jane, Columns: []smartsheettest.Column{{Title: "No"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := startService(t, sim.URL())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": sim.AddToken(jane)}, nil)
	s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, nil)
	s.must("POST", "/v1/webhooks", registration{"ops", fmt.Sprint(sheet.ID), []events.Request{{Partner: "acme", Columns: columnsOf("No")}}}, nil)
	eventstest.AwaitNil(t, patience, "the queue to be empty", func() error {
		if n := waitingHints(t, s.admin); n != 0 {
			return fmt.Errorf("%d hints wait", n)
		}
		return nil
	})
	if code := s.stop(); code != exitOK {
		t.Fatalf("got exit code %d", code)
	}

	cfg, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reached, checked, ended := make(chan addresses), make(chan struct{}), make(chan error, 1)
	t.Cleanup(func() {
		cancel()
		close(checked)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	go func() {
		ended <- serve(ctx, cfg, newLogger(io.Discard, cfg.LogLevel, cfg.LogFormat), func(a addresses) {
			select {
			case reached <- a:
			case <-ctx.Done():
			}
			<-checked // nothing is worked on until then
		})
	}()
	select {
	case a := <-reached:
		s.admin = cli.NewClient("http://"+a.Admin, testToken, nil)
		t.Cleanup(s.admin.Close)
	case err := <-ended:
		ended <- err
		t.Fatal("it stopped before it could be reached")
	}
	if got := s.get("/readyz", testToken); got != "ready\n" {
		t.Errorf("got %q when the service says that it can be reached, want ready", got)
	}
	if n := waitingHints(t, s.admin); n != 0 {
		t.Errorf("got %d hints by then, want that no webhook has been looked after", n)
	}
}

// waitingHints is how many hints wait for the one webhook that there is.
func waitingHints(t *testing.T, admin *cli.Client) int {
	t.Helper()
	var list struct{ Items []struct{ Backlog *int } }
	if err := admin.Call(t.Context(), "GET", "/v1/webhooks", nil, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].Backlog == nil {
		t.Fatalf("got %+v, want one webhook and how many hints wait for it", list.Items)
	}
	return *list.Items[0].Backlog
}
