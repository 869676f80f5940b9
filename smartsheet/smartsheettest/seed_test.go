package smartsheettest

import (
	"testing"
)

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
