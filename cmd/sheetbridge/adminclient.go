package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// adminClient calls the admin API as a stranger does: over HTTP, with a token.
type adminClient struct {
	url   string // http://host:port
	token seal.Secret
	http  *http.Client
}

func newAdminClient(address string, token seal.Secret) *adminClient {
	return &adminClient{url: "http://" + address, token: token, http: &http.Client{
		Transport: &http.Transport{}, // of its own, so that it can be closed
		Timeout:   30 * time.Second,  // making a webhook includes Smartsheet's call back
	}}
}

// close lets go of the connections.
func (c *adminClient) close() { c.http.CloseIdleConnections() }

// call sends the body as JSON, unless it is nil, and reads the answer into the
// result, unless that is nil. Its error has the detail of the API's problem.
func (c *adminClient) call(ctx context.Context, method, path string, body, result any) error {
	if err := c.try(ctx, method, path, body, result); err != nil {
		return fmt.Errorf("admin API: %s %s: %w", method, path, err)
	}
	return nil
}

func (c *adminClient) try(ctx context.Context, method, path string, body, result any) error {
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
		return err
	}
	defer resp.Body.Close() // read to its end below
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &apiError{resp.StatusCode, resp.Status, detail(answer)}
	}
	if result == nil || len(answer) == 0 { // 204
		return nil
	}
	return json.Unmarshal(answer, result)
}

// detail is what a problem says.
func detail(answer []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Detail == "" {
		return strings.TrimSpace(clean(string(answer), 200))
	}
	return clean(problem.Detail, 1000)
}
