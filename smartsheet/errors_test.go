package smartsheet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The error bodies of the documented table, each sent with its status.
func TestDocumentedErrors(t *testing.T) {
	want := map[string]struct {
		class Class
		text  string
	}{
		"401-1001": {Refused, "401: 1001 An Access Token is required. (ref 123abc456def)"},
		"401-1002": {Refused, "401: 1002 Your Access Token is invalid. (ref 123abc456def)"},
		"401-1003": {Expired, "401: 1003 Your Access Token has expired. (ref 123abc456def)"},
		"403-1004": {Forbidden, "403: 1004 You are not authorized to perform this action. (ref 123abc456def)"},
		"404-1006": {NotFound, "404: 1006 Not Found (ref 123abc456def)"},
		"429-4003": {Wait, "429: 4003 Rate limit exceeded. (ref 123abc456def)"},
		"500-4002": {Retry, "500: 4002 Server timeout exceeded."},
		"500-4004": {Retry, "500: 4004 Request failed because sheetId 4583173393803140 is currently being updated"},
		"503-4001": {Retry, "503: 4001 Smartsheet.com is currently offline"},
	}
	files, err := filepath.Glob("testdata/errors/*.json")
	if err != nil || len(files) != len(want) {
		t.Fatalf("got %d error bodies, %v, want %d", len(files), err, len(want))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			var status, code int
			fmt.Sscanf(name, "%d-%d", &status, &code)
			c := serve(t, answer(status, string(fixture(t, "errors/"+name+".json"))))
			_, err := c.Sheet(t.Context(), 4583173393803140, SheetQuery{})
			var got *Error
			if !errors.As(err, &got) || got.Status != status || got.Code != code || Classify(err) != want[name].class {
				t.Fatalf("got %v of class %v, want %d of class %v", err, Classify(err), code, want[name].class)
			}
			if text := "smartsheet: GET /sheets/{id}: " + want[name].text; !strings.HasPrefix(err.Error(), text) {
				t.Errorf("got %q, want %q", err, text)
			}
		})
	}
}

func TestSDKErrorScenarios(t *testing.T) {
	for file, code := range map[string]int{"Create_Sheet_-_Invalid_-_No_Columns": 1054, "Update_Rows_-_Invalid_-_Assign_Value_and_Formulae": 1163} {
		c := serve(t, answer(400, string(fixture(t, "sdk-tests/"+file+".json", "response", "jsonBody"))))
		_, err := c.Me(t.Context())
		var got *Error
		if !errors.As(err, &got) || got.Code != code || got.RefID != "123abc" || Classify(err) != Invalid {
			t.Errorf("got %v of class %v, want %d, invalid", err, Classify(err), code)
		}
	}
}

func TestClassify(t *testing.T) {
	tests := []struct {
		status, code int
		want         Class
	}{
		{401, 0, Refused}, {401, 1005, Refused}, {401, 1030, Refused}, {400, 1044, Refused}, {403, 1269, Refused}, {401, 1275, Refused},
		{401, 1132, Refused}, {400, 1071, Refused}, {400, 1238, Refused}, {401, 1003, Expired},
		{403, 0, Forbidden}, {401, 1004, Forbidden}, {403, 1361, Forbidden}, {403, 1153, Forbidden}, {403, 1154, Forbidden}, {400, 5001, Forbidden}, {500, 5999, Forbidden},
		{404, 1006, NotFound}, {400, 1006, NotFound}, {404, 1151, NotFound}, {404, 0, Retry},
		{429, 0, Wait}, {429, 4003, Wait}, {400, 4003, Wait},
		{500, 4000, Retry}, {400, 4004, Retry}, {500, 0, Retry}, {502, 0, Retry}, {504, 0, Retry}, {408, 0, Retry}, {409, 0, Retry}, {302, 0, Retry},
		{400, 1008, Invalid}, {400, 1018, Invalid}, {400, 0, Invalid}, {414, 0, Invalid}, {410, 4005, Invalid}, {422, 0, Invalid}, {400, 5536, Invalid}, {400, 1050, Forbidden}, {400, 1212, Forbidden}, {403, 1039, Forbidden}, {400, 1160, Invalid},
	}
	for _, tt := range tests {
		err := fmt.Errorf("read sheet: %w", &Error{Status: tt.status, Code: tt.code})
		if got := Classify(err); got != tt.want {
			t.Errorf("%d/%d: got %v, want %v", tt.status, tt.code, got, tt.want)
		}
	}
	others := map[error]Class{
		nil: OK, context.Canceled: Canceled, fmt.Errorf("x: %w", context.DeadlineExceeded): Canceled,
		errors.New("unknown"): Retry, os.ErrDeadlineExceeded: Retry,
	}
	for err, want := range others {
		if got := Classify(err); got != want {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
}

func TestClassNames(t *testing.T) {
	seen := map[string]bool{}
	for c := OK; c <= Canceled; c++ {
		if seen[c.String()] || c.String() == "unknown" {
			t.Errorf("class %d: got %q, want a name of its own", c, c)
		}
		seen[c.String()] = true
	}
}

// What is not Smartsheet's JSON shows as status and type, never as its text.
func TestForeignAnswers(t *testing.T) {
	tests := map[string]struct {
		status     int
		kind, body string
		want       string
	}{
		"URL too long":    {414, "text/html; charset=utf-8", "<html>cell value</html>", "414: text/html answer without an error code"},
		"gateway":         {502, "text/plain", "cell value", "502: text/plain answer without an error code"},
		"no type":         {503, "", "cell value", "503: answer of unknown type"},
		"odd type":        {503, "cell value", "cell value", "503: answer of unknown type"},
		"JSON, not ours":  {500, "application/json", `{"error":"cell value"}`, "500: application/json answer without an error code"},
		"half of ours":    {500, "application/json", `{"errorCode":4002,"message":"cell value`, "500: application/json answer without an error code"},
		"endless":         {500, "application/json", `{"errorCode":4002,"message":"` + strings.Repeat("cell value", 10000) + `"}`, "500: application/json answer without an error code"},
		"empty":           {404, "application/json", "", "404: application/json answer without an error code"},
		"control in ours": {400, "application/json", `{"errorCode":1008,"message":"a\nb\u001b[31m\u202ec"}`, "400: 1008 a b [31m c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{tt.kind}
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			})
			_, err := c.Me(t.Context())
			if want := "smartsheet: GET /users/me: " + tt.want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestMessageIsCutAndRedacted(t *testing.T) {
	const key = "k5Jx0pYqVb7Zt2"
	message, err := json.Marshal("token " + testToken + " url https://b.example/callbacks/" + key + " key " + key + " é" + strings.Repeat("é", 400))
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, answer(400, `{"errorCode":1152,"message":`+string(message)+`,"refId":"`+testToken+`"}`))
	callback := "https://b.example/callbacks/" + key
	_, created := c.CreateWebhook(t.Context(), WebhookSpec{CallbackURL: callback, ScopeObjectID: 1})
	_, updated := c.UpdateWebhook(t.Context(), 1, WebhookUpdate{CallbackURL: &callback})
	for _, err := range []error{created, updated} {
		var got *Error
		if !errors.As(err, &got) || got.Code != 1152 || !strings.HasPrefix(got.Message, "token [redacted] url [redacted] key [redacted] é") {
			t.Errorf("got %v, want 1152 with its words redacted", err)
		}
		if strings.Contains(err.Error(), testToken) || strings.Contains(err.Error(), key) || len(err.Error()) > 400 {
			t.Errorf("got %d bytes: %v, want no secret in at most 400", len(err.Error()), err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "soon": 0, "1.5": 0, "99999999999": 0, "601": 0,
		"1": time.Second, "60": time.Minute, "600": 10 * time.Minute,
		"Fri, 20 Nov 2026 10:01:00 GMT": time.Minute,
		"Fri, 20 Nov 2026 09:59:00 GMT": 0,
		"Sat, 21 Nov 2026 10:00:00 GMT": 0,
	}
	for in, want := range tests {
		if got := retryAfter(in, now); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		answer(429, `{"errorCode":4003,"message":"Rate limit exceeded."}`)(w, r)
	})
	_, err := c.Me(t.Context())
	var got *Error
	if !errors.As(err, &got) || got.RetryAfter != 30*time.Second {
		t.Errorf("got %v, want RetryAfter 30s", err)
	}
}

func TestUnreachable(t *testing.T) {
	c := serve(t, nil)
	c.HTTP.CloseIdleConnections()
	c.BaseURL = "http://127.0.0.1:1/2.0/secret-path"
	var call Call
	c.After = func(got Call) { call = got }
	_, err := c.Sheet(t.Context(), 7, SheetQuery{ColumnIDs: []int64{4583173393803140}})
	if Classify(err) != Retry || !strings.HasPrefix(err.Error(), "smartsheet: GET /sheets/{id}: dial tcp") {
		t.Errorf("got %v of class %v, want a refused connection to be tried again", err, Classify(err))
	}
	for _, secret := range []string{"secret-path", "4583173393803140", "columnIds", testToken} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error holds %s: %v", secret, err)
		}
	}
	if call.Status != 0 || call.Class != Retry {
		t.Errorf("got %+v, want no status, to be tried again", call)
	}
}

// Nothing of a broken answer shows, even where net/http quotes it.
func TestBrokenAnswerIsNotQuoted(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Write([]byte("cell value 42\r\n\r\n"))
		conn.Close()
	})
	_, err := c.Me(t.Context())
	if Classify(err) != Retry || strings.Contains(err.Error(), "value") {
		t.Errorf("got %v of class %v, want it to be tried again, without the answer's text", err, Classify(err))
	}
}
