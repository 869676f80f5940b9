package examples

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// copier is an example that keeps a copy.
type copier struct {
	t       *testing.T
	dir     string
	program []string
	file    string
	nats    string // URL
	creds   string // file
	running *follower
}

func newCopier(t *testing.T, dir string, program []string, nats, creds string) *copier {
	return &copier{t: t, dir: dir, program: program, file: filepath.Join(t.TempDir(), "sheets.db"), nats: nats, creds: creds}
}

func (r *copier) start() {
	r.t.Helper()
	r.running = follow(r.t, r.dir, append(slices.Clone(r.program), r.file), r.nats, r.creds)
}

// show is what the copy has: a line for each sheet and one for each row.
func (r *copier) show() string {
	r.t.Helper()
	args := append(slices.Clone(r.program), "--show", r.file)
	cmd := exec.CommandContext(r.t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Stderr = r.dir, r.t.Output()
	out, err := cmd.Output()
	must(r.t, err)
	return string(out)
}

// shows waits until the copy has just these lines.
func (r *copier) shows(doing string, want ...string) {
	r.t.Helper()
	eventstest.AwaitNil(r.t, time.Minute, doing, func() error {
		if diff := cmp.Diff(strings.Join(want, "\n")+"\n", r.show()); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

// testCopy has a sheet edited while its copy and the program itself are killed: in the
// end the copy is equal to the sheet.
func testCopy(t *testing.T, dir string, program []string) {
	b := newBridge(t)
	r := newCopier(t, dir, program, b.nats, b.creds)
	jane := b.sim.As(b.jane)
	for round := range 4 {
		r.start()
		ids, err := jane.AddRows(b.sheet.ID,
			smartsheettest.Row{Cells: smartsheettest.Cells{"No": fmt.Sprint("SO-1", round), "Status": "Open"}},
			smartsheettest.Row{Cells: smartsheettest.Cells{"No": fmt.Sprint("SO-2", round), "Status": "Open"}})
		must(t, err)
		must(t, jane.UpdateRows(b.sheet.ID, smartsheettest.Row{ID: b.sheet.Rows[1], Cells: smartsheettest.Cells{"Status": fmt.Sprint("Late ", round)}}))
		r.has(fmt.Sprint("SO-2", round))
		must(t, jane.DeleteRows(b.sheet.ID, ids[0]))
		r.running.kill()
		must(t, jane.UpdateRows(b.sheet.ID, smartsheettest.Row{ID: ids[1], Cells: smartsheettest.Cells{"Status": "Done"}}))
		if round == 1 {
			b.stop()
			b.start()
		}
	}
	r.start()
	b.call("/v1/webhooks/"+b.hook+"/reconcile", map[string]any{}, nil)
	snapshot, _ := b.sim.Snapshot(b.sheet.ID)
	want := []string{fmt.Sprint("orders live complete to version ", snapshot.Version)}
	for _, row := range snapshot.Rows {
		after, err := json.Marshal(map[string]any{"no": row.Cells[b.sheet.Columns["No"]], "status": row.Cells[b.sheet.Columns["Status"]]})
		must(t, err)
		want = append(want, fmt.Sprintf("orders %d %s", row.ID, after))
	}
	slices.Sort(want[1:])
	r.shows("the sheet", want...)
}

// has waits until the copy has a text.
func (r *copier) has(text string) {
	r.t.Helper()
	eventstest.Await(r.t, "the copy has "+text, func() bool { return strings.Contains(r.show(), text) })
}

// put publishes an event.
func (s *side) put(what, id, data string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"specversion":"1.0","id":%q,"data":%s}`, id, data)
	_, err := s.js.Publish(s.t.Context(), "smartsheet.acme."+what, []byte(body))
	must(s.t, err)
}

// purge removes an object from the stream without a word.
func (s *side) purge(what string) {
	s.t.Helper()
	st, err := s.js.Stream(s.t.Context(), stream.Name)
	must(s.t, err)
	must(s.t, st.Purge(s.t.Context(), jetstream.WithPurgeSubject("smartsheet.acme."+what)))
}

// testCopied has the stream say all that a copy must heed.
func testCopied(t *testing.T, dir string, program []string) {
	s := newSide(t)
	r := newCopier(t, dir, program, s.broker.URL(), s.creds)
	live := func(epoch, id string) {
		s.put("orders.status", id, fmt.Sprintf(`{"state":"live","epoch":%q,"completeTo":{"version":7},"nextBefore":"2999-01-01T00:00:00Z"}`, epoch))
	}
	const is = "orders live complete to version 7"
	s.put("orders.schema", "e1", `{"revision":1,"schema":{}}`)
	s.put("orders.row.1", "e2", `{"after":{"a":1}}`)
	s.put("orders.row.2", "e3", `{"after":{"a":2}}`)
	live("x", "e4")
	s.stop()
	r.start()
	s.turnAway(1)
	s.start()
	r.shows("the sheet as it is", is, `orders 1 {"a":1}`, `orders 2 {"a":2}`)

	s.put("orders.row.2", "e5", `{"after":{"a":3}}`)
	s.put("orders.row.2", "e5", `{"after":{"a":"twice"}}`) // by its id it is the same
	s.put("orders.row.3", "e6", `{"after":{"a":4}}`)
	r.shows("an event that comes twice", is, `orders 1 {"a":1}`, `orders 2 {"a":3}`, `orders 3 {"a":4}`)

	s.purge("orders.row.1")
	live("y", "e7")
	r.shows("another epoch", is, `orders 2 {"a":"twice"}`, `orders 3 {"a":4}`) // as they are in the stream

	r.running.kill()
	must(t, s.js.DeleteConsumer(t.Context(), stream.Name, name(t, s)))
	s.purge("orders.row.3")
	r.start()
	r.shows("without its consumer", is, `orders 2 {"a":"twice"}`)

	s.put("orders.row.4", "e8", `{"after":{"a":5}}`)
	s.put("orders.schema", "e9", `{"revision":2,"reset":true,"schema":{}}`)
	s.put("orders.row.4", "e10", `{"after":{}}`)
	r.shows("a reset", is, `orders 4 {}`)

	s.put("orders.status", "e11", `{"state":"suspended","epoch":"y","completeTo":null,"nextBefore":null}`)
	r.shows("withdrawn", "orders suspended not complete")
	s.purge("orders.row.*")
	s.put("orders.row.5", "e12", `{"after":{"a":9007199254740993}}`)
	live("y", "e13")
	r.shows("back again", is, `orders 5 {"a":9007199254740993}`)

	s.put("orders.status", "e14", `{"state":"live","epoch":"y","completeTo":{"version":7},"nextBefore":"2026-11-20T10:20:00.5Z"}`)
	r.running.warns("overdue", "orders is stale")
	r.shows("overdue", "orders stale complete to version 7", `orders 5 {"a":9007199254740993}`)
	s.put("orders.status", "e15", `{"state":"ended","epoch":"y","completeTo":null,"nextBefore":null}`)
	r.shows("ended", "orders ended not complete")
}

// name is the name of the only consumer.
func name(t *testing.T, s *side) string {
	t.Helper()
	for c := range consumers(t, s.js) {
		return c.Name
	}
	t.Fatal("the copy has no consumer")
	return ""
}
