package events

import (
	"slices"
	"strings"
	"time"
)

// Types of event that answer writes.
const (
	WriteDone    = "sheetbridge.write.done"
	WriteRefused = "sheetbridge.write.refused"
)

// AnswersKept is how long the answer to a write is kept, and how long its id stands
// for it.
const AnswersKept = 7 * 24 * time.Hour

// Code is why a write was refused.
type Code string

// Codes of refusals.
const (
	CodeInvalid      Code = "invalid"       // the request is none
	CodeIDReused     Code = "id-reused"     // its id was another request's
	CodeNotShared    Code = "not-shared"    // no such share, or no such field of it
	CodeNotWritable  Code = "not-writable"  // the share does not allow that
	CodeNotVisible   Code = "not-visible"   // the share shows no such row
	CodeLocked       Code = "locked"        // the row or the column is locked
	CodeFormula      Code = "formula"       // the cell holds a formula
	CodeInvalidValue Code = "invalid-value" // the column does not take the value
	CodeCheckFailed  Code = "check-failed"  // the share's check is not met
	CodeLeavesView   Code = "leaves-view"   // the partner would see the row no longer
	CodeConflict     Code = "conflict"      // the row is not as expected
	CodeDuplicateKey Code = "duplicate-key" // another row has the key
	CodeGone         Code = "gone"          // the row went while it was written
	CodeTooFast      Code = "too-fast"      // more writes than the share takes in a minute
	CodeTooLate      Code = "too-late"      // its time ran out
	CodeOwnerRefused Code = "owner-refused" // Smartsheet refuses the writer
)

// Codes are all codes of refusals.
func Codes() []Code {
	return []Code{
		CodeInvalid, CodeIDReused, CodeNotShared, CodeNotWritable, CodeNotVisible, CodeLocked, CodeFormula, CodeInvalidValue,
		CodeCheckFailed, CodeLeavesView, CodeConflict, CodeDuplicateKey, CodeGone, CodeTooFast, CodeTooLate, CodeOwnerRefused,
	}
}

// Result is how a write has ended.
type Result string

// Results of a write.
const (
	ResultDone    Result = "done"    // the sheet has it, by this write; of a dry run: it would
	ResultAlready Result = "already" // the sheet had it before
	ResultRefused Result = "refused" // nothing was changed
)

// WriteData is the data of the answer to a write.
type WriteData struct {
	ID      string  `json:"id"`
	Op      Op      `json:"op,omitempty"`
	Row     *string `json:"row"` // nil: none is known
	Result  Result  `json:"result"`
	Code    Code    `json:"code,omitempty"`
	Field   string  `json:"field,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Current Object  `json:"current,omitempty"` // with CodeConflict: the row as the share shows it
	Version int64   `json:"version,omitempty"` // of the sheet afterwards; 0: not known
	Raced   bool    `json:"raced,omitempty"`   // the sheet moved by more than this write
	DryRun  bool    `json:"dryRun,omitempty"`  // it was only checked
}

// Refuse returns the answer that refuses a request.
func (r *Refusal) Refuse(data WriteData) WriteData {
	data.Result, data.Code, data.Field, data.Detail, data.Current = ResultRefused, r.Code, r.Field, r.Detail, r.Current
	return data
}

// Type is the type of event of an answer.
func (d *WriteData) Type() string {
	if d.Result == ResultRefused {
		return WriteRefused
	}
	return WriteDone
}

// AnswerEvent is the event that answers a write of the partner's for a sheet by
// that name, which need not be the name of a share.
func AnswerEvent(s *Share, at time.Time, d WriteData) (Event, error) {
	e, err := s.NewEvent(d.Type(), at, d, answerToken, d.ID)
	if s.SheetID == 0 {
		e.Source = "/sheetbridge/partners/" + s.Partner
	}
	return e, err
}

// SubjectAnswer is the NATS subject of the answer to a write.
func (s *Share) SubjectAnswer(id string) string { return s.subject(answerToken + "." + id) }

// WriteStreamName is the name of the stream that holds a partner's writes.
const WriteStreamName = "WRITES"

// WriteSubject is the NATS subject to which a credential publishes its writes.
func WriteSubject(partner, sheet, credential string) string {
	return "write." + partner + "." + sheet + "." + credential
}

// agentPrefix begins the change agents of writes.
const agentPrefix = "sheetbridge:"

// ChangeAgent is the change agent under which a partner's write changes a sheet.
func ChangeAgent(partner, id string) string { return agentPrefix + partner + ":" + id }

// OwnAgent tells whether a change agent belongs to a write. Such agents are in
// nobody's event: they name other partners.
func OwnAgent(agent string) bool {
	return strings.HasPrefix(agent, agentPrefix)
}

// OnlyWrite returns the id of a partner's write where the agents name that one write
// and no other: a request that makes several names all of them. Else it is empty.
func OnlyWrite(partner string, agents []string) (id string) {
	for _, agent := range agents {
		if !OwnAgent(agent) {
			continue
		}
		of, ok := strings.CutPrefix(agent, ChangeAgent(partner, ""))
		if !ok || id != "" {
			return ""
		}
		id = of
	}
	return id
}

// ForeignAgents are the agents without those of writes.
func ForeignAgents(agents []string) []string {
	if !slices.ContainsFunc(agents, OwnAgent) {
		return agents
	}
	return slices.DeleteFunc(slices.Clone(agents), OwnAgent)
}
