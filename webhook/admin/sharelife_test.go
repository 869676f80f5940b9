package admin_test

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// message is one that stands in a partner's stream.
type message struct {
	subject string
	data    struct {
		Type string
		Data map[string]any
	}
}

// stream is all that stands in acme's stream, oldest first.
func (w *world) stream(js jetstream.JetStream) []message {
	w.t.Helper()
	st, err := js.Stream(w.t.Context(), "EVENTS")
	must(w.t, err)
	info, err := st.Info(w.t.Context())
	must(w.t, err)
	var all []message
	consumer, err := js.OrderedConsumer(w.t.Context(), "EVENTS", jetstream.OrderedConsumerConfig{})
	must(w.t, err)
	if info.State.Msgs == 0 {
		return nil
	}
	batch, err := consumer.Fetch(int(info.State.Msgs), jetstream.FetchMaxWait(10*time.Second))
	must(w.t, err)
	for m := range batch.Messages() {
		one := message{subject: m.Subject()}
		must(w.t, json.Unmarshal(m.Data(), &one.data))
		all = append(all, one)
	}
	must(w.t, batch.Error())
	return all
}

// about counts the messages about rows, and what hangs on them, by type.
func about(all []message, row int64) map[string]int {
	id, counts := strconv.FormatInt(row, 10), map[string]int{}
	for _, m := range all {
		text, _ := json.Marshal(m.data.Data)
		if strings.HasSuffix(m.subject, ".row."+id) || strings.Contains(string(text), `"rowId":"`+id+`"`) {
			counts[strings.TrimPrefix(m.data.Type, "sheetbridge.")]++
		}
	}
	return counts
}

func (w *world) reads(creds string) jetstream.JetStream {
	w.t.Helper()
	js, err := jetstream.New(w.connected(creds))
	must(w.t, err)
	return js
}

// TestShareEndsAtItsTime: the partner is told that a share has ended, and what it had
// is gone, without anybody doing anything.
func TestShareEndsAtItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	js := w.reads(w.partner("acme"))
	until := `"until":"2099-01-01T00:00:00Z"`
	id := w.ok(201, "POST", "/v1/webhooks", w.request(strings.Replace(share, `"columns"`, until+`,"columns"`, 1))).text1("id")
	w.settle()
	path := "/v1/webhooks/" + id + "/shares/acme/orders"
	if got := w.ok(200, "GET", "/v1/webhooks/"+id, "").text1("shares", 0, "until"); got != "2099-01-01T00:00:00Z" {
		t.Errorf("got until %s", got)
	}
	definition := `{"columns":[{"title":"No"},{"title":"Status","as":"state"}],"where":"state != 'Draft'"`
	changed := w.ok(200, "PUT", path, definition+`,"until":"2098-01-01T00:00:00Z"}`)
	if changed.text1("until") != "2098-01-01T00:00:00Z" || changed.at("revision") != 1.0 {
		t.Errorf("got %s, want another end and the same revision", changed.text)
	}
	if changed = w.ok(200, "PUT", path, definition+`}`); changed.at("until") != nil {
		t.Errorf("got %s, want no end", changed.text)
	}
	w.refused(422, "body.until", "in the past", "PUT", path, definition+`,"until":"2001-01-01T00:00:00Z"}`)
	w.refused(422, "body.shares[0].until", "in the past", "POST", "/v1/webhooks", w.request(`{"partner":"acme","sheet":"other","columns":[{"title":"No"}],"until":"2001-01-01T00:00:00Z"}`))
	_, err := w.registry.UpdateShare(t.Context(), "acme", "orders", func(s *registry.Share) error {
		over := time.Now().Add(-time.Second)
		s.Until = &over
		return nil
	})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.api.Registrar.RunUntil(ctx) })
	running.Go(func() { _ = w.api.Registrar.RunUntil(ctx) }) // another replica
	eventstest.Await(t, "the share is gone", func() bool { return w.registry.Share("acme", "orders") == nil })
	stop()
	running.Wait()
	w.settle()
	left := w.stream(js)
	if len(left) != 1 || left[0].data.Data["state"] != "ended" {
		t.Errorf("got %v, want one status that says ended", left)
	}
}

// TestShareMovesToAnotherOwner: a share goes on when its owner leaves, and nothing is
// sent twice.
func TestShareMovesToAnotherOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	js := w.reads(w.partner("acme"))
	id := w.registered()
	w.settle()
	joe := w.sim.AddUser(smartsheettest.User{Email: "joe@a.example", Name: "Joe"})
	token := w.sim.AddToken(joe)
	w.ok(201, "POST", "/v1/owners", `{"name":"joe","token":"`+token+`","region":"us"}`)
	path := "/v1/webhooks/" + id + "/shares/acme/orders"
	definition := `{"columns":[{"title":"No"},{"title":"Status","as":"state"}],"where":"state != 'Draft'"`
	w.refused(422, "body.owner", "shared with the owner", "PUT", path, definition+`,"owner":"joe"}`)
	w.refused(422, "body.owner", "no owner", "PUT", path, definition+`,"owner":"nobody"}`)
	if regs := w.registry.Registrations(); len(regs) != 1 {
		t.Fatalf("got %d registrations after a move that could not be, want 1", len(regs))
	}
	must(t, w.sim.As(w.jane).Share(w.sheet.ID, joe, "ADMIN"))
	before := w.stream(js)
	w.ok(200, "PUT", path, definition+`,"owner":"joe"}`)
	w.settle()
	if got := w.registry.Share("acme", "orders").Registration; got == id || w.registry.Registration(got).Owner != "joe" {
		t.Errorf("got registration %s, want joe's", got)
	}
	for _, m := range w.stream(js)[len(before):] {
		if m.data.Type != "sheetbridge.status.changed" || m.data.Data["state"] == "ended" || m.data.Data["state"] == "loading" {
			t.Errorf("got %s %v after the move, want nothing but that all is well", m.subject, m.data)
		}
	}
	w.ok(204, "DELETE", "/v1/webhooks/"+id, "") // jane's: nothing hangs on it any more
	w.ok(204, "DELETE", "/v1/owners/ops", "")
	must(t, w.sim.As(w.jane).UpdateRows(w.sheet.ID, smartsheettest.Row{ID: w.sheet.Rows[0], Cells: smartsheettest.Cells{"Status": "Done"}}))
	w.settle()
	after := w.stream(js)
	if got := about(after, w.sheet.Rows[0]); got["row.created"] != 1 || got["row.updated"] != 1 {
		t.Errorf("got %v, want the change once", got)
	}
	w.refused(404, "", "no webhook", "PUT", path, definition+`,"owner":"joe"}`)
}

// TestErase: a person's row goes with its history and what hangs on it, and stays
// away through reconciles, a resend and a changed share, until it changes.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	js := w.reads(w.partner("acme"))
	id := w.ok(201, "POST", "/v1/webhooks", w.request(
		`{"partner":"acme","sheet":"orders","columns":[{"title":"No"},{"title":"Status","as":"state"}],"kinds":["row","comment"]}`)).text1("id")
	w.settle()
	jane, row, other := w.sim.As(w.jane), w.sheet.Rows[0], w.sheet.Rows[1]
	must(t, jane.UpdateRows(w.sheet.ID, smartsheettest.Row{ID: row, Cells: smartsheettest.Cells{"Status": "Done"}}))
	for _, on := range []int64{row, other} {
		_, _, err := jane.Discuss(w.sheet.ID, on, "planted remark")
		must(t, err)
	}
	w.settle()
	if got := about(w.stream(js), row); got["row.created"] != 1 || got["row.updated"] != 1 || got["comment.created"] != 1 {
		t.Fatalf("got %v before", got)
	}
	path := "/v1/webhooks/" + id + "/shares/acme/orders"
	text := strconv.FormatInt(row, 10)
	w.refused(404, "", "has no row 123", "POST", path+"/erase", `{"row":"123"}`)
	w.refused(422, "body.row", "digits", "POST", path+"/erase", `{"row":"x"}`)
	away := func(when string) {
		t.Helper()
		w.settle()
		if got := about(w.stream(js), row); len(got) > 0 {
			t.Errorf("%s: got %v of an erased row, want nothing", when, got)
		}
	}
	w.ok(202, "POST", path+"/erase", `{"row":"`+text+`"}`)
	away("erased")
	if got := about(w.stream(js), other); got["row.created"] != 1 || got["comment.created"] != 1 {
		t.Errorf("got %v of another row, want it as it was", got)
	}
	w.ok(202, "POST", path+"/erase", `{"row":"`+text+`"}`) // again
	w.ok(202, "POST", "/v1/webhooks/"+id+"/reconcile", "")
	away("reconciled")
	w.ok(202, "POST", path+"/resend", "")
	away("sent again")
	stored := w.registry.Share("acme", "orders").Erased[text]
	if text, _ := json.Marshal(stored); strings.Contains(string(text), "Done") || stored.ModifiedAt == nil {
		t.Errorf("got %s, want no values", text)
	}
	must(t, jane.UpdateRows(w.sheet.ID, smartsheettest.Row{ID: row, Cells: smartsheettest.Cells{"Status": "New"}}))
	w.settle()
	if got := about(w.stream(js), row); got["row.created"] != 1 {
		t.Errorf("got %v once it was changed, want it back", got)
	}
	index := slices.IndexFunc(w.stream(js), func(m message) bool { return strings.HasSuffix(m.subject, text) })
	if m := w.stream(js)[index]; m.data.Data["before"] != nil {
		t.Errorf("got %v, want nothing of what it was", m.data)
	}
	w.ok(202, "POST", path+"/erase", `{"row":"`+text+`"}`)
	away("erased again")
	w.ok(200, "PUT", path, `{"columns":[{"title":"No"},{"title":"Status","as":"state"},{"title":"Due Date"}],"kinds":["row","comment"]}`)
	away("the share shows more")
}
