package events

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// Writes judges what a partner asks to have written through a share: by the share's
// terms, and by the sheet as it was read a moment ago. It is safe for concurrent
// use.
type Writes struct {
	share Share
	view  *View
	check *filter // nil: none
}

// NewWrites returns what judges writes through a share. The view is the share's.
func NewWrites(s Share, v *View) (*Writes, error) {
	w := &Writes{share: s, view: v}
	if s.Write == nil {
		return w, nil
	}
	var err error
	if w.check, err = compileCheck(s.Write.Check, s.Fields); err != nil {
		return nil, fmt.Errorf("compiling the check of share %s/%s: %w", s.Partner, s.Sheet, err)
	}
	return w, nil
}

// SheetNow is what was read of a sheet, and of who writes to it.
type SheetNow struct {
	Columns []smartsheet.Column
	Admin   bool // the writer is the sheet's owner or an admin, for whom nothing is locked
}

func (n *SheetNow) column(id int64) (smartsheet.Column, bool) {
	i := slices.IndexFunc(n.Columns, func(c smartsheet.Column) bool { return c.ID == id })
	if i < 0 {
		return smartsheet.Column{}, false
	}
	return n.Columns[i], true
}

// ColumnIDs are the columns that must have been read to judge writes.
func (w *Writes) ColumnIDs() []int64 { return w.share.ColumnIDs() }

// Allowed judges a request by the share's terms alone.
func (w *Writes) Allowed(r *WriteRequest) *Refusal {
	t := w.share.Write
	if t == nil {
		return &Refusal{Code: CodeNotWritable, Detail: "the sheet is shared to be read only"}
	}
	if !w.share.Has(KindRow) {
		return &Refusal{Code: CodeNotVisible, Detail: "the share shows no rows"}
	}
	var settable []string
	switch r.Op {
	case OpUpdate:
		settable = t.Update
	case OpCreate:
		if t.Create == nil {
			return &Refusal{Code: CodeNotWritable, Detail: "the share does not allow to add rows"}
		}
		settable = t.Create.Columns
		if key := r.Set.Get(t.Create.Key); key == nil || string(key) == "null" {
			return invalid(t.Create.Key, "a new row needs its key")
		}
	case OpDelete:
		if !t.Delete {
			return &Refusal{Code: CodeNotWritable, Detail: "the share does not allow to delete rows"}
		}
	}
	for _, v := range slices.Concat(r.Set, r.Expect) {
		if _, ok := w.share.field(v.Name); !ok {
			return &Refusal{Code: CodeNotShared, Field: clip(v.Name, maxFieldName), Detail: "the share has no such field"}
		}
	}
	for _, v := range r.Set {
		if !slices.Contains(settable, v.Name) {
			return &Refusal{Code: CodeNotWritable, Field: v.Name, Detail: fmt.Sprintf("the share does not allow to %s it", r.Op)}
		}
	}
	return nil
}

// Update judges an update of a row as it was read, nil for one that was not there.
// It returns the cells to write: none where the row is so already.
func (w *Writes) Update(r *WriteRequest, row *smartsheet.Row, now SheetNow) ([]smartsheet.CellWrite, *Refusal) {
	current, refusal := w.visible(row, now)
	if refusal != nil {
		return nil, refusal
	}
	cells, refusal := w.cells(r, now)
	if refusal != nil {
		return nil, refusal
	}
	if w.holds(r, current) {
		return nil, nil
	}
	if refusal := expected(r.Expect, current); refusal != nil {
		return nil, refusal
	}
	if refusal := w.unlocked(row, cells, now); refusal != nil {
		return nil, refusal
	}
	return cells, w.acceptable(r, row, cells, now)
}

// Create judges a new row, but for its key. It returns the cells to write.
func (w *Writes) Create(r *WriteRequest, now SheetNow) ([]smartsheet.CellWrite, *Refusal) {
	cells, refusal := w.cells(r, now)
	if refusal != nil {
		return nil, refusal
	}
	row := &smartsheet.Row{}
	if refusal := w.unlocked(row, cells, now); refusal != nil {
		return nil, refusal
	}
	return cells, w.acceptable(r, row, cells, now)
}

// Delete judges the deletion of a row as it was read, nil for one that was not
// there.
func (w *Writes) Delete(r *WriteRequest, row *smartsheet.Row, now SheetNow) *Refusal {
	current, refusal := w.visible(row, now)
	if refusal != nil {
		return refusal
	}
	if refusal := expected(r.Expect, current); refusal != nil {
		return refusal
	}
	return w.unlocked(row, nil, now)
}

// visible is a row as the share shows it. For a partner that may not see the row,
// the answer is the same as for a row that does not exist.
func (w *Writes) visible(row *smartsheet.Row, now SheetNow) (Object, *Refusal) {
	current, ok := w.view.Row(row, smartsheet.TypesOf(now.Columns))
	if !ok {
		return nil, &Refusal{Code: CodeNotVisible, Detail: "the share shows no row with this id"}
	}
	return current, nil
}

// Holds tells whether a row as it was read has all that a request wants to set, and
// all that it expects of other fields.
func (w *Writes) Holds(r *WriteRequest, row *smartsheet.Row, now SheetNow) bool {
	current, refusal := w.visible(row, now)
	return refusal == nil && w.holds(r, current)
}

func (w *Writes) holds(r *WriteRequest, current Object) bool {
	for _, v := range r.Set {
		if !sameForm(current.Get(v.Name), v.JSON) {
			return false
		}
	}
	for _, v := range r.Expect {
		if r.Set.Get(v.Name) == nil && !sameForm(current.Get(v.Name), v.JSON) {
			return false
		}
	}
	return true
}

func expected(expect, current Object) *Refusal {
	for _, v := range expect {
		if !sameForm(current.Get(v.Name), v.JSON) {
			return &Refusal{Code: CodeConflict, Field: v.Name, Current: current, Detail: "the row is not as expected: decide again by what it is now"}
		}
	}
	return nil
}

// cells are the cells that a request sets.
func (w *Writes) cells(r *WriteRequest, now SheetNow) ([]smartsheet.CellWrite, *Refusal) {
	cells := make([]smartsheet.CellWrite, len(r.Set))
	for i, v := range r.Set {
		field, _ := w.share.field(v.Name)
		column, there := now.column(field.ColumnID)
		switch {
		case !there:
			return nil, &Refusal{Code: CodeNotWritable, Field: v.Name, Detail: "its column is gone from the sheet"}
		case column.Formula != "":
			return nil, &Refusal{Code: CodeFormula, Field: v.Name, Detail: "a formula fills its column"}
		case !column.Settable():
			return nil, &Refusal{Code: CodeNotWritable, Field: v.Name, Detail: "Smartsheet itself fills its column"}
		}
		cell, err := CellWrite(column, v.JSON)
		if err != nil {
			return nil, &Refusal{Code: CodeInvalidValue, Field: v.Name, Detail: err.Error()}
		}
		cells[i] = cell
	}
	return cells, nil
}

// unlocked refuses what the writer may not change, or what would replace a formula.
func (w *Writes) unlocked(row *smartsheet.Row, cells []smartsheet.CellWrite, now SheetNow) *Refusal {
	if row.Locked && !now.Admin {
		return &Refusal{Code: CodeLocked, Detail: "the row is locked"}
	}
	find := cellFinder(row.Cells)
	for _, c := range cells {
		column, _ := now.column(c.ColumnID)
		if column.LockedForUser || column.Locked && !now.Admin {
			return &Refusal{Code: CodeLocked, Field: w.nameOf(c.ColumnID), Detail: "its column is locked"}
		}
		if held := find(c.ColumnID); held != nil && held.Formula != "" {
			return &Refusal{Code: CodeFormula, Field: w.nameOf(c.ColumnID), Detail: "the cell holds a formula"}
		}
	}
	return nil
}

func (w *Writes) nameOf(column int64) string {
	for _, f := range w.share.Fields {
		if f.ColumnID == column {
			return f.Name
		}
	}
	return ""
}

// acceptable refuses what the check does not allow, and what would take the row out
// of the partner's view.
func (w *Writes) acceptable(r *WriteRequest, row *smartsheet.Row, cells []smartsheet.CellWrite, now SheetNow) *Refusal {
	after := *row
	after.Cells = slices.DeleteFunc(slices.Clone(row.Cells), func(c smartsheet.Cell) bool {
		return slices.ContainsFunc(cells, func(w smartsheet.CellWrite) bool { return w.ColumnID == c.ColumnID })
	})
	for _, c := range cells {
		after.Cells = append(after.Cells, CellAfter(c))
	}
	types := smartsheet.TypesOf(now.Columns)
	if !w.checkPasses(&after, types) {
		return &Refusal{Code: CodeCheckFailed, Detail: "the share's check does not allow the row to be so"}
	}
	if _, visible := w.view.Row(&after, types); !visible && !w.share.Write.LeaveView {
		return &Refusal{Code: CodeLeavesView, Detail: "the share would no longer show the row"}
	}
	return nil
}

func (w *Writes) checkPasses(row *smartsheet.Row, types map[int64]smartsheet.ColumnType) bool {
	if w.check == nil {
		return true
	}
	find := cellFinder(row.Cells)
	return w.check.shows(func(name string) json.RawMessage {
		field, _ := w.share.field(name)
		t := field.Type
		if now, ok := types[field.ColumnID]; ok {
			t = now
		}
		if c := find(field.ColumnID); c != nil {
			return fieldValue(c, t)
		}
		return null()
	}, func(string) json.RawMessage { return null() }, nil) // nothing but fields can be in it
}

// KeyColumn is the column of the key of new rows.
func (w *Writes) KeyColumn() int64 { return w.share.column(w.share.Write.Create.Key) }

// KeyOf is the value of the key of a row as it was read, or of a request where row
// is nil: equal texts are equal keys.
func (w *Writes) KeyOf(r *WriteRequest, row *smartsheet.Row, now SheetNow) string {
	if row == nil {
		return string(sortedForm(r.Set.Get(w.share.Write.Create.Key)))
	}
	column, _ := now.column(w.KeyColumn())
	if c := cellFinder(row.Cells)(column.ID); c != nil {
		return string(fieldValue(c, column.Type))
	}
	return "null"
}

// HoldsNew tells whether a row has all the values that a request for a new one sets,
// whether the share shows it or not.
func (w *Writes) HoldsNew(r *WriteRequest, row *smartsheet.Row, now SheetNow) bool {
	find := cellFinder(row.Cells)
	for _, v := range r.Set {
		field, _ := w.share.field(v.Name)
		column, _ := now.column(field.ColumnID)
		held := null()
		if c := find(field.ColumnID); c != nil {
			held = fieldValue(c, column.Type)
		}
		if !sameForm(held, v.JSON) {
			return false
		}
	}
	return true
}

// Differing is a column that a request sets, and the value, which a row as it was
// read does not have.
func (w *Writes) Differing(r *WriteRequest, row *smartsheet.Row, now SheetNow) (column smartsheet.Column, value json.RawMessage, found bool) {
	find := cellFinder(row.Cells)
	for _, v := range r.Set {
		field, _ := w.share.field(v.Name)
		c, there := now.column(field.ColumnID)
		if !there {
			continue
		}
		var held smartsheet.Cell
		if cell := find(c.ID); cell != nil {
			held = *cell
		}
		if !SameValue(held, c, v.JSON) {
			return c, v.JSON, true
		}
	}
	return smartsheet.Column{}, nil, false
}

// SameValue tells whether a cell of a column holds a value in the form of events.
func SameValue(cell smartsheet.Cell, column smartsheet.Column, value json.RawMessage) bool {
	return sameForm(fieldValue(&cell, column.Type), value)
}
