package smartsheet

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testToken = "token-JKlMNOpQ12RStUVwxYZ"

// serve returns a client on a server that answers with h.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &Client{BaseURL: server.URL + "/2.0", HTTP: server.Client(), Token: token(testToken)}
}

func token(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

// answer is a handler that always sends one JSON body.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestRequestHeaders(t *testing.T) {
	var got http.Header
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		if !strings.HasPrefix(r.URL.Path, "/2.0/") || strings.Contains(r.URL.Path, "//") {
			t.Errorf("got path %s", r.URL.Path)
		}
		answer(200, `{"id":1,"result":{"id":1}}`)(w, r)
	})
	c.AssumeUser = "jane.doe+x@smartsheet.com"
	c.Version = "1.2.3"
	check := func(contentType string) {
		t.Helper()
		want := map[string]string{
			"Authorization":                 "Bearer " + testToken,
			"Assume-User":                   "jane.doe%2Bx%40smartsheet.com",
			"User-Agent":                    "sheetbridge/1.2.3 (+https://github.com/sheetbridge/sheetbridge)",
			"Smartsheet-Integration-Source": "APPLICATION,Sheetbridge,sheetbridge",
			"Accept-Encoding":               "gzip",
			"Content-Type":                  contentType,
		}
		for name, value := range want {
			if got.Get(name) != value {
				t.Errorf("%s: got %q, want %q", name, got.Get(name), value)
			}
		}
	}
	if _, err := c.Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("")
	if _, err := c.CreateWebhook(t.Context(), WebhookSpec{}); err != nil {
		t.Fatal(err)
	}
	check("application/json")
	c.AssumeUser = ""
	c.BaseURL += "/"
	if _, err := c.Me(t.Context()); err != nil || got.Values("Assume-User") != nil {
		t.Errorf("got Assume-User %q, %v, want none", got.Values("Assume-User"), err)
	}
}

func TestBeforeAndAfterEveryRequest(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "3" {
			answer(429, `{"errorCode":4003,"message":"Rate limit exceeded."}`)(w, r)
			return
		}
		answer(200, `{"pageSize":1,"totalPages":3,"totalCount":3,"data":[{"id":1}]}`)(w, r)
	})
	var before int
	var calls []Call
	c.Before = func(context.Context) error { before++; return nil }
	c.After = func(call Call) { call.Duration = min(call.Duration, 1); calls = append(calls, call) }
	if _, err := c.Columns(t.Context(), 4583173393803140); Classify(err) != Wait {
		t.Errorf("got %v, want an error of class wait", err)
	}
	page := Call{Method: "GET", Route: "/sheets/{id}/columns", Status: 200, Class: OK, Duration: 1}
	limited := page
	limited.Status, limited.Class = 429, Wait
	if diff := cmp.Diff([]Call{page, page, limited}, calls); diff != "" || before != 3 {
		t.Errorf("Before called %d times, want 3; calls -want +got:\n%s", before, diff)
	}
}

func TestNothingSentWhen(t *testing.T) {
	errBudget := errors.New("budget spent")
	tests := map[string]struct {
		change func(*Client)
		call   func(context.Context, *Client) error
		is     error
		class  Class
	}{
		"budget is spent": {change: func(c *Client) { c.Before = func(context.Context) error { return errBudget } }, is: errBudget, class: Retry},
		"no token":        {change: func(c *Client) { c.Token = nil }, is: errInvalid, class: Invalid},
		"empty token":     {change: func(c *Client) { c.Token = token("") }, is: errInvalid, class: Invalid},
		"token fails": {change: func(c *Client) {
			c.Token = func(context.Context) (string, error) { return "", &Error{Status: 401, Code: 1132} }
		}, class: Refused},
		"plain http":  {change: func(c *Client) { c.BaseURL = "http://192.0.2.1/2.0" }, is: errInvalid, class: Invalid},
		"no base":     {change: func(c *Client) { c.BaseURL = "" }, is: errInvalid, class: Invalid},
		"id zero":     {call: func(ctx context.Context, c *Client) error { _, err := c.Row(ctx, 1, 0); return err }, is: errInvalid, class: Invalid},
		"id negative": {call: func(ctx context.Context, c *Client) error { return c.DeleteWebhook(ctx, -1) }, is: errInvalid, class: Invalid},
		"too many rows": {call: func(ctx context.Context, c *Client) error {
			_, err := c.Sheet(ctx, 1, SheetQuery{RowIDs: make([]int64, 201)})
			return err
		}, is: errInvalid, class: Invalid},
		"page before one": {call: func(ctx context.Context, c *Client) error {
			_, err := c.Sheet(ctx, 1, SheetQuery{Page: -1})
			return err
		}, is: errInvalid, class: Invalid},
		"context is ended": {call: func(ctx context.Context, c *Client) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := c.Me(ctx)
			return err
		}, is: context.Canceled, class: Canceled},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
			if tt.change != nil {
				tt.change(c)
			}
			if tt.call == nil {
				tt.call = func(ctx context.Context, c *Client) error { _, err := c.Me(ctx); return err }
			}
			err := tt.call(t.Context(), c)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || Classify(err) != tt.class {
				t.Errorf("got %v of class %v, want %v of class %v", err, Classify(err), tt.is, tt.class)
			}
		})
	}
}

// A redirect is not followed: neither the token nor a request outside the
// budget goes anywhere else, whatever client the caller brings.
func TestRedirectIsNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed, with Authorization %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+r.URL.Path, status) })
		for name, hc := range map[string]*http.Client{"caller's": c.HTTP, "default": nil} {
			c.HTTP = hc
			_, err := c.Me(t.Context())
			var answer *Error
			if !errors.As(err, &answer) || answer.Status != status || Classify(err) != Retry {
				t.Errorf("%s client: got %v, want an Error with status %d", name, err, status)
			}
			if strings.Contains(err.Error(), other.URL) {
				t.Errorf("error tells the target: %v", err)
			}
		}
	}
}

func gzipped(t *testing.T, parts ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	for _, part := range parts {
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestBodies(t *testing.T) {
	user := `{"id":1,"email":"a@a.example"}`
	whole, bomb := gzipped(t, user), gzipped(t, `{"email":"`, strings.Repeat("a", 1<<20), `"}`)
	send := func(kind, encoding string, length int, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			if encoding != "" {
				w.Header().Set("Content-Encoding", encoding)
			}
			if length > 0 {
				w.Header().Set("Content-Length", fmt.Sprint(length))
			}
			w.Write(body)
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		class   Class
		is      error
		text    string
	}{
		"plain":                  {handler: answer(200, user)},
		"gzip":                   {handler: send("application/json", "gzip", 0, whole)},
		"wrong type, still JSON": {handler: send("text/plain", "", 0, []byte(user))},
		"half, length told":      {send("application/json", "", 100, []byte(user[:9])), Retry, io.ErrUnexpectedEOF, "unexpected EOF"},
		"half, length not told":  {answer(200, user[:9]), Retry, io.ErrUnexpectedEOF, "broken JSON at byte 9"},
		"half gzip":              {send("application/json", "gzip", 0, whole[:len(whole)-9]), Retry, io.ErrUnexpectedEOF, ""},
		"gzip that is none":      {send("application/json", "gzip", 0, []byte(user)), Retry, nil, ""},
		"bomb":                   {send("application/json", "gzip", 0, bomb), Invalid, ErrTooLarge, "more than 4096 bytes"},
		"too large":              {answer(200, strings.Repeat(" ", 5000)+user), Invalid, ErrTooLarge, ""},
		"empty":                  {answer(200, ""), Retry, nil, ""},
		"HTML with 200":          {send("text/html", "", 0, []byte("<html>a@a.example")), Retry, nil, "text/html instead of JSON"},
		"two values":             {answer(200, user+user), Retry, nil, ""},
		"nobody":                 {answer(200, `{}`), Retry, errOther, ""},
		"null":                   {answer(200, `null`), Retry, errOther, ""},
		"a list":                 {answer(200, `["a@a.example"]`), Retry, nil, ""},
		"another type":           {answer(200, `{"id":1,"email":["a@a.example"]}`), Retry, nil, "field email is no string"},
		"number too large":       {answer(200, `{"id":99999999999999999999999}`), Retry, nil, "field id is no int64"},
		"connection closed":      {hangUp, Retry, io.EOF, "EOF"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := serve(t, tt.handler)
			c.MaxBody = 4096
			got, err := c.Me(t.Context())
			if Classify(err) != tt.class || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v of class %v, want %v of class %v", err, Classify(err), tt.is, tt.class)
			}
			if err == nil {
				if diff := cmp.Diff(&User{ID: 1, Email: "a@a.example"}, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				return
			}
			for _, secret := range []string{"a.example", "999", testToken, c.BaseURL} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error holds %s: %v", secret, err)
				}
			}
			if !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "smartsheet: GET /users/me: ") {
				t.Errorf("got %q, want it to tell of %q", err, tt.text)
			}
		})
	}
}

// roundTripper stands for the network where the test needs its time.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTimeouts(t *testing.T) {
	enable, disable := true, false
	tests := map[string]struct {
		call func(context.Context, *Client) error
		want time.Duration
	}{
		"read": {func(ctx context.Context, c *Client) error { _, err := c.Me(ctx); return err }, time.Minute},
		"enable": {func(ctx context.Context, c *Client) error {
			_, err := c.UpdateWebhook(ctx, 1, WebhookUpdate{Enabled: &enable})
			return err
		}, 3 * time.Minute},
		"disable": {func(ctx context.Context, c *Client) error {
			_, err := c.UpdateWebhook(ctx, 1, WebhookUpdate{Enabled: &disable})
			return err
		}, time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{BaseURL: US.BaseURL(), Token: token(testToken), HTTP: &http.Client{Transport: roundTripper(silent)}}
				start := time.Now()
				err := tt.call(t.Context(), c)
				if took := time.Since(start); took != tt.want || Classify(err) != Retry || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v after %v, want a retry after %v that is not the caller's deadline", err, took, tt.want)
				}
			})
		})
	}
}

// silent never answers.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestCallersDeadlineIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{BaseURL: US.BaseURL(), Token: token(testToken), HTTP: &http.Client{Transport: roundTripper(silent)}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Me(ctx); Classify(err) != Canceled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's deadline", err)
		}
	})
}

func TestCancelWhileReadingTheBody(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("service stops")
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"id":`)
		http.NewResponseController(w).Flush()
		cancel(stopped)
		<-r.Context().Done()
	})
	_, err := c.Me(ctx)
	if Classify(err) != Canceled || !errors.Is(err, stopped) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v of class %v, want it canceled for its cause", err, Classify(err))
	}
}

func TestConcurrentUse(t *testing.T) {
	c := serve(t, answer(200, `{"id":1}`))
	c.HTTP = nil
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			if _, err := c.Me(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}
