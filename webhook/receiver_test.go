package webhook_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// contractCodes are all that may be answered on the path of callbacks.
var contractCodes = []int{200, 400, 401, 403, 405, 413, 503}

func TestReceiver(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	rows := map[int64]inbox.Row{71: {}}
	hint := inbox.Hint{Why: inbox.WhyCallback, Rows: rows}
	whole := inbox.Hint{Why: inbox.WhyCallback, Whole: true, Full: true}
	looked := inbox.Hint{Why: inbox.WhyCallback, Whole: true, Webhook: true}
	id := fmt.Sprint(webhookID)
	d := newDesk(t, webhooktest.Options{Limit: limit})
	for name, tt := range map[string]struct {
		request func(*desk) *http.Request
		status  int
		hint    *inbox.Hint // stored
	}{
		"row updated":                   {post(event(rowUpdated)), 200, &hint},
		"sheet updated alone":           {post(event(`{"objectType":"sheet","eventType":"updated","id":7}`)), 200, &inbox.Hint{Why: inbox.WhyCallback, Whole: true}},
		"no events":                     {post(event("")), 200, nil},
		"status change":                 {post(`{"webhookId":` + id + `,"newWebhookStatus":"DISABLED_SCOPE_INACCESSIBLE"}`), 200, &looked},
		"status change misspelt":        {post(`{"webhookId":` + id + `,"newWebHookStatus":"ENABLED"}`), 200, &looked},
		"plan scope":                    {post(`{"webhookId":` + id + `,"scope":"plan","events":[{"objectType":"user","eventType":"updated","id":1}]}`), 200, &whole},
		"id in a string":                {post(`{"webhookId":"` + id + `","events":[` + rowUpdated + `]}`), 200, &hint},
		"GET":                           {method("GET"), 405, nil},
		"HEAD":                          {method("HEAD"), 405, nil},
		"PUT":                           {method("PUT"), 405, nil},
		"OPTIONS":                       {method("OPTIONS"), 405, nil},
		"DELETE":                        {method("DELETE"), 405, nil},
		"PROPFIND":                      {method("PROPFIND"), 405, nil},
		"a method of no standard":       {method("CALL"), 405, nil},
		"no key":                        {to("/callbacks/"), 403, nil},
		"no slash":                      {to("/callbacks"), 403, nil},
		"below the key":                 {to("/callbacks/{key}/x"), 403, nil},
		"slash after the key":           {to("/callbacks/{key}/"), 403, nil},
		"another path":                  {to("/callbacks/x/y/z"), 403, nil},
		"dots":                          {to("/callbacks/../callbacks/{key}"), 403, nil},
		"challenge":                     {challenge("c-1", `{"challenge":"c-1","webhookId":`+id+`}`), 200, nil},
		"challenge of another webhook":  {challenge("c-1", `{"challenge":"c-1","webhookId":5}`), 403, nil},
		"challenge without header":      {challenge("", `{"challenge":"c-1","webhookId":`+id+`}`), 401, nil},
		"challenge with another header": {challenge("c-2", `{"challenge":"c-1","webhookId":`+id+`}`), 401, nil},
		"challenge with more":           {challenge("c-1", `{"challenge":"c-1","webhookId":`+id+`,"events":[]}`), 401, nil},
		"challenge twice":               {challenge("c-1", `{"challenge":"c-1","challenge":"c-1","webhookId":`+id+`,"x":1}`), 401, nil},
		"no signature":                  {signedWith(secret, event(rowUpdated), func(string) string { return "" }), 401, nil},
		"wrong signature":               {signedWith("wrong", event(rowUpdated), same), 401, nil},
		"signature of another body":     {signedWith(secret, event(rowUpdated), func(string) string { return smartsheet.Sign(secret, nil) }), 401, nil},
		"truncated signature":           {signedWith(secret, event(rowUpdated), func(s string) string { return s[:32] }), 401, nil},
		"signature in base64":           {signedWith(secret, event(rowUpdated), func(s string) string { return "q83vEjRWeJA=" }), 401, nil},
		"signature in upper case":       {signedWith(secret, event(rowUpdated), strings.ToUpper), 200, &hint},
		"old secret":                    {signedWith(oldSecret, event(rowUpdated), same), 200, &hint},
		"not JSON":                      {post("events"), 400, nil},
		"an array":                      {post("[]"), 400, nil},
		"empty body":                    {post(""), 400, nil},
		"broken JSON":                   {post(event(rowUpdated)[:40]), 400, nil},
		"invalid UTF-8":                 {post(event("{\"objectType\":\"row\",\"eventType\":\"upd\xff\",\"id\":71}")), 200, &hint},
		"another webhook":               {post(`{"webhookId":5,"events":[` + rowUpdated + `]}`), 403, nil},
		"no webhook":                    {post(`{"events":[` + rowUpdated + `]}`), 403, nil},
		"something odd in it":           {post(event(`{"objectType":"row","eventType":"updated","id":{}}`)), 200, &whole},
		"Content-Length over the limit": {post(event(strings.Repeat(" ", limit))), 413, &whole},
		"chunked over the limit": {func(d *desk) *http.Request {
			r := d.request(event(strings.Repeat(" ", limit)))
			r.ContentLength = -1
			return r
		}, 413, &whole},
		"chunked": {func(d *desk) *http.Request {
			r := d.request(event(rowUpdated))
			r.ContentLength = -1
			return r
		}, 200, &hint},
		"gzip": {func(d *desk) *http.Request {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = io.WriteString(z, event(rowUpdated))
			_ = z.Close()
			r := d.request(b.String())
			r.Header.Set("Content-Encoding", "gzip")
			return r
		}, 400, nil},
		"the body ends early": {func(d *desk) *http.Request {
			r := d.request(event(rowUpdated))
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), brokenReader{}))
			return r
		}, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d.stores(t, d.answer(tt.request(d)), tt.status, tt.hint)
		})
	}
	if got := d.answer(post(event(rowUpdated))(d)).Body.Len(); got != 0 {
		t.Errorf("got a body of %d bytes with the 200, want none", got)
	}
}

// stores checks an answer and what was stored before it.
func (d *desk) stores(t *testing.T, got *httptest.ResponseRecorder, status int, hint *inbox.Hint) {
	t.Helper()
	if got.Code != status {
		t.Errorf("got %d %s, want %d", got.Code, got.Body, status)
	}
	if !slices.Contains(contractCodes, got.Code) {
		t.Errorf("got %d, which is not in the contract", got.Code)
	}
	if allow := got.Header().Get("Allow"); status == 405 && allow != "POST" {
		t.Errorf("got Allow: %q with the 405, want POST (RFC 9110)", allow)
	}
	var want []inbox.Hint
	if hint != nil {
		stored := *hint
		stored.Registration = d.reg.ID
		want = append(want, stored)
	}
	if diff := cmp.Diff(want, d.hints()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
