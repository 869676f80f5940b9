package smartsheettest

import (
	"testing"
)

// The first edits show all that can happen to a row, also to one who sees only
// the orders that are under way.
func TestFirstEdits(t *testing.T) {
	srv := New(t)
	seeded, err := Seed(srv)
	if err != nil {
		t.Fatal(err)
	}
	count := func() (all, underWay int) {
		snap, _ := srv.Snapshot(seeded.Orders.ID)
		for _, row := range snap.Rows {
			if status := row.Cells[seeded.Orders.Columns["Status"]]; status != "Draft" && status != "Invoiced" && status != "Cancelled" {
				underWay++
			}
		}
		return len(snap.Rows), underWay
	}
	all, underWay := count()
	for _, want := range []struct {
		what          string
		all, underWay int // more or less
	}{{"an order moved on", 0, 0}, {"an order came in", 1, 1}, {"an order was cancelled", 0, -1}} {
		what, err := seeded.Editor.Step()
		if err != nil || what != want.what {
			t.Fatalf("got %q, %v, want %q", what, err, want.what)
		}
		nowAll, nowUnderWay := count()
		if nowAll-all != want.all || want.underWay != 0 && nowUnderWay-underWay != want.underWay {
			t.Errorf("%s: got %+d orders and %+d under way, want %+d and %+d", what, nowAll-all, nowUnderWay-underWay, want.all, want.underWay)
		}
		all, underWay = nowAll, nowUnderWay
	}
	if _, err := seeded.Editor.Step(); err != nil {
		t.Fatal(err)
	}
	if now, _ := count(); now != all-1 {
		t.Errorf("got %d orders after a deletion, want %d", now, all-1)
	}
}

func TestSeedIsBelievable(t *testing.T) {
	srv := New(t)
	seeded, err := Seed(srv)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if what, err := seeded.Editor.Step(); err != nil || what == "" {
			t.Fatalf("step: got %q, %v", what, err)
		}
	}
	orders, ok := srv.Snapshot(seeded.Orders.ID)
	if !ok || len(orders.Rows) < fewestOrders || len(orders.Rows) > mostOrders {
		t.Errorf("got %d orders, want %d to %d", len(orders.Rows), fewestOrders, mostOrders)
	}
	plan, _ := srv.Snapshot(seeded.Relaunch.ID)
	if len(plan.Rows) != 20 {
		t.Errorf("got %d rows in the plan, want 20", len(plan.Rows))
	}
	if orders.Version < 100 {
		t.Errorf("got version %d after 200 edits, want one for each edit", orders.Version)
	}
	if len(orders.Comments) == 0 || len(orders.Attachments) == 0 {
		t.Errorf("got %d comments and %d attachments, want some", len(orders.Comments), len(orders.Attachments))
	}
}
