package admin_test

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// open asks the public listener, as a browser with an address does.
func (w *world) open(method, url, body string, header ...string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	must(w.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return reply{t: w.t, status: resp.StatusCode, header: resp.Header, text: string(text)}
}

const (
	invitationsOfAcme = "/v1/partners/acme/invitations"
	formType          = "application/x-www-form-urlencoded"
)

func (w *world) invite(body string) (url, id string) {
	w.t.Helper()
	made := w.ok(201, "POST", invitationsOfAcme, body)
	return made.text1("url"), made.text1("id")
}

// TestInvitation: a browser that opens the page takes nothing, however often; the button
// gives credentials once.
func TestInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	w.ok(201, "POST", "/v1/webhooks", w.request(
		`{"partner":"acme","sheet":"orders","columns":[{"title":"No"},{"title":"Status","as":"state","mask":"hash"}],"where":"state != 'planted-value' && cells[\"Margin\"] != 'x'"}`))
	url, id := w.invite(`{"name":"erp"}`)
	token := filepath.Base(url)
	if !strings.HasPrefix(url, w.public+"/join/") || len(token) < 40 {
		t.Fatalf("got %s, want an address with an unguessable end", url)
	}
	for range 5 { // mail scanners
		for _, method := range []string{"GET", "HEAD"} {
			if r := w.open(method, url, ""); r.status != 200 {
				t.Fatalf("%s: got %d %s", method, r.status, r.text)
			}
		}
	}
	page := w.open("GET", url, "")
	for _, want := range []string{"acme", "orders", "no, state (as a hash)", "by state, what is not shared", w.broker.URL(), "a year", "method=\"post\"", "smartsheet.acme.&gt;"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page lacks %q:\n%s", want, page.text)
		}
	}
	for _, not := range []string{token, "planted", "Margin", "<script", "src=", "jane"} {
		if strings.Contains(page.text, not) {
			t.Errorf("the page has %q", not)
		}
	}
	short := w.open("GET", url, "", "Accept", "application/json")
	if short.status != 200 || !strings.HasPrefix(short.text, `{"partner":"acme","name":"erp","openUntil":"2`) || short.header.Get("Cache-Control") != "no-store" || strings.Contains(short.text, token) {
		t.Errorf("got %d %s, want for a program whose invitation it is and until when", short.status, short.text)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	listed := w.ok(200, "GET", invitationsOfAcme, "")
	if listed.text1("items", 0, "state") != "open" || listed.text1("items", 0, "id") != id || strings.Contains(listed.text, token) {
		t.Errorf("got %s, want it open, without its address", listed.text)
	}
	taken := w.open("POST", url, "", "Content-Type", formType)
	if got := taken.header.Get("Content-Disposition"); taken.status != 200 || got != `attachment; filename=acme-erp.creds` {
		t.Fatalf("got %d, %q, want a file", taken.status, got)
	}
	w.connected(taken.text)
	listed = w.ok(200, "GET", invitationsOfAcme, "")
	if listed.text1("items", 0, "state") != "used" || listed.text1("items", 0, "usedAt") == "" {
		t.Errorf("got %s, want it used", listed.text)
	}
	if again := w.open("POST", url, "", "Content-Type", formType); again.status != 404 {
		t.Errorf("got %d at the second use, want 404", again.status)
	}
	w.silent(token, seedOf(taken.text))
}

// TestInvitationWithoutAForm: an empty request of no kind is the form.
func TestInvitationWithoutAForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	url, _ := w.invite(`{"name":"erp"}`)
	if r := w.open("POST", url, "x"); r.status != 415 {
		t.Errorf("got %d for a body of no kind, want 415", r.status)
	}
	taken := w.open("POST", url, "")
	if taken.status != 200 {
		t.Fatalf("got %d %s, want the file", taken.status, taken.text)
	}
	w.connected(taken.text)
}

// TestBadInvitations: nobody learns from an answer what became of an invitation.
func TestBadInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	used, _ := w.invite(`{"name":"used"}`)
	if r := w.open("POST", used, "", "Content-Type", formType); r.status != 200 {
		t.Fatalf("got %d", r.status)
	}
	withdrawn, id := w.invite(`{"name":"withdrawn"}`)
	w.ok(204, "DELETE", invitationsOfAcme+"/"+id, "")
	w.refused(404, "", "invitations lists them", "DELETE", invitationsOfAcme+"/"+id, "")
	expired, _ := w.invite(`{"name":"expired"}`)
	must(t, w.registry.UpdatePartner(t.Context(), "acme", func(p *registry.Partner) error {
		i := slices.IndexFunc(p.Invitations, func(v registry.Invitation) bool { return v.Credentials == "expired" })
		p.Invitations[i].ExpiresAt = time.Now().Add(-time.Second)
		return nil
	}))
	unknown := w.public + "/join/" + strings.Repeat("A", 43)
	for _, kind := range []string{"", formType, "application/json"} {
		method, body := "POST", `{"publicKey":"x"}`
		if kind == "" {
			method, body = "GET", ""
		}
		want := w.open(method, unknown, body, "Content-Type", kind)
		if want.status != 404 {
			t.Fatalf("got %d, want 404", want.status)
		}
		for name, url := range map[string]string{"used": used, "withdrawn": withdrawn, "expired": expired, "none": w.public + "/join/"} {
			if got := w.open(method, url, body, "Content-Type", kind); got.status != 404 || got.text != want.text || got.header.Get("Content-Type") != want.header.Get("Content-Type") {
				t.Errorf("%s by %s: got %d %s, want what an unknown one gets", name, kind, got.status, got.text)
			}
		}
	}
	good, _ := w.invite(`{"name":"good"}`)
	var limited bool
	for range 40 {
		limited = limited || w.open("GET", unknown, "").status == 429
	}
	if !limited {
		t.Error("got no 429 for many wrong tokens of one address")
	}
	if r := w.open("GET", good, ""); r.status != 200 {
		t.Errorf("got %d for a right token from an address that tried wrong ones, want 200", r.status)
	}
	if r := w.open("DELETE", good, ""); r.status != 405 {
		t.Errorf("got %d, want 405", r.status)
	}
	w.refused(422, "body.expiresAt", "90 days", "POST", invitationsOfAcme, `{"name":"erp","expiresAt":"2001-01-01T00:00:00Z"}`)
	w.refused(422, "body.expiresAt", "90 days", "POST", invitationsOfAcme, `{"name":"erp","expiresAt":"2999-01-01T00:00:00Z"}`)
	w.refused(404, "", "no partner", "POST", "/v1/partners/nobody/invitations", `{"name":"erp"}`)
	w.refused(422, "body.name", "is required", "POST", invitationsOfAcme, `{}`)
}

// TestInvitationWithAKey: the partner sends the public half of its key, and gets no
// secret. What is wrong with the request uses nothing up.
func TestInvitationWithAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	old := w.ok(201, "POST", "/v1/partners/acme/credentials", `{"name":"erp"}`).text1("credentials")
	url, _ := w.invite(`{"name":"erp"}`)
	for body, status := range map[string]int{`{"publicKey":"nonsense"}`: 422, `{}`: 422, `{`: 422, strings.Repeat(" ", 5000): 413} {
		if r := w.open("POST", url, body, "Content-Type", "application/json"); r.status != status || !strings.Contains(r.header.Get("Content-Type"), "problem+json") {
			t.Errorf("got %d %s for %.20q, want problem %d", r.status, r.text, body, status)
		}
	}
	if r := w.open("POST", url, "x", "Content-Type", "text/plain"); r.status != 415 {
		t.Errorf("got %d, want 415", r.status)
	}
	kp, err := nkeys.CreateUser()
	must(t, err)
	public, err := kp.PublicKey()
	must(t, err)
	seed, err := kp.Seed()
	must(t, err)
	var won []reply
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 { // at once; one of them gets it
		all.Go(func() {
			r := w.open("POST", url, `{"publicKey":"`+public+`"}`, "Content-Type", "application/json; charset=utf-8")
			mu.Lock()
			defer mu.Unlock()
			if r.status == 200 {
				won = append(won, r)
			} else if r.status != 404 {
				t.Errorf("got %d %s, want 404", r.status, r.text)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("got %d that used one invitation, want 1", len(won))
	}
	must(t, jsonInto(&won[0]))
	for field, want := range map[string]string{"partner": "acme", "name": "erp", "url": w.broker.URL(), "stream": "EVENTS", "subjects": "smartsheet.acme.>"} {
		if got := won[0].text1(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
	creds, err := jwt.FormatUserConfig(won[0].text1("jwt"), seed)
	must(t, err)
	w.connected(string(creds))
	w.connected(old) // has a day to be replaced
}

// TestInvitationNeedsAnAddress: without PUBLIC_URL there is nothing to open.
func TestInvitationNeedsAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	w.partner("acme")
	w.refused(409, "", "SHEETBRIDGE_PUBLIC_URL", "POST", invitationsOfAcme, `{"name":"erp"}`)
	if r := w.ok(200, "GET", invitationsOfAcme, ""); len(r.at("items").([]any)) != 0 {
		t.Errorf("got %s, want none", r.text)
	}
}
