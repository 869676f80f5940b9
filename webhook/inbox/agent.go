package inbox

import (
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// What a hint keeps of the programs that made a change: they are told to
// partners and change nothing else.
const (
	maxAgents     = 8        // of one row
	maxAgentBytes = 64 << 10 // of all rows
)

// Agent is a program that wrote, as it named itself in Smartsheet-Change-Agent.
type Agent struct {
	Name    string  `json:"name"`
	Columns []int64 `json:"columns"` // whose cells it wrote, ascending; 0 is the row itself
}

// byCell are the rows of a callback of which it names cells. That such a row was
// updated says no more than its cells do, and the program that wrote a cell that is not
// shared must not be told to those who see the row.
func byCell(evs []smartsheet.CallbackEvent) map[int64]bool {
	rows := map[int64]bool{}
	for _, e := range evs {
		if e.ObjectType == smartsheet.ObjectCell {
			rows[e.RowID] = true
		}
	}
	return rows
}

// by are those who made a change, as writers of the column.
func by(e smartsheet.CallbackEvent, column int64) []Agent {
	var agents []Agent
	for _, name := range e.ChangeAgents() {
		agents = append(agents, Agent{Name: name, Columns: []int64{column}})
	}
	return agents
}

// echo is when a change was made, where writes of partners made it and nothing else had
// a part in it. Else it is zero.
func echo(e smartsheet.CallbackEvent) time.Time {
	agents := e.ChangeAgents()
	if len(agents) == 0 || slices.ContainsFunc(agents, func(agent string) bool { return !events.OwnAgent(agent) }) {
		return time.Time{}
	}
	return e.Timestamp.Time
}

// addAgent records that a program wrote a column of the row.
func (r *Row) addAgent(name string, column int64) {
	i := slices.IndexFunc(r.By, func(a Agent) bool { return a.Name == name })
	if i < 0 {
		if len(r.By) < maxAgents {
			r.By = append(slices.Clip(r.By), Agent{Name: name, Columns: []int64{column}})
		}
		return
	}
	at, found := slices.BinarySearch(r.By[i].Columns, column)
	if !found {
		r.By = slices.Clone(r.By)
		r.By[i].Columns = slices.Insert(slices.Clone(r.By[i].Columns), at, column)
	}
}

// Agents returns who wrote the row itself or one of the columns.
func (r Row) Agents(columns func(id int64) bool) []string {
	var names []string
	for _, a := range r.By {
		if a.Columns[0] == 0 || slices.ContainsFunc(a.Columns, columns) {
			names = append(names, a.Name)
		}
	}
	return names
}

// AgentNames returns who wrote anything of the row.
func (r Row) AgentNames() []string {
	names := make([]string, len(r.By))
	for i, a := range r.By {
		names[i] = a.Name
	}
	return names
}

// boundAgents forgets all agents where they take too much room.
func (h *Hint) boundAgents() {
	size := 0
	for _, r := range h.Rows {
		for _, a := range r.By {
			size += len(a.Name) + 20*len(a.Columns)
		}
	}
	if size <= maxAgentBytes {
		return
	}
	for id, r := range h.Rows {
		r.By = nil
		h.Rows[id] = r
	}
}
