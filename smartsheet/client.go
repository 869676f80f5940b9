// Package smartsheet speaks to Smartsheet: it calls the API as one user, and
// reads and verifies the callbacks that Smartsheet makes.
//
// A [Client] sends each request once, but for one whose token had run out; what
// to do after an error is the caller's to decide, by its [Class]. Everything read is bounded. Tokens,
// shared secrets and cell values are in no error.
package smartsheet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	defaultTimeout = time.Minute
	defaultMaxBody = 64 << 20
	maxErrorBody   = 64 << 10
	// A webhook is enabled only after Smartsheet has called it, however often
	// it tries: that answer may take longer than any other.
	verifyTimeouts = 3

	projectURL  = "https://github.com/sheetbridge/sheetbridge"
	integration = "APPLICATION,Sheetbridge,sheetbridge"
)

var errTimeout = errors.New("no complete answer in time")

// Client calls the API as one user. Its zero value works but for BaseURL and
// Token. It follows no redirect, and repeats a request only where Renew has it.
// It is safe for concurrent use as long as its fields are left alone.
type Client struct {
	// BaseURL is the API's address with its version, see [Region.BaseURL].
	// Plain http is for loopback only, see [CheckURL].
	BaseURL string

	// Token returns the access token; it is asked before every request but those
	// that Renew has given another one for.
	Token func(ctx context.Context) (string, error)

	// Renew is asked for another token when Smartsheet refuses the one that was
	// sent: the request, of which nothing was done then, is sent once more with
	// it. An empty one leaves the refusal as it is. Nil: nobody is asked.
	Renew func(ctx context.Context, refused string, cause error) (string, error)

	// AssumeUser is the e-mail of the user to act as; the token must be a
	// System Admin's. Empty: the token's own user.
	AssumeUser string

	HTTP    *http.Client  // nil: one over http.DefaultTransport. A Timeout of its own applies too
	Timeout time.Duration // of one request, its body included; 0: a minute. Enabling a webhook has three times that
	MaxBody int64         // bytes of an answer, decompressed; 0: 64 MiB
	Version string        // ours, for the User-Agent; empty: dev

	// Before is called before every request on the wire, each page of a list
	// included. Its error ends the call and is wrapped in what that returns.
	Before func(ctx context.Context) error

	// After is called with every request that was sent, once it has ended.
	After func(Call)

	// Throttled is called, before the call returns, with every answer by which
	// Smartsheet asks to leave the token alone (class [Wait]), and for how long; 0:
	// it did not say. Nil: nobody is told.
	Throttled func(ctx context.Context, retryAfter time.Duration)
}

// Call is one request that was sent.
type Call struct {
	Method   string
	Route    string // path with {id} for each id, safe as a metric's label
	Status   int    // 0: no answer
	Class    Class
	Duration time.Duration // until the body was read
}

// request is one call of the API.
type request struct {
	method  string
	route   string  // path below the base, {id} for each id
	ids     []int64 // in their order in route
	query   url.Values
	body    any
	form    url.Values // instead of a body; such a request bears no token
	verify  bool       // the answer waits for a verification
	agent   string     // the change agent of a write
	secrets []string   // what no error may repeat
}

// do sends r and decodes the answer into out, unless that is nil.
func (c *Client) do(ctx context.Context, r request, out any) error {
	token, err := c.send(ctx, r, "", out)
	if c.Renew == nil || token == "" {
		return err
	}
	if class := Classify(err); class != Expired && class != Refused {
		return err
	}
	renewed, renewErr := c.Renew(ctx, token, err)
	switch {
	case renewErr != nil:
		return fmt.Errorf("smartsheet: %s %s: renew token: %w", r.method, r.route, renewErr)
	case renewed == "" || renewed == token:
		return err
	}
	_, err = c.send(ctx, r, renewed, out)
	return err
}

// send sends r once, with the token, or for an empty one with what Token gives.
// It returns the token that was sent.
func (c *Client) send(ctx context.Context, r request, token string, out any) (string, error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return "", fmt.Errorf("smartsheet: %s %s: %w", r.method, r.route, err)
	}
	if c.Before != nil {
		if err := c.Before(ctx); err != nil {
			return "", fmt.Errorf("smartsheet: %s %s: %w", r.method, r.route, err)
		}
	}
	if r.form == nil {
		if token == "" {
			if token, err = c.token(ctx); err != nil {
				return "", fmt.Errorf("smartsheet: %s %s: get token: %w", r.method, r.route, err)
			}
		}
		req.Header.Set("Authorization", "Bearer "+token)
		r.secrets = append(r.secrets[:len(r.secrets):len(r.secrets)], token)
	}
	start := time.Now()
	status, err := c.exchange(ctx, r, req, out)
	if c.After != nil {
		c.After(Call{Method: r.method, Route: r.route, Status: status, Class: Classify(err), Duration: time.Since(start)})
	}
	if c.Throttled != nil && Classify(err) == Wait {
		c.Throttled(ctx, RetryAfter(err))
	}
	return token, err
}

func (c *Client) token(ctx context.Context) (string, error) {
	if c.Token == nil {
		return "", fmt.Errorf("%w: no Token function", errInvalid)
	}
	token, err := c.Token(ctx)
	if err == nil && token == "" {
		err = fmt.Errorf("%w: the token is empty", errInvalid)
	}
	return token, err
}

// newRequest builds the HTTP request but for its token.
func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	if err := CheckURL(c.BaseURL); err != nil {
		return nil, err
	}
	path := r.route
	for _, id := range r.ids {
		if id <= 0 {
			return nil, fmt.Errorf("%w: id %d", errInvalid, id)
		}
		path = strings.Replace(path, "{id}", strconv.FormatInt(id, 10), 1)
	}
	target := strings.TrimRight(c.BaseURL, "/") + path
	if len(r.query) > 0 {
		// A comma needs no escape, and lists of ids are long enough as it is.
		target += "?" + strings.ReplaceAll(r.query.Encode(), "%2C", ",")
	}
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("%w: its body cannot be written as JSON", errInvalid) // the cause quotes a value
		}
		body = bytes.NewReader(data)
	}
	if r.form != nil {
		body = strings.NewReader(r.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%w: build request", errInvalid) // its cause quotes the URL
	}
	c.setHeader(req.Header, r.body != nil)
	if r.agent != "" {
		if !validAgent(r.agent) {
			return nil, fmt.Errorf("%w: change agent, want 1 to %d printable ASCII characters", errInvalid, MaxChangeAgent)
		}
		req.Header.Set("Smartsheet-Change-Agent", r.agent)
	}
	if r.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, nil
}

func (c *Client) setHeader(h http.Header, hasBody bool) {
	version := c.Version
	if version == "" {
		version = "dev"
	}
	h.Set("User-Agent", "sheetbridge/"+version+" (+"+projectURL+")")
	h.Set("Accept", "application/json")
	h.Set("Smartsheet-Integration-Source", integration)
	if hasBody {
		h.Set("Content-Type", "application/json")
	}
	if c.AssumeUser != "" {
		h.Set("Assume-User", url.QueryEscape(c.AssumeUser))
	}
}

// exchange sends req and reads the answer within the time of one request. It
// returns the status, 0 where there was no answer.
func (c *Client) exchange(ctx context.Context, r request, req *http.Request, out any) (int, error) {
	timed, cancel := context.WithTimeout(ctx, c.timeout(r))
	defer cancel()
	resp, err := c.httpClient().Do(req.WithContext(timed))
	if err != nil {
		return 0, r.broken(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		body, err := readBody(resp.Body, maxErrorBody)
		if err != nil && ctx.Err() != nil {
			return resp.StatusCode, canceled(ctx, r)
		}
		return resp.StatusCode, answerError(r, resp, body) // what could not be read of it changes nothing
	}
	body, err := readBody(resp.Body, c.maxBody())
	if err != nil {
		return resp.StatusCode, r.broken(ctx, err)
	}
	if out == nil {
		return resp.StatusCode, nil
	}
	if err := decode(body, out); err != nil {
		return resp.StatusCode, r.broken(ctx, decodeError(err, resp.Header))
	}
	return resp.StatusCode, nil
}

// httpClient is the caller's client, but for redirects: the API has none, one
// followed would escape the budget, and its target should not get the token.
func (c *Client) httpClient() *http.Client {
	var hc http.Client
	if c.HTTP != nil {
		hc = *c.HTTP
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

func (c *Client) timeout(r request) time.Duration {
	d := c.Timeout
	if d <= 0 {
		d = defaultTimeout
	}
	if r.verify {
		d *= verifyTimeouts
	}
	return d
}

func (c *Client) maxBody() int64 {
	if c.MaxBody > 0 {
		return c.MaxBody
	}
	return defaultMaxBody
}

// readBody reads at most limit bytes, and fails with [ErrTooLarge] beyond.
func readBody(body io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return data, err
}

// broken is the error of a request without a readable answer; ctx is the
// caller's.
func (r request) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return canceled(ctx, r)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // it names the URL, ids and query
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errTimeout
	}
	return &brokenError{method: r.method, route: r.route, cause: err}
}
