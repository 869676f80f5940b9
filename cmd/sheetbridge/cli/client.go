package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

const (
	dialTime  = 10 * time.Second
	callTime  = 4 * time.Minute // Smartsheet calls back before some requests are answered
	maxAnswer = 16 << 20
)

// Client calls the admin API as anybody else does: over HTTP, with a token.
type Client struct {
	url   string // https://host:port
	token seal.Secret
	http  *http.Client
}

// NewClient returns a client of the admin API at a base URL. It makes its own
// connections, which Close closes; those with TLS as secure says, nil for the
// system's authorities and no certificate of the client's.
func NewClient(base string, token seal.Secret, secure *tls.Config) *Client {
	return &Client{url: strings.TrimSuffix(base, "/"), token: token, http: &http.Client{
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSClientConfig: secure},
		Timeout:   callTime,
	}}
}

// URL returns the base URL.
func (c *Client) URL() string { return c.url }

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// APIError is an answer of the admin API that refuses.
type APIError struct {
	Code   int
	Status string
	Detail string        // of the problem
	Action *admin.Action // the call that leads out of it, nil for none

	Fields     []FieldProblem // of the body, which are to blame
	RetryAfter time.Duration  // after which to try again; 0: it does not say
}

// FieldProblem is what is wrong with one field of a request.
type FieldProblem struct {
	Location string `json:"location"` // such as body.shares[0].where
	Message  string `json:"message"`
}

// Error implements error.
func (e *APIError) Error() string { return e.Status + ": " + e.Detail }

// Call sends the body as JSON, unless it is nil, and reads the answer into the
// result, unless that is nil. Where the API refuses, the error is an APIError.
func (c *Client) Call(ctx context.Context, method, path string, body, result any) error {
	if err := c.call(ctx, method, path, body, result); err != nil {
		return fmt.Errorf("admin API: %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) call(ctx context.Context, method, path string, body, result any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+string(c.token))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer resp.Body.Close() // read to its end below
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		problem := problemOf(answer)
		refused := &APIError{Code: resp.StatusCode, Status: resp.Status, Detail: problem.Detail, Action: problem.Action, Fields: problem.Errors}
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
			refused.RetryAfter = time.Duration(seconds) * time.Second
		}
		return refused
	}
	if result == nil || len(answer) == 0 { // 204
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	return decoder.Decode(result)
}

// unreachedError is a service that does not answer.
type unreachedError struct{ err error }

func (e *unreachedError) Error() string { return e.err.Error() }
func (e *unreachedError) Unwrap() error { return e.err }

// unreached leaves out the method and URL, which are said already.
func unreached(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return &unreachedError{err}
}

// problem is what the API says of a refusal.
type problem struct {
	Detail string         `json:"detail"`
	Action *admin.Action  `json:"action"`
	Errors []FieldProblem `json:"errors"`
}

func problemOf(answer []byte) problem {
	var p problem
	if err := json.Unmarshal(answer, &p); err != nil || p.Detail == "" {
		return problem{Detail: strings.TrimSpace(terminal.Clean(string(answer), 200))}
	}
	p.Detail = terminal.Clean(p.Detail, 1000)
	return p
}
