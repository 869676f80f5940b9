package smartsheettest

import "slices"

// location is where a write puts a row. The zero value is the bottom.
type location struct {
	toTop, toBottom bool
	parent, sibling int64
	above           bool
	indent, outdent bool
}

// locationIn reads where a row shall go; ok is false if the row does not say.
func (sh *sheet) locationIn(in *rowIn) (loc location, ok bool, err error) {
	if in.ToTop != nil {
		loc.toTop = *in.ToTop
	}
	if in.ToBottom != nil {
		loc.toBottom = *in.ToBottom
	}
	if in.ParentID != nil {
		loc.parent = int64(*in.ParentID)
		if sh.byID[loc.parent] == nil {
			return loc, false, failf(400, 1063, "Invalid parentId: %d.", loc.parent)
		}
	}
	if in.SiblingID != nil {
		loc.sibling = int64(*in.SiblingID)
		if sh.byID[loc.sibling] == nil {
			return loc, false, failf(400, 1064, "Invalid siblingId: %d.", loc.sibling)
		}
	}
	loc.above = in.Above != nil && *in.Above
	loc.indent = in.Indent != nil && *in.Indent == 1
	loc.outdent = in.Outdent != nil && *in.Outdent == 1
	if in.Indent != nil && *in.Indent != 1 || in.Outdent != nil && *in.Outdent != 1 {
		return loc, false, errAttribute("indent/outdent", "row")
	}
	if !loc.consistent() {
		return loc, false, failf(400, 1062, "Invalid row location.")
	}
	return loc, loc != location{}, nil
}

// consistent reports whether the attributes go together: one place, which
// toTop and toBottom may refine under a parent, and above beside a sibling.
func (loc location) consistent() bool {
	places := 0
	for _, there := range []bool{loc.parent != 0, loc.sibling != 0, loc.indent, loc.outdent} {
		if there {
			places++
		}
	}
	edge := loc.toTop || loc.toBottom
	switch {
	case places > 1, loc.toTop && loc.toBottom:
		return false
	case edge && places == 1 && loc.parent == 0:
		return false
	case loc.above && loc.sibling == 0:
		return false
	}
	return true
}

// insert puts rows, none of which is in the sheet, at a location, in their
// order; those that have no parent yet get the location's.
func (sh *sheet) insert(rows []*row, loc location) {
	var parent *row
	index := len(sh.rows)
	switch {
	case loc.sibling != 0:
		sibling := sh.byID[loc.sibling]
		parent, index = sibling.parent, sibling.index
		if !loc.above {
			index = sh.end(sibling)
		}
	case loc.parent != 0:
		parent = sh.byID[loc.parent]
		index = parent.index + 1
		if loc.toBottom {
			index = sh.end(parent)
		}
	case loc.toTop:
		index = 0
	}
	for _, r := range rows {
		if r.parent == nil {
			r.parent = parent
		}
	}
	sh.rows = slices.Insert(sh.rows, index, rows...)
	sh.renumber(index)
}

// end is the index after a row and everything under it.
func (sh *sheet) end(r *row) int {
	i := r.index + 1
	for i < len(sh.rows) && sh.rows[i].under(r) {
		i++
	}
	return i
}

// under reports whether the row is a child of the other, at any depth.
func (r *row) under(other *row) bool {
	for p := r.parent; p != nil; p = p.parent {
		if p == other {
			return true
		}
	}
	return false
}

func (sh *sheet) renumber(from int) {
	for i := from; i < len(sh.rows); i++ {
		sh.rows[i].index = i
	}
}

// siblingBefore is the row above under the same parent, 0 for the first one.
func (sh *sheet) siblingBefore(r *row) int64 {
	for i := r.index - 1; i >= 0 && sh.rows[i] != r.parent; i-- {
		if sh.rows[i].parent == r.parent {
			return sh.rows[i].id
		}
	}
	return 0
}

// move takes rows with all that is under them to a location.
func (sh *sheet) move(rows []*row, loc location) {
	if loc.indent || loc.outdent {
		for _, r := range rows {
			sh.shift(r, loc.indent)
		}
		return
	}
	var block []*row
	for _, r := range rows {
		if slices.Contains(block, r) {
			continue
		}
		end := sh.end(r)
		block = append(block, sh.rows[r.index:end]...)
		sh.rows = slices.Delete(sh.rows, r.index, end)
		r.parent = nil
		sh.renumber(0)
	}
	sh.insert(block, loc)
}

// shift indents a row under the sibling above it, or takes it out from under
// its parent: then the siblings below it become its children.
func (sh *sheet) shift(r *row, indent bool) {
	if indent {
		if above := sh.byID[sh.siblingBefore(r)]; above != nil {
			r.parent = above
		}
		return
	}
	if r.parent == nil {
		return
	}
	for _, below := range sh.rows[r.index+1 : sh.end(r.parent)] {
		if below.parent == r.parent {
			below.parent = r
		}
	}
	r.parent = r.parent.parent
}

// fits refuses a location for rows that are in the sheet already or shall be
// added to it.
func (sh *sheet) fits(loc location, rows []*row) error {
	if parent := sh.byID[loc.parent]; parent != nil {
		if !parent.filled() {
			return failf(400, 1185, "Cannot create a child of a parent row that has no data in it.")
		}
		for _, r := range rows {
			if parent == r || parent.under(r) {
				return failf(400, 1062, "Invalid row location.")
			}
		}
	}
	if sibling := sh.byID[loc.sibling]; sibling != nil {
		for _, r := range rows {
			if sibling == r || sibling.under(r) {
				return failf(400, 1062, "Invalid row location.")
			}
		}
	}
	return nil
}

func (r *row) filled() bool {
	for _, held := range r.cells {
		if held.value != nil {
			return true
		}
	}
	return false
}
