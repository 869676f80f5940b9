package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestChallengeIsAnsweredBothWays(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	got := d.answer(challenge("c-1", fmt.Sprintf(`{"challenge":"c-1","webhookId":%d}`, webhookID))(d))
	if header, body := got.Header().Get(smartsheet.HeaderChallengeResponse), strings.TrimSpace(got.Body.String()); header != "c-1" || body != `{"smartsheetHookResponse":"c-1"}` {
		t.Errorf("got header %q and body %s, want the challenge in both", header, body)
	}
}

func TestSignatureWithoutLeadingZeros(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	for i := range 200 {
		body := event(fmt.Sprintf(`{"objectType":"row","eventType":"updated","id":%d}`, i+1))
		signature := smartsheet.Sign(secret, []byte(body))
		if !strings.HasPrefix(signature, "0") {
			continue
		}
		if got := d.answer(signedWith(secret, body, func(s string) string { return strings.TrimLeft(s, "0") })(d)).Code; got != 200 {
			t.Errorf("got %d for signature %s without its zeros, want 200", got, signature)
		}
		return
	}
	t.Fatal("none of 200 signatures begins with a zero")
}

func TestOldSecretAfterItsTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	_, err := d.Registry.UpdateRegistration(t.Context(), d.reg.ID, func(r *registry.Registration) error {
		r.OldUntil = time.Now().Add(-time.Second)
		return nil
	})
	webhooktest.Must(t, err)
	d.stores(t, d.answer(signedWith(oldSecret, event(rowUpdated), same)(d)), 401, nil)
}

// TestReplicaThatLags has another replica change a registration, which the
// receiver's own memory does not know yet.
func TestReplicaThatLags(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	log := slog.New(slog.DiscardHandler)
	lagging, err := registry.Open(ctx, d.Broker.Bridge(), d.Opts.Master, 1, log)
	webhooktest.Must(t, err)
	done := make(chan struct{})
	go func() { _ = lagging.Run(ctx); close(done) }()
	<-lagging.Loaded()
	cancel() // it follows no more
	<-done
	other := &webhook.Receiver{Registry: lagging, Inbox: d.Inbox, Limit: 1 << 20, Log: log}
	d.handler = other.Handler()
	webhooktest.Must(t, err)
	_, err = d.Registry.UpdateRegistration(t.Context(), d.reg.ID, func(r *registry.Registration) error {
		r.WebhookID++
		r.OldSecret, r.Secret = nil, d.Sealed("brand-new-secret", r.SealName("secret"))
		return nil
	})
	webhooktest.Must(t, err)
	if got := d.answer(challenge("c", fmt.Sprintf(`{"challenge":"c","webhookId":%d}`, webhookID+1))(d)).Code; got != 200 {
		t.Errorf("got %d for a challenge to a webhook made a moment ago, want 200", got)
	}
	body := fmt.Sprintf(`{"webhookId":%d,"events":[%s]}`, webhookID+1, rowUpdated)
	if got := d.answer(signedWith("brand-new-secret", body, same)(d)).Code; got != 200 {
		t.Errorf("got %d for a callback signed with a new secret, want 200", got)
	}
	made, err := d.Registry.NewRegistration("ops", 8)
	webhooktest.Must(t, err)
	made.WebhookID = 5
	webhooktest.Must(t, d.Registry.CreateRegistration(t.Context(), made))
	r := challenge("c", `{"challenge":"c","webhookId":5}`)(d)
	r.URL.Path = registry.CallbackPath + string(made.CallbackKey())
	if got := d.answer(r).Code; got != 200 {
		t.Errorf("got %d for a key made a moment ago, want 200", got)
	}
}

func TestReceiverWithoutRegistry(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	empty, err := registry.Open(t.Context(), d.Broker.Bridge(), d.Opts.Master, 1, slog.New(slog.DiscardHandler))
	webhooktest.Must(t, err)
	starting := &webhook.Receiver{Registry: empty, Inbox: d.Inbox, Limit: 1 << 20, Log: slog.New(slog.DiscardHandler)}
	d.handler = starting.Handler()
	for _, m := range []string{"POST", "GET"} {
		if got := d.answer(method(m)(d)).Code; got != 503 {
			t.Errorf("got %d for %s before the registry is loaded, want 503", got, m)
		}
	}
}

func TestReceiverWithoutNATS(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	d.Broker.Bridge().Close()
	for name, request := range map[string]*http.Request{
		"signed":      d.request(event(rowUpdated)),
		"too large":   d.request(event(strings.Repeat(" ", 2<<20))),
		"unknown key": httptest.NewRequest("POST", strings.Replace(d.path(), d.reg.ID, "00000000-0000-5000-8000-000000000000", 1), nil),
	} {
		if got := d.answer(request).Code; got != 503 {
			t.Errorf("%s: got %d while nothing can be stored, want 503", name, got)
		}
	}
}

// TestGuessesAreBounded: keys that nobody knows keep no callback waiting, and
// are not looked up without end.
func TestGuessesAreBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	rc := &webhook.Receiver{Registry: d.Registry, Inbox: d.Inbox, Limit: 1 << 20, Log: slog.New(slog.DiscardHandler)}
	rc.SetTimeouts(time.Minute, 10*time.Millisecond)
	d.handler = rc.Handler()
	unknown := strings.Replace(d.path(), d.reg.ID, "00000000-0000-5000-8000-000000000000", 1)
	if got := d.answer(httptest.NewRequest("POST", unknown, nil)).Code; got != 403 {
		t.Errorf("unknown key: got %d, want 403", got)
	}
	rc.HoldLookups()
	if got := d.answer(httptest.NewRequest("POST", unknown, nil)).Code; got != 503 {
		t.Errorf("unknown key among too many: got %d, want 503", got)
	}
	if got := d.answer(d.request(event(rowUpdated))).Code; got != 200 {
		t.Errorf("callback among them: got %d, want 200", got)
	}
}

func TestReceiverPanics(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	var answers []webhook.Answer
	rc := &webhook.Receiver{Limit: 1, Log: slog.New(slog.NewTextHandler(&lines, nil)), Observe: func(a webhook.Answer) { answers = append(answers, a) }}
	w := httptest.NewRecorder()
	rc.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/callbacks/x", nil)) // it has no registry
	if w.Code != 503 || len(answers) != 1 || answers[0].Status != 503 {
		t.Errorf("got %d and %v observed after a panic, want 503", w.Code, answers)
	}
	if n := strings.Count(lines.String(), "status="); n != 1 || !strings.Contains(lines.String(), "status=503") || !strings.Contains(lines.String(), "level=ERROR") {
		t.Errorf("got log %s, want one line that says 503", &lines)
	}
}

func TestTenThousandEvents(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{Limit: 16 << 20})
	for name, agent := range map[string]string{"plain": "", "each with an agent": `,"changeAgent":"` + strings.Repeat("a", 500) + `"`} {
		var list []string
		for i := range 10_000 {
			list = append(list, fmt.Sprintf(`{"objectType":"row","eventType":"updated","id":%d%s}`, i+1, agent))
		}
		if got := d.answer(d.request(event(strings.Join(list, ",")))).Code; got != 200 {
			t.Errorf("%s: got %d, want 200", name, got)
		}
		hints := d.hints()
		if len(hints) != 1 || !hints[0].Whole {
			t.Fatalf("%s: got %d hints, want one that says the whole sheet", name, len(hints))
		}
		text, err := json.Marshal(hints[0])
		webhooktest.Must(t, err)
		if len(text) > 256<<10 {
			t.Errorf("%s: got a hint of %d bytes, want a bounded one", name, len(text))
		}
	}
}

// TestCapturedCallbacks sends what Smartsheet sent, signed again.
func TestCapturedCallbacks(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	files, err := filepath.Glob("../smartsheet/testdata/callbacks/*.json")
	webhooktest.Must(t, err)
	if len(files) < 5 {
		t.Fatalf("got %d files, want all captured callbacks", len(files))
	}
	for _, file := range files {
		if strings.Contains(file, "headers") || strings.Contains(file, "verification") {
			continue // the one is no body, the other needs its header
		}
		body, err := os.ReadFile(file)
		webhooktest.Must(t, err)
		var of struct {
			WebhookID int64 `json:"webhookId"`
		}
		webhooktest.Must(t, json.Unmarshal(body, &of))
		_, err = d.Registry.UpdateRegistration(t.Context(), d.reg.ID, func(r *registry.Registration) error {
			r.WebhookID = of.WebhookID
			return nil
		})
		webhooktest.Must(t, err)
		if got := d.answer(d.request(string(body))).Code; got != 200 {
			t.Errorf("%s: got %d, want 200", file, got)
		}
		if got := len(d.hints()); got != 1 {
			t.Errorf("%s: got %d hints, want 1", file, got)
		}
	}
}

func TestWrongSignaturesAreTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	var told []string
	d.Receiver.BadSignature = func(_ context.Context, id string) { told = append(told, id) }
	d.answer(signedWith("wrong", event(rowUpdated), same)(d))
	d.answer(signedWith(secret, event(rowUpdated), func(string) string { return "" })(d))
	d.answer(d.request(event(rowUpdated)))
	if diff := cmp.Diff([]string{d.reg.ID}, told); diff != "" {
		t.Errorf("told of wrong signatures (-want +got):\n%s", diff)
	}
}

func FuzzCallback(f *testing.F) {
	d := newDesk(f, webhooktest.Options{Limit: 4 << 10, Log: slog.DiscardHandler})
	for _, body := range []string{event(rowUpdated), "", "{", "[]", `{"challenge":"c-1","webhookId":8444254503626628}`, event(`{"objectType":1,"id":"x"},null,7`)} {
		f.Add(body, "", "c-1", "POST", true)
		f.Add(body, "00ff", "", "GET", false)
	}
	f.Fuzz(func(t *testing.T, body, signature, challenge, method string, sign bool) {
		r := httptest.NewRequest(http.MethodPost, d.path(), strings.NewReader(body))
		r.Method = method
		r.Header[smartsheet.HeaderChallenge] = []string{challenge}
		r.Header.Set(smartsheet.HeaderSignature, signature)
		if sign {
			r.Header.Set(smartsheet.HeaderSignature, smartsheet.Sign(secret, []byte(body)))
		}
		if got := d.answer(r).Code; !slices.Contains(contractCodes, got) || got == 503 {
			t.Errorf("got %d, want a code of the contract", got)
		}
	})
}
