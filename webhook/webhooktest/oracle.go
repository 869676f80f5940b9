package webhooktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Oracle tells whether a partner's stream keeps the contract's promises, and
// whether it has come to what its shares show of the sheets as they are.
type Oracle struct {
	Sim     *smartsheettest.Server
	Shares  []events.Share // all of the partner
	MaskKey string
}

// Check has the oracle look at the partners' streams.
func (b *Bridge) Check(partners ...string) {
	b.T.Helper()
	for _, partner := range partners {
		o := Oracle{Sim: b.Sim, MaskKey: maskKey}
		for _, s := range b.Registry.AllShares() {
			if s.Partner == partner {
				o.Shares = append(o.Shares, s.Share)
			}
		}
		for _, wrong := range o.Check(b.Stream(partner)) {
			b.T.Errorf("stream of %s: %s", partner, wrong)
		}
	}
}

// Check returns what is wrong with a stream, which is all that it holds, oldest
// first. Nothing may be on its way to it.
func (o Oracle) Check(stream []Published) []string {
	wrong := o.Promises(stream)
	for i := range o.Shares {
		want, err := o.Want(&o.Shares[i])
		if err != nil {
			return append(wrong, err.Error())
		}
		if diff := cmp.Diff(want, state(stream, &o.Shares[i])); diff != "" {
			wrong = append(wrong, fmt.Sprintf("share %s is not what the sheet shows (-want +got):\n%s", o.Shares[i].Sheet, diff))
		}
	}
	return wrong
}

// Promises returns what is wrong with a stream at any moment, whatever the
// sheets are now: the form of its messages, and the chain on each subject.
func (o Oracle) Promises(stream []Published) []string {
	c := &chains{last: map[string]Published{}, count: map[string]int{}, schema: map[string]Published{}, compiled: map[string]*jsonschema.Schema{}}
	for _, m := range stream {
		c.count[m.Subject]++
	}
	for _, m := range stream {
		c.see(m)
	}
	return c.wrong
}

// chains is what has been seen of each subject so far.
type chains struct {
	last     map[string]Published // by subject
	count    map[string]int       // messages of each subject in all
	schema   map[string]Published // last one, by share
	compiled map[string]*jsonschema.Schema
	wrong    []string
}

func (c *chains) fail(m Published, format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf("message %d (%s, %s): ", m.Sequence, m.Subject, m.Type)+fmt.Sprintf(format, args...))
}

func (c *chains) see(m Published) {
	var ce cloudevents.Event
	if err := json.Unmarshal(m.Raw, &ce); err != nil {
		c.fail(m, "no CloudEvent: %v", err)
	} else if err := ce.Validate(); err != nil {
		c.fail(m, "no valid CloudEvent: %v", err)
	}
	share, rest := ShareOf(m.Subject)
	if want := share[strings.LastIndex(share, ".")+1:] + "/" + strings.ReplaceAll(rest, ".", "/"); m.Event.Subject != want {
		c.fail(m, "its CloudEvents subject is %q, want %q", m.Event.Subject, want)
	}
	switch rest {
	case "schema":
		if was, ok := c.schema[share]; ok && m.Data.Revision <= was.Data.Revision {
			c.fail(m, "revision %d after %d", m.Data.Revision, was.Data.Revision)
		}
		c.schema[share] = m
	case "status":
	default:
		if strings.HasPrefix(rest, "write.") { // an answer: its own tests look at it
			break
		}
		c.conforms(m, share)
		c.follows(m, share)
	}
	c.last[m.Subject] = m
}

// conforms checks an object against the schema that stands before it.
func (c *chains) conforms(m Published, share string) {
	kind, _, ok := events.ParseSubject(m.Subject)
	schema, hasSchema := c.schema[share]
	switch {
	case !ok || m.Data.Sheet.Name == "" || m.Data.Sheet.ID == 0:
		c.fail(m, "is about nothing that we know")
		return
	case !hasSchema && c.count[share+".schema"] < stream.History:
		c.fail(m, "stands before the share's first schema")
		return
	case m.Data.After == nil || !hasSchema && kind == events.KindRow:
		return
	}
	text := schema.Data.Schema
	switch kind {
	case events.KindAttachment:
		text = events.AttachmentSchema()
	case events.KindComment:
		text = events.CommentSchema()
	}
	compiled, err := c.compile(text)
	if err != nil {
		c.fail(m, "its schema cannot be used: %v", err)
		return
	}
	after, _ := json.Marshal(m.Data.After)
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(after))
	if err != nil {
		c.fail(m, "after: %v", err)
	} else if err := compiled.Validate(instance); err != nil {
		c.fail(m, "after does not satisfy the schema of revision %d: %v", schema.Data.Revision, err)
	}
}

func (c *chains) compile(text json.RawMessage) (*jsonschema.Schema, error) {
	if s := c.compiled[string(text)]; s != nil {
		return s, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		return nil, err
	}
	s, err := compiler.Compile("schema.json")
	c.compiled[string(text)] = s
	return s, err
}

// follows checks a message against the one before it on its subject.
func (c *chains) follows(m Published, share string) {
	was, hasBefore := c.last[m.Subject]
	d := m.Data
	if d.Before == nil && d.After == nil && d.Reason != events.ReasonShare {
		c.fail(m, "has neither before nor after")
	}
	if !hasBefore {
		if d.Before != nil && c.count[m.Subject] < stream.History {
			c.fail(m, "has a before, and nothing stands before it")
		}
		return
	}
	if d.Sheet.Version < was.Data.Sheet.Version {
		c.fail(m, "sheet.version fell from %d to %d", was.Data.Sheet.Version, d.Sheet.Version)
	}
	if d.After.Equal(was.Data.After) && parentOf(d.Row) == parentOf(was.Data.Row) {
		c.fail(m, "after is what it was at %d", was.Sequence)
	}
	revised := c.schema[share].Sequence > was.Sequence
	if !d.Before.Equal(was.Data.After) && !(d.Before == nil && (revised || d.Truncated)) {
		c.fail(m, "before is not the after of %d", was.Sequence)
	}
}

func parentOf(r *events.RowRef) string {
	if r == nil || r.ParentID == nil {
		return ""
	}
	return *r.ParentID
}

// ShareOf cuts a subject into its share, `smartsheet.<partner>.<sheet>`, and the
// rest.
func ShareOf(subject string) (share, rest string) {
	tokens := strings.SplitN(subject, ".", 4)
	if len(tokens) < 4 {
		return subject, ""
	}
	return strings.Join(tokens[:3], "."), tokens[3]
}

// state is what the last message of each subject of the share says of objects
// that live: `after`, and where a row hangs. Sizes and media types of
// attachments are left out: snapshots do not have them.
func state(stream []Published, s *events.Share) map[string]string {
	now := map[string]string{}
	for _, m := range stream {
		kind, _, ok := events.ParseSubject(m.Subject)
		if share, _ := ShareOf(m.Subject); !ok || share+".>" != s.SubjectAll() {
			continue
		}
		if m.Data.After == nil {
			delete(now, m.Subject)
			continue
		}
		now[m.Subject] = describe(kind, m.Data.After, parentOf(m.Data.Row))
	}
	return now
}

func describe(kind events.Kind, o events.Object, parent string) string {
	if kind == events.KindAttachment {
		o = slices.DeleteFunc(slices.Clone(o), func(v events.Value) bool { return v.Name == "sizeInKb" || v.Name == "mimeType" })
	}
	text, _ := json.Marshal(o)
	if kind == events.KindRow {
		return string(text) + " under " + strconv.Quote(parent)
	}
	return string(text)
}

// Want is what a share must show of its sheet as it is, in the form of state.
func (o Oracle) Want(s *events.Share) (map[string]string, error) {
	want := map[string]string{}
	snap, ok := o.Sim.Snapshot(s.SheetID)
	if !ok {
		return want, nil
	}
	view, err := events.NewView(*s, []byte(o.MaskKey))
	if err != nil {
		return nil, err
	}
	rows := map[int64]bool{}
	for _, r := range snap.Rows {
		row, types := restRow(snap, r)
		after, visible := view.Row(&row, types)
		if !visible || !s.Has(events.KindRow) {
			continue
		}
		parent := ""
		if r.ParentID != 0 {
			parent = strconv.FormatInt(r.ParentID, 10)
		}
		rows[r.ID] = true
		want[s.SubjectOf(events.KindRow, r.ID)] = describe(events.KindRow, after, parent)
	}
	maps.Copy(want, wantChildren(s, view, snap, rows))
	return want, nil
}
