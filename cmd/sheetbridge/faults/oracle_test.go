package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// message is one event of a subject.
type message struct {
	seq     uint64
	typ     string
	before  json.RawMessage
	after   json.RawMessage
	parent  string
	version int64
	origin  string
	state   string // of a status
	epoch   string
	reset   bool // of a schema
}

// recorder reads a partner's stream with the partner's own credentials, from
// where it stopped, so that what the stream forgets is remembered.
type recorder struct {
	partner  string
	js       jetstream.JetStream
	last     uint64
	subjects map[string][]message
	resets   uint64 // sequence of the newest reset
}

// read takes over what is new.
func (r *recorder) read(t testing.TB) error {
	ctx := t.Context()
	st, err := r.js.Stream(ctx, "EVENTS")
	if err != nil {
		return err
	}
	info := st.CachedInfo()
	if info.State.LastSeq < r.last { // made anew, or restored
		r.last, r.subjects, r.resets = 0, map[string][]message{}, 0
	}
	for {
		m, err := st.GetMsg(ctx, r.last+1, jetstream.WithGetMsgSubject("smartsheet.>"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.take(m.Sequence, m.Subject, m.Data); err != nil {
			return err
		}
		r.last = m.Sequence
	}
}

func (r *recorder) take(seq uint64, subject string, data []byte) error {
	if tokens := strings.Split(subject, "."); len(tokens) == 5 && tokens[3] == "write" { // an answer: the one who asked checks it
		return nil
	}
	var e struct {
		Type string
		Data struct {
			Sheet         struct{ Version int64 }
			Row           struct{ ParentID *string }
			Before, After json.RawMessage
			Origin, State string
			Epoch         string
			Reset         bool
		}
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("%s at %d: %w", subject, seq, err)
	}
	m := message{seq: seq, typ: e.Type, before: e.Data.Before, after: e.Data.After, version: e.Data.Sheet.Version,
		origin: e.Data.Origin, state: e.Data.State, epoch: e.Data.Epoch, reset: e.Data.Reset}
	if e.Data.Row.ParentID != nil {
		m.parent = *e.Data.Row.ParentID
	}
	if m.reset {
		r.resets = seq
	}
	r.subjects[subject] = append(r.subjects[subject], m)
	return nil
}

// status is the last status of a share.
func (r *recorder) status(sheet string) (message, bool) {
	list := r.subjects["smartsheet."+r.partner+"."+sheet+".status"]
	if len(list) == 0 {
		return message{}, false
	}
	return list[len(list)-1], true
}

// told are the last messages of a subject, for people.
func (r *recorder) told(subject string) string {
	var b strings.Builder
	list := r.subjects[subject]
	for _, m := range list[max(0, len(list)-5):] {
		fmt.Fprintf(&b, " %d: %s of version %d: %s;", m.seq, m.typ, m.version, m.after)
	}
	return b.String()
}

// living is how many rows the partner sees.
func (r *recorder) living(sheet string) int {
	n := 0
	for subject, list := range r.subjects {
		if strings.HasPrefix(subject, "smartsheet."+r.partner+"."+sheet+".row.") && !same(list[len(list)-1].after, nil) {
			n++
		}
	}
	return n
}

// chains checks the promises on every subject: each before is the after of the
// event before it, no two neighbours are equal, versions never fall.
func (r *recorder) chains() error {
	for subject, list := range r.subjects {
		if !strings.Contains(subject, ".row.") {
			continue
		}
		for i, m := range list {
			first := i == 0 || (list[i-1].seq < r.resets && m.seq > r.resets)
			if first {
				continue
			}
			was := list[i-1]
			switch {
			case !same(was.after, m.before):
				return fmt.Errorf("%s: %s at %d: before is %s, but at %d after was %s", r.partner, subject, m.seq, m.before, was.seq, was.after)
			case same(was.after, m.after) && was.parent == m.parent:
				return fmt.Errorf("%s: %s at %d: the same again: %s", r.partner, subject, m.seq, m.after)
			case m.version < was.version:
				return fmt.Errorf("%s: %s at %d: version fell from %d to %d", r.partner, subject, m.seq, was.version, m.version)
			}
		}
	}
	return nil
}

func same(a, b json.RawMessage) bool {
	if len(a) == 0 {
		a = json.RawMessage("null")
	}
	if len(b) == 0 {
		b = json.RawMessage("null")
	}
	return bytes.Equal(a, b)
}

// equals compares what the partner sees at the end with the sheet.
func (w *world) equals(r *recorder, name string, sheet int64) error {
	sh := shares()[r.partner]
	snap, ok := w.sim.Snapshot(sheet)
	if !ok {
		return errors.New("the sheet is gone")
	}
	want := map[string]string{}
	for _, row := range snap.Rows {
		cells := smartsheettest.Cells{}
		for _, c := range snap.Columns {
			if v, ok := row.Cells[c.ID]; ok {
				cells[c.Title] = v
			}
		}
		if sh.shows(cells) {
			want[fmt.Sprintf("smartsheet.%s.%s.row.%d", r.partner, name, row.ID)] = object(sh.columns, cells)
		}
	}
	got := map[string]string{}
	for subject, list := range r.subjects {
		if last := list[len(list)-1]; strings.HasPrefix(subject, "smartsheet."+r.partner+"."+name+".row.") && !same(last.after, nil) {
			got[subject] = string(last.after)
		}
	}
	for subject, object := range want {
		if got[subject] != object {
			return fmt.Errorf("%s sees %s as %q, want %s; it was told%s", r.partner, subject, got[subject], object, r.told(subject))
		}
	}
	for subject, object := range got {
		if _, ok := want[subject]; !ok {
			return fmt.Errorf("%s still sees %s as %s", r.partner, subject, object)
		}
	}
	return nil
}

// object is what a row's after should be, for columns of text and numbers.
func object(columns []string, cells smartsheettest.Cells) string {
	var b strings.Builder
	for i, title := range columns {
		fmt.Fprintf(&b, "%s%q:", map[bool]string{true: "{", false: ","}[i == 0], strings.ToLower(title))
		v, err := json.Marshal(cells[title])
		if err != nil {
			panic(err) // values are made here
		}
		b.Write(v)
	}
	return b.String() + "}"
}

// settled waits until every partner sees the sheet as it is, and then checks
// the way there.
func (w *world) settled(within time.Duration) {
	w.t.Helper()
	for _, r := range w.recorders {
		eventstest.AwaitNil(w.t, within, "the stream to show the sheet", func() error {
			if err := r.read(w.t); err != nil {
				return err
			}
			return w.equals(r, "orders", w.sheet.ID)
		})
		if err := r.chains(); err != nil {
			w.t.Error(err)
		}
	}
}

// stands waits until the partners are told a state.
func (w *world) stands(state string, within time.Duration) {
	w.t.Helper()
	for _, r := range w.recorders {
		eventstest.AwaitNil(w.t, within, "the status "+state, func() error {
			if err := r.read(w.t); err != nil {
				return err
			}
			if s, _ := r.status("orders"); s.state != state {
				return fmt.Errorf("%s is told %q", r.partner, s.state)
			}
			return nil
		})
	}
}
