package smartsheettest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// Editor makes one believable edit of the seeded sheets at a time.
type Editor struct {
	server           *Server
	by               *User
	orders, relaunch int64
	status           int64 // the column of the orders

	mu sync.Mutex
	n  int
}

// orders beyond so many are not added, and below so few not deleted.
const (
	mostOrders   = 40
	fewestOrders = 20
)

// edit is one kind of edit: what is done, in words without values, and how.
type edit struct {
	what string
	do   func(*Editor, *rand.Rand) error
}

// edits are all kinds in the order of their turns. The first five show all that
// can happen to a row, for those who do not want to wait.
func edits() []edit {
	return []edit{
		{"an order moved on", (*Editor).advanceOrder},
		{"an order came in", (*Editor).addOrder},
		{"an order was cancelled", (*Editor).cancelOrder},
		{"an order was deleted", (*Editor).deleteOrder},
		{"a task made progress", (*Editor).progressTask},
		{"a quantity changed", (*Editor).changeQuantity},
		{"somebody commented on an order", (*Editor).commentOrder},
		{"a task was blocked or freed", (*Editor).blockTask},
		{"an internal note changed", (*Editor).changeNote},
		{"a due date was put off", (*Editor).putOff},
		{"a document was linked to an order", (*Editor).attachOrder},
		{"a task got another team", (*Editor).reassignTask},
		{"several orders were tagged at once", (*Editor).tagOrders},
		{"an order moved to the top", (*Editor).raiseOrder},
		{"a due date became unclear", (*Editor).unclearDate},
	}
}

// Step makes the next edit and tells what it was.
func (e *Editor) Step() (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	kinds := edits()
	kind := kinds[e.n%len(kinds)]
	random := rand.New(rand.NewPCG(42, uint64(e.n)))
	e.n++
	if err := kind.do(e, random); err != nil {
		return "", fmt.Errorf("editing a seeded sheet: %w", err)
	}
	return kind.what, nil
}

// pick is a random row of a sheet, with the values by title.
func (e *Editor) pick(sheetID int64, r *rand.Rand, leaf bool) (SnapshotRow, map[string]any, error) {
	snap, ok := e.server.Snapshot(sheetID)
	if !ok || len(snap.Rows) == 0 {
		return SnapshotRow{}, nil, errNotFound()
	}
	row := snap.Rows[r.IntN(len(snap.Rows))]
	for leaf && row.ParentID == 0 {
		row = snap.Rows[r.IntN(len(snap.Rows))]
	}
	values := map[string]any{}
	for _, col := range snap.Columns {
		values[col.Title] = row.Cells[col.ID]
	}
	return row, values, nil
}

// change writes cells of a random order.
func (e *Editor) change(r *rand.Rand, cells func(now map[string]any) Row) error {
	row, now, err := e.pick(e.orders, r, false)
	if err != nil {
		return err
	}
	edit := cells(now)
	edit.ID = row.ID
	return e.server.As(e.by).UpdateRows(e.orders, edit)
}

func (e *Editor) changeTask(r *rand.Rand, cells func(now map[string]any) Cells) error {
	row, now, err := e.pick(e.relaunch, r, true)
	if err != nil {
		return err
	}
	return e.server.As(e.by).UpdateRows(e.relaunch, Row{ID: row.ID, Cells: cells(now)})
}

func (e *Editor) advanceOrder(r *rand.Rand) error {
	return e.change(r, func(now map[string]any) Row {
		next := orderStatuses[1]
		for i, status := range orderStatuses[:4] {
			if status == now["Status"] {
				next = orderStatuses[i+1]
			}
		}
		return Row{Cells: Cells{"Status": next, "Done": next == "Invoiced"}}
	})
}

// cancelOrder cancels an order that is under way: who looks at those alone sees
// it leave.
func (e *Editor) cancelOrder(r *rand.Rand) error {
	snap, ok := e.server.Snapshot(e.orders)
	if !ok {
		return errNotFound()
	}
	underWay := slices.DeleteFunc(snap.Rows, func(row SnapshotRow) bool {
		status, _ := row.Cells[e.status].(string)
		return !slices.Contains(orderStatuses[1:4], status)
	})
	if len(underWay) == 0 {
		return e.advanceOrder(r)
	}
	row := underWay[r.IntN(len(underWay))]
	return e.server.As(e.by).UpdateRows(e.orders, Row{ID: row.ID, Cells: Cells{"Status": "Cancelled"}})
}

func (e *Editor) changeQuantity(r *rand.Rand) error {
	return e.change(r, func(map[string]any) Row { return Row{Cells: Cells{"Qty": 1 + r.IntN(48)}} })
}

func (e *Editor) changeNote(r *rand.Rand) error {
	return e.change(r, func(map[string]any) Row {
		return Row{Cells: Cells{"Internal Margin Note": fmt.Sprintf("margin %d %%, do not go lower", 12+r.IntN(20))}}
	})
}

func (e *Editor) putOff(r *rand.Rand) error {
	return e.change(r, func(map[string]any) Row {
		return Row{Cells: Cells{"Due Date": Date(fmt.Sprintf("2027-%02d-%02d", 1+r.IntN(3), 1+r.IntN(28)))}}
	})
}

func (e *Editor) unclearDate(r *rand.Rand) error {
	return e.change(r, func(map[string]any) Row {
		return Row{Lenient: true, Cells: Cells{"Due Date": []any{"waiting for customer", "mid January"}[r.IntN(2)]}}
	})
}

func (e *Editor) raiseOrder(r *rand.Rand) error {
	return e.change(r, func(map[string]any) Row { return Row{ToTop: true} })
}

func (e *Editor) tagOrders(r *rand.Rand) error {
	snap, ok := e.server.Snapshot(e.orders)
	if !ok {
		return errNotFound()
	}
	var rows []Row
	for _, row := range snap.Rows {
		if r.IntN(5) == 0 || len(rows) == 0 {
			first := r.IntN(len(orderTags) - 1)
			rows = append(rows, Row{ID: row.ID, Cells: Cells{"Tags": orderTags[first : first+2]}})
		}
	}
	return e.server.As(e.by).UpdateRows(e.orders, rows...)
}

func (e *Editor) addOrder(r *rand.Rand) error {
	snap, ok := e.server.Snapshot(e.orders)
	if !ok || len(snap.Rows) >= mostOrders {
		return e.changeQuantity(r)
	}
	cells := orderCells(r.IntN(10))
	cells["Order No"], cells["Status"], cells["Done"] = fmt.Sprintf("SO-%04d", 1065+e.n), "Open", false
	_, err := e.server.As(e.by).AddRows(e.orders, Row{Cells: cells})
	return err
}

func (e *Editor) deleteOrder(r *rand.Rand) error {
	snap, ok := e.server.Snapshot(e.orders)
	if !ok || len(snap.Rows) <= fewestOrders {
		return e.changeQuantity(r)
	}
	return e.server.As(e.by).DeleteRows(e.orders, snap.Rows[r.IntN(len(snap.Rows))].ID)
}

func (e *Editor) commentOrder(r *rand.Rand) error {
	row, _, err := e.pick(e.orders, r, false)
	if err != nil {
		return err
	}
	text := []string{"Customer called, wants it a week earlier.", "Paint is back in stock.", "Please confirm the delivery address."}[r.IntN(3)]
	_, _, err = e.server.As(e.by).Discuss(e.orders, row.ID, text)
	return err
}

func (e *Editor) attachOrder(r *rand.Rand) error {
	row, _, err := e.pick(e.orders, r, false)
	if err != nil {
		return err
	}
	_, err = e.server.As(e.by).AttachLink(e.orders, row.ID, "Packing list", fmt.Sprintf("https://docs.northwind-tools.example/packing/%d", e.n))
	return err
}

func (e *Editor) progressTask(r *rand.Rand) error {
	return e.changeTask(r, func(map[string]any) Cells {
		quarters := r.IntN(5)
		status := "In progress"
		switch quarters {
		case 0:
			status = "Not started"
		case 4:
			status = "Complete"
		}
		return Cells{"% Complete": float64(quarters) / 4, "Status": status}
	})
}

func (e *Editor) blockTask(r *rand.Rand) error {
	return e.changeTask(r, func(now map[string]any) Cells {
		if now["Status"] == "Blocked" {
			return Cells{"Status": "In progress", "At Risk": false}
		}
		return Cells{"Status": "Blocked", "At Risk": true}
	})
}

func (e *Editor) reassignTask(r *rand.Rand) error {
	return e.changeTask(r, func(map[string]any) Cells {
		team := []Contact{person(managers[r.IntN(2)])}
		if r.IntN(2) == 0 {
			team = append(team, person(managers[2+r.IntN(2)]))
		}
		return Cells{"Assigned To": team}
	})
}
