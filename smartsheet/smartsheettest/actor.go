package smartsheettest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Actor is a user at work: its methods do what the calls of the API of the
// same kind do, with the user's rights, versions and events, but without HTTP,
// token, rate limit and faults. Errors wrap an [*Error].
type Actor struct {
	server *Server
	user   *User
	agent  string
}

// As lets a user work.
func (s *Server) As(u *User) Actor { return Actor{server: s, user: u} }

// WithAgent lets the user work through something that sends this
// Smartsheet-Change-Agent.
func (a Actor) WithAgent(agent string) Actor {
	a.agent = trimAgent(agent)
	return a
}

// Do calls the API: the path as it stands below /2.0/, with its query. The
// body becomes JSON unless it is nil; the answer is read into result unless
// that is nil.
func (a Actor) Do(method, path string, body, result any) error {
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("calling %s %s: %w", method, path, err)
	}
	rt, ids, err := find(method, path)
	if err != nil {
		return fmt.Errorf("calling %s %s: %w", method, path, err)
	}
	s := a.server
	s.lock()
	user := s.users[a.user.ID]
	s.mu.Unlock()
	if user == nil {
		return fmt.Errorf("calling %s %s: %w", method, path, failf(404, 1020, "User not found."))
	}
	c := &call{method: method, path: path, query: values, agent: a.agent, user: user, now: s.now(), ids: ids}
	if body != nil {
		if c.body, err = json.Marshal(body); err != nil {
			return fmt.Errorf("writing the body of %s %s: %w", method, path, err)
		}
	}
	text, refused := s.perform(rt, c)
	if refused != nil {
		return fmt.Errorf("calling %s %s: %w", method, path, refused)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(text, result); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// Cells are values by the titles of their columns, of the types that cells
// hold; a nil empties its cell, and a [Formula] sets one.
type Cells map[string]any

// Formula is the source of a formula, "=SUM(Price:Price)".
type Formula string

// Row is a row to add or to change.
type Row struct {
	ID       int64 // of the row to change; zero when adding
	Cells    Cells
	Lenient  bool // free text may go into typed columns
	ToTop    bool // where it shall stand; nothing means the bottom, or where it is
	ToBottom bool
	ParentID int64 // under this row: first, or last with ToBottom
	Sibling  int64 // below this row, or above it
	Above    bool
	Indent   bool
	Outdent  bool
	Locked   *bool
	Expanded *bool
}

// result is the envelope of writes.
type result[T any] struct {
	Result T `json:"result"`
}

type identified struct {
	ID int64 `json:"id"`
}

// AddRows adds up to 500 rows, all at one place, and returns their ids.
func (a Actor) AddRows(sheetID int64, rows ...Row) ([]int64, error) {
	body, err := a.server.rowBodies(sheetID, rows)
	if err != nil {
		return nil, err
	}
	var out result[[]identified]
	if err := a.Do("POST", fmt.Sprintf("sheets/%d/rows", sheetID), body, &out); err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(out.Result))
	for _, r := range out.Result {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// UpdateRows changes or moves up to 500 rows.
func (a Actor) UpdateRows(sheetID int64, rows ...Row) error {
	body, err := a.server.rowBodies(sheetID, rows)
	if err != nil {
		return err
	}
	return a.Do("PUT", fmt.Sprintf("sheets/%d/rows", sheetID), body, nil)
}

// DeleteRows deletes rows with all that is under them.
func (a Actor) DeleteRows(sheetID int64, ids ...int64) error {
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		texts = append(texts, strconv.FormatInt(id, 10))
	}
	return a.Do("DELETE", fmt.Sprintf("sheets/%d/rows?ids=%s", sheetID, strings.Join(texts, ",")), nil, nil)
}

// rowBodies are rows as requests hold them.
func (s *Server) rowBodies(sheetID int64, rows []Row) ([]map[string]any, error) {
	s.lock()
	defer s.mu.Unlock()
	sh := s.sheets[sheetID]
	if sh == nil {
		return nil, fmt.Errorf("writing rows of sheet %d: %w", sheetID, errNotFound())
	}
	list := make([]map[string]any, 0, len(rows))
	for _, r := range rows {
		body, err := r.body(sh)
		if err != nil {
			return nil, fmt.Errorf("writing rows of sheet %d: %w", sheetID, err)
		}
		list = append(list, body)
	}
	return list, nil
}

func (r Row) body(sh *sheet) (map[string]any, error) {
	out := map[string]any{}
	for name, id := range map[string]int64{"id": r.ID, "parentId": r.ParentID, "siblingId": r.Sibling} {
		if id != 0 {
			out[name] = id
		}
	}
	for name, yes := range map[string]bool{"toTop": r.ToTop, "toBottom": r.ToBottom, "above": r.Above} {
		if yes {
			out[name] = true
		}
	}
	for name, yes := range map[string]bool{"indent": r.Indent, "outdent": r.Outdent} {
		if yes {
			out[name] = 1
		}
	}
	for name, flag := range map[string]*bool{"locked": r.Locked, "expanded": r.Expanded} {
		if flag != nil {
			out[name] = *flag
		}
	}
	var cells []map[string]any
	for _, col := range sh.columns { // in the order of the columns, not of the map
		if value, set := r.Cells[col.Title]; set {
			cells = append(cells, cellBody(col.ID, value, r.Lenient))
		}
	}
	for title := range r.Cells {
		if sh.columnByTitle(title) == nil {
			return nil, failf(400, 1036, "The columnId of %q is invalid.", title)
		}
	}
	if cells != nil {
		out["cells"] = cells
	}
	return out, nil
}

func cellBody(column int64, value any, lenient bool) map[string]any {
	out := map[string]any{"columnId": column}
	if lenient {
		out["strict"] = false
	}
	switch v := value.(type) {
	case nil:
		out["value"] = ""
	case Formula:
		out["formula"] = string(v)
	case Date, AbstractDateTime:
		out["value"] = v
	case Contact, []Contact, []string, Duration, []Predecessor:
		out["objectValue"] = objectOf(v)
	default:
		out["value"] = v
	}
	return out
}
