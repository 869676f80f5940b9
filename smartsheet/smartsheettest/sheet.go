package smartsheettest

import (
	"slices"
	"strings"
	"time"
)

// Access levels of shares.
const (
	AccessOwner       = "OWNER"
	AccessAdmin       = "ADMIN"
	AccessEditorShare = "EDITOR_SHARE"
	AccessEditor      = "EDITOR"
	AccessCommenter   = "COMMENTER"
	AccessViewer      = "VIEWER"
)

var accessOrder = []string{AccessViewer, AccessCommenter, AccessEditor, AccessEditorShare, AccessAdmin, AccessOwner}

// SheetSpec describes a sheet to be added with its rows.
type SheetSpec struct {
	Name    string
	Owner   *User
	Columns []Column // the first is the primary one unless another says so
	Rows    []Row
	Place   *Place // workspace or folder; nil: the Sheets folder of its owner
	Project bool   // dependencies are enabled; true whatever it says if a column is DURATION or PREDECESSOR
}

// Sheet tells the ids of a sheet as it was added.
type Sheet struct {
	ID      int64
	Name    string
	Columns map[string]int64 // by title
	Rows    []int64          // in the order of the spec
}

type sheet struct {
	server            *Server
	id                int64
	name              string
	owner             int64
	project           bool
	place             *place // nil: the Sheets folder of its owner
	permalink         string
	classification    string // label of data classification; empty: none
	version           int64
	created, modified time.Time
	deleted           bool
	columns           []*Column
	rows              []*row // in the order shown
	byID              map[int64]*row
	access            map[int64]*share // by user
	attachments       []*attachment
	discussions       []*discussion
	autoNumber        int
}

type row struct {
	id                    int64
	index                 int // row number less one
	parent                *row
	collapsed, locked     bool
	created, modified     time.Time
	createdBy, modifiedBy int64
	cells                 map[int64]*cell
	autoNumber            string
}

type cell struct {
	value     any
	formula   string
	hyperlink map[string]any
	link      map[string]any
	history   []past
}

// past is a value that a cell had or has.
type past struct {
	value any
	at    time.Time
	by    int64
}

// maxHistory bounds what a cell remembers.
const maxHistory = 100

// AddSheet adds a sheet with its rows. Neither makes an event. Fields of the
// spec that cannot be give the Error that the API would answer.
func (s *Server) AddSheet(spec SheetSpec) (*Sheet, error) {
	s.lock()
	sh, err := s.newSheet(spec)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := &Sheet{ID: sh.id, Name: sh.name, Columns: map[string]int64{}}
	for _, c := range sh.columns {
		out.Columns[c.Title] = c.ID
	}
	for chunk := range slices.Chunk(spec.Rows, maxRowsPerWrite) {
		ids, err := s.As(spec.Owner).AddRows(sh.id, chunk...)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, ids...)
	}
	return out, nil
}

// newSheet makes an empty sheet. The caller holds s.mu.
func (s *Server) newSheet(spec SheetSpec) (*sheet, error) {
	if spec.Owner == nil || s.users[spec.Owner.ID] == nil {
		return nil, failf(404, 1020, "User not found.")
	}
	if len(spec.Columns) == 0 {
		return nil, failf(400, 1054, "The new sheet requires either a fromId or columns.")
	}
	now := s.now()
	sh := &sheet{
		server: s, id: s.ids.next(), name: spec.Name, owner: spec.Owner.ID, version: 1, created: now, modified: now,
		permalink: "https://app.smartsheet.com/sheets/" + randomText(40, alphanumeric),
		byID:      map[int64]*row{}, access: map[int64]*share{}, project: spec.Project,
	}
	primaries := 0
	for i := range spec.Columns {
		c := spec.Columns[i]
		sh.project = sh.project || slices.Contains([]string{"DURATION", "PREDECESSOR"}, c.Type)
		if c.Primary {
			primaries++
		}
	}
	if primaries > 1 {
		return nil, failf(400, 1055, "One and only one column must be primary.")
	}
	for i, c := range spec.Columns {
		c.Primary = c.Primary || primaries == 0 && i == 0
		if _, err := s.insertColumn(sh, c, i); err != nil {
			return nil, err
		}
	}
	sh.access[sh.owner] = &share{id: randomText(12, alphanumeric), user: sh.owner, level: AccessOwner}
	if spec.Place != nil {
		sh.place = s.places[spec.Place.ID]
	}
	s.sheets[sh.id] = sh
	return sh, nil
}

// accessOf is the user's level, empty if the sheet is not shared with them.
func (sh *sheet) accessOf(user int64) string {
	if grant := sh.access[user]; grant != nil {
		return grant.level
	}
	return ""
}

// administers reports whether the level may edit what is locked.
func administers(level string) bool { return level == AccessOwner || level == AccessAdmin }

// visibleSheets are the sheets that the user can read, by name.
func (s *Server) visibleSheets(user int64) []*sheet {
	var list []*sheet
	for _, sh := range s.sheets {
		if !sh.deleted && sh.accessOf(user) != "" {
			list = append(list, sh)
		}
	}
	slices.SortFunc(list, func(a, b *sheet) int {
		if n := strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)); n != 0 {
			return n
		}
		return int(min(max(a.id-b.id, -1), 1))
	})
	return list
}

func (sh *sheet) column(id int64) *Column {
	for _, c := range sh.columns {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (sh *sheet) columnByTitle(title string) *Column {
	for _, c := range sh.columns {
		if c.Title == title {
			return c
		}
	}
	return nil
}

// rowNumber is the number of a row, 0 if it is gone.
func (sh *sheet) rowNumber(id int64) int {
	if r := sh.byID[id]; r != nil {
		return r.index + 1
	}
	return 0
}

func (sh *sheet) rowID(number int) int64 {
	if number < 1 || number > len(sh.rows) {
		return 0
	}
	return sh.rows[number-1].id
}
