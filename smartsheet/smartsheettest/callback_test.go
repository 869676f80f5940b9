package smartsheettest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEventsOfChanges(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	w.hook(r, "")
	by := w.srv.As(w.jane)
	sheet, one, two := w.sheet.ID, w.sheet.Rows[0], w.sheet.Rows[1]
	var column, attached, discussion, comment, second int64
	for _, step := range []struct {
		name string
		do   func() error
		want string // of events, after sheet.updated
	}{
		{"add", func() error { _, err := by.AddRows(sheet, Row{Cells: Cells{"Task": "x", "Price": 1}}); return err }, "row.created cell.updated cell.updated"},
		{"fill, change, clear", func() error {
			return by.UpdateRows(sheet, Row{ID: two, Cells: Cells{"Tags": []string{"A"}, "Task": "y", "Price": nil}})
		}, "row.updated cell.updated cell.deleted cell.created"},
		{"same value", func() error { return by.UpdateRows(sheet, Row{ID: two, Cells: Cells{"Task": "y"}}) }, "row.updated"},
		{"move", func() error { return by.UpdateRows(sheet, Row{ID: two, ToTop: true}) }, "row.updated"},
		{"delete", func() error { return by.DeleteRows(sheet, two) }, "row.deleted"},
		{"column", func() (err error) { column, err = by.AddColumn(sheet, Column{Title: "New"}); return err }, "column.created"},
		{"rename", func() error { return by.RenameColumn(sheet, column, "Newer") }, "column.updated"},
		{"drop", func() error { return by.DeleteColumn(sheet, column) }, "column.deleted"},
		{"attach", func() (err error) { attached, err = by.AttachLink(sheet, one, "n", "https://x.example"); return err }, "attachment.created"},
		{"detach", func() error { return by.DeleteAttachment(sheet, attached) }, "attachment.deleted"},
		{"discuss", func() (err error) { discussion, comment, err = by.Discuss(sheet, one, "hi"); return err }, "discussion.created comment.created"},
		{"comment", func() (err error) { second, err = by.Comment(sheet, discussion, "more"); return err }, "comment.created discussion.updated"},
		{"edit comment", func() error { return by.EditComment(sheet, second, "less") }, "comment.updated"},
		{"delete comment", func() error { return by.DeleteComment(sheet, comment) }, "comment.deleted"},
		{"delete discussion", func() error { return by.DeleteDiscussion(sheet, discussion) }, "comment.deleted discussion.deleted"},
		{"rename sheet", func() error { return by.RenameSheet(sheet, "Else") }, ""},
		{"silently", func() error { return w.srv.SetCellSilently(sheet, one, "Task", "quiet") }, "none"},
	} {
		n := len(r.all())
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		w.wait()
		all := r.all()
		if step.want == "none" {
			if len(all) != n {
				t.Errorf("%s: got a callback, want none", step.name)
			}
			continue
		}
		if len(all) != n+1 {
			t.Fatalf("%s: got %d callbacks, want 1", step.name, len(all)-n)
		}
		want := strings.TrimSpace("sheet.updated " + step.want)
		if got := strings.Join(all[n].names(), " "); got != want {
			t.Errorf("%s: got %s, want %s", step.name, got, want)
		}
	}
}

func TestEventBody(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 4, 987654321, time.UTC)
	w := newWorld(t, quick, func(s *Server) {
		s.LargeIDs = false
		s.Clock = func() time.Time { return at }
	})
	r := newReceiver(t)
	w.hook(r, "")
	agent := strings.Repeat("x", 510) + ",erp"
	if err := w.srv.As(w.jane).WithAgent(agent).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Task": "new"}}); err != nil {
		t.Fatal(err)
	}
	w.wait()
	got := r.all()[0]
	event := func(kind, what string, ids map[string]any) map[string]any {
		out := map[string]any{
			"objectType": kind, "eventType": what, "userId": float64(w.jane.ID), "timestamp": "2026-11-20T10:00:04.000+00:00", "changeAgent": agent[2:],
		}
		for name, id := range ids {
			out[name] = id
		}
		return out
	}
	want := []map[string]any{
		event("sheet", "updated", map[string]any{"id": float64(w.sheet.ID)}),
		event("row", "updated", map[string]any{"id": float64(w.sheet.Rows[0])}),
		event("cell", "updated", map[string]any{"rowId": float64(w.sheet.Rows[0]), "columnId": float64(w.col("Task"))}),
	}
	if diff := cmp.Diff(want, got.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got.Scope != "sheet" || got.ScopeObjectID != w.sheet.ID || got.Nonce == "" || got.Timestamp != "2026-11-20T10:00:04.000+00:00" {
		t.Errorf("envelope: got %s", got.text)
	}
	if !signed(got, w.srv.WebhookSecret(got.WebhookID)) || len(got.signature) != 64 {
		t.Errorf("signature: got %q", got.signature)
	}
	if strings.Contains(got.text, "new\"") {
		t.Errorf("got a value in %s", got.text)
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t, quick)
	scoped, filtered, plain := newReceiver(t), newReceiver(t), newReceiver(t)
	w.hook(plain, "")
	w.hook(scoped, fmt.Sprintf(`,"subscope":{"columnIds":[%d]}`, w.col("Price")))
	path := w.hook(filtered, "")
	w.api.ok("PUT", path, `{"events":["row.deleted","comment.*"]}`)
	by := w.srv.As(w.jane)
	for _, do := range []func() error{
		func() error {
			return by.UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Task": "t"}})
		},
		func() error {
			return by.UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Price": 5, "Task": "u"}})
		},
		func() error { return by.RenameColumn(w.sheet.ID, w.col("Due"), "Due Date") },
		func() error { return by.RenameColumn(w.sheet.ID, w.col("Price"), "Cost") },
		func() error { return by.DeleteRows(w.sheet.ID, w.sheet.Rows[1]) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		w.wait()
	}
	names := func(r *receiver) (out []string) {
		for _, cb := range r.all() {
			out = append(out, strings.Join(cb.names(), " "))
		}
		return out
	}
	if diff := cmp.Diff([]string{"cell.updated", "column.updated", "row.deleted"}, names(scoped)); diff != "" {
		t.Errorf("subscope (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"row.deleted"}, names(filtered)); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
	if len(plain.all()) != 5 {
		t.Errorf("got %d callbacks without filter, want 5", len(plain.all()))
	}
}

func TestOneCallbackAtATime(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	w.hook(r, "")
	gate := make(chan struct{})
	r.set(func(r *receiver) { r.gate = gate })
	by := w.srv.As(w.jane)
	for i := range 20 {
		if err := by.UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Task": fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	w.wait()
	events := 0
	for _, cb := range r.all() {
		events += len(cb.Events)
	}
	if r.most != 1 || events != 60 {
		t.Errorf("got %d at once and %d events, want 1 and 60", r.most, events)
	}
}

func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answers  []int
		attempts int
		status   string
	}{
		"200":               {nil, 1, "ENABLED"},
		"201":               {[]int{201}, 1, "DISABLED_CALLBACK_FAILED"},
		"204":               {[]int{204}, 1, "DISABLED_CALLBACK_FAILED"},
		"302":               {[]int{302}, 1, "DISABLED_CALLBACK_FAILED"},
		"399":               {[]int{399}, 1, "DISABLED_CALLBACK_FAILED"},
		"410":               {[]int{410}, 1, "DISABLED_CALLBACK_FAILED"},
		"401 then 200":      {[]int{401}, 2, "ENABLED"},
		"503 twice":         {[]int{503, 500}, 3, "ENABLED"},
		"503 thirteen":      {repeat(503, 13), 14, "ENABLED"},
		"503 fourteen":      {repeat(503, 14), 15, "ENABLED"},
		"503 fifteen times": {repeat(503, 15), 15, "DISABLED_CALLBACK_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, quick)
			r := newReceiver(t)
			path := w.hook(r, "")
			r.set(func(r *receiver) { r.answers = tt.answers })
			w.edit("x")
			all := r.all()
			if len(all) != tt.attempts || w.hookStatus(path) != tt.status {
				t.Errorf("got %d attempts and %s, want %d and %s", len(all), w.hookStatus(path), tt.attempts, tt.status)
			}
			for _, cb := range all {
				if cb.text != all[0].text || cb.signature != all[0].signature {
					t.Error("got another body in a retry, want the same")
				}
			}
			stats := w.api.ok("GET", path, "").body["stats"].(map[string]any)
			if fmt.Sprint(stats["lastCallbackAttemptRetryCount"]) != fmt.Sprint(tt.attempts-1) {
				t.Errorf("stats: got %v", stats)
			}
		})
	}
}

func repeat(status, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = status
	}
	return out
}

func TestTimeoutIsRetried(t *testing.T) {
	w := newWorld(t, quick, func(s *Server) { s.CallbackTimeout = 50 * time.Millisecond })
	r := newReceiver(t)
	path := w.hook(r, "")
	gate := make(chan struct{})
	r.set(func(r *receiver) { r.gate = gate })
	w.srv.SetCallbackFault(func(cb Callback) CallbackFault {
		if cb.Retry == 1 {
			close(gate)
		}
		return Deliver
	})
	if err := w.srv.As(w.jane).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Task": "x"}}); err != nil {
		t.Fatal(err)
	}
	w.wait()
	if got := w.hookStatus(path); got != "ENABLED" {
		t.Errorf("got %s, want ENABLED", got)
	}
	log := w.srv.Callbacks()
	if log[1].Status != 0 || log[1].Err == "" || log[len(log)-1].Status != http.StatusOK {
		t.Errorf("got %d callbacks, first %d %q", len(log), log[1].Status, log[1].Err)
	}
}

func TestCallbackFaults(t *testing.T) {
	w := newWorld(t, quick, func(s *Server) { s.FreshNonces = true })
	r := newReceiver(t)
	path := w.hook(r, "")
	use := func(f CallbackFault) {
		w.srv.SetCallbackFault(func(cb Callback) CallbackFault {
			if cb.Retry > 0 {
				return Deliver
			}
			return f
		})
	}
	for _, step := range []struct {
		fault CallbackFault
		want  int // callbacks received so far
	}{{Drop, 0}, {Duplicate, 2}, {Hold, 2}, {Deliver, 4}, {LoseAnswer, 6}, {Hold, 6}} {
		use(step.fault)
		w.edit(fmt.Sprint("fault ", step.fault, step.want))
		if got := len(r.all()); got != step.want {
			t.Errorf("fault %d: got %d callbacks, want %d", step.fault, got, step.want)
		}
	}
	w.srv.ReleaseHeld()
	all := r.all()
	if len(all) != 7 || all[0].text != all[1].text || all[2].Timestamp < all[3].Timestamp || all[4].Nonce == all[5].Nonce {
		t.Errorf("got %d callbacks, want 7: one twice, two swapped, one retried with another nonce", len(all))
	}
	if got := w.hookStatus(path); got != "ENABLED" {
		t.Errorf("got %s, want ENABLED", got)
	}
	log := w.srv.Callbacks()
	if got := w.srv.Replay(log[1]); got != http.StatusOK || r.all()[7].text != all[0].text {
		t.Errorf("replay: got %d", got)
	}
}

func TestDuplicatesAreCalledOnce(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	first, second := w.hook(r, ""), w.hook(r, "")
	w.hook(r, fmt.Sprintf(`,"subscope":{"columnIds":[%d]}`, w.col("Task")))
	w.edit("x")
	ids := map[string]int{}
	for _, cb := range r.all() {
		ids[fmt.Sprintf("/webhooks/%d", cb.WebhookID)]++
	}
	if len(ids) != 2 || ids[first] != 1 || ids[second] != 0 {
		t.Errorf("got %v, want the oldest and the one with a subscope", ids)
	}
	w.api.ok("PUT", first, `{"enabled":false}`)
	w.edit("y")
	all := r.all()
	if n := len(all); n != 4 || fmt.Sprintf("/webhooks/%d", all[2].WebhookID) != second && fmt.Sprintf("/webhooks/%d", all[3].WebhookID) != second {
		t.Errorf("got %d callbacks, want the second webhook to take over", n)
	}
}

func TestStrippedSignatures(t *testing.T) {
	w := newWorld(t, quick, func(s *Server) { s.StripSignatureZeros = true })
	r := newReceiver(t)
	w.hook(r, "")
	for i := range 200 {
		w.edit(fmt.Sprint(i))
	}
	short := 0
	for _, cb := range r.all() {
		if !signed(cb, w.srv.WebhookSecret(cb.WebhookID)) {
			t.Fatal("got a signature that does not match when padded")
		}
		if len(cb.signature) < 64 {
			short++
		}
	}
	if short == 0 {
		t.Error("got no shortened signature in 200, want about 12")
	}
}

func TestRevokedTokenDoesNotStopWebhooks(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	w.hook(r, "")
	w.srv.RevokeToken(w.api.token)
	w.edit("x")
	if got := len(r.all()); got != 1 {
		t.Errorf("got %d callbacks, want 1", got)
	}
	w.srv.DeactivateUser(w.jane)
	if got := w.srv.Webhooks()[0].Status; got != "DISABLED_ADMINISTRATIVE" {
		t.Errorf("deactivated user: got %s", got)
	}
}

func TestCloseEndsCallbacks(t *testing.T) {
	srv := &Server{AllowLoopbackHTTP: true, RetryBackoff: func(int) time.Duration { return time.Hour }}
	if _, err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	jane := srv.AddUser(User{Email: "j@a.example"})
	sheet, err := srv.AddSheet(SheetSpec{Name: "S", Owner: jane, Columns: []Column{{Title: "A"}}})
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t)
	var made result[identified]
	body := map[string]any{"name": "n", "callbackUrl": r.url, "scope": "sheet", "scopeObjectId": sheet.ID, "events": []string{"*.*"}, "version": 1}
	if err := srv.As(jane).Do("POST", "webhooks", body, &made); err != nil {
		t.Fatal(err)
	}
	if err := srv.As(jane).Do("PUT", fmt.Sprintf("webhooks/%d", made.Result.ID), map[string]any{"enabled": true}, nil); err != nil {
		t.Fatal(err)
	}
	r.set(func(r *receiver) { r.answers = repeat(503, 20) })
	if _, err := srv.As(jane).AddRows(sheet.ID, Row{}); err != nil {
		t.Fatal(err)
	}
	srv.Close()
	if err := srv.Wait(t.Context()); err != nil {
		t.Errorf("wait after close: %v", err)
	}
	if _, ok := srv.Snapshot(sheet.ID); !ok {
		t.Error("got no snapshot after close, want one")
	}
}
