package smartsheettest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

const (
	maxRetries       = 14
	verifyEvery      = 100
	maxCallbackReply = 64 << 10
)

// DefaultRetryBackoff has the shape of the service's in about 6 s: seven times
// longer and longer, then seven times the same.
func DefaultRetryBackoff(retry int) time.Duration {
	return 5 * time.Millisecond << min(retry, 7)
}

// RealRetryBackoff is what the service documents, three hours from the eighth
// retry on; the intervals before that are not published, and doubled from 5 s
// here.
func RealRetryBackoff(retry int) time.Duration {
	if retry > 7 {
		return 3 * time.Hour
	}
	return 5 * time.Second << (retry - 1)
}

// delivery is a callback on its way.
type delivery struct {
	kind   string
	epoch  int
	events []event
	status string // newWebhookStatus
}

// message is a callback as it is sent.
type message struct {
	webhook int64
	kind    string
	url     string
	header  http.Header
	body    []byte
}

func (s *Server) newCallbackClient() *http.Client {
	dialer := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("reading the address of a callback: %w", err)
		}
		ip := net.ParseIP(host)
		if ip == nil || private(ip) && !(s.AllowLoopbackHTTP && ip.IsLoopback()) {
			return fmt.Errorf("calling back: the address is private")
		}
		return nil
	}}
	timeout := s.CallbackTimeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: s.RootCAs, MinVersion: tls.VersionTLS12},
		},
	}
}

// verify sends a verification request and reports whether it was answered
// well. The caller does not hold s.mu.
func (s *Server) verify(id int64, url string) bool {
	challenge := uuid.NewString()
	body, err := json.Marshal(map[string]any{"challenge": challenge, "webhookId": id})
	if err != nil {
		return false
	}
	header := http.Header{"Content-Type": {"application/json"}, "Smartsheet-Hook-Challenge": {challenge}}
	status, answer, replied := s.post(message{id, "verification", url, header, body}, 0)
	if status != http.StatusOK {
		return false
	}
	if answer.Get("Smartsheet-Hook-Response") == challenge {
		return true
	}
	var in struct {
		Response string `json:"smartsheetHookResponse"`
	}
	return json.Unmarshal(replied, &in) == nil && in.Response == challenge
}

// post sends a message and logs it. Status 0 means that no answer came.
func (s *Server) post(m message, retry int) (int, http.Header, []byte) {
	s.lock()
	life := s.life
	s.mu.Unlock()
	entry := Callback{Time: s.now(), WebhookID: m.webhook, Kind: m.kind, Retry: retry, URL: m.url, Header: m.header, Body: m.body}
	header, answer, err := s.exchange(life, m, &entry)
	if err != nil {
		entry.Err = err.Error()
	}
	s.lock()
	s.callbacks = appendBounded(s.callbacks, entry, maxCallbacks)
	s.mu.Unlock()
	s.log().Debug("callback", "webhook", m.webhook, "kind", m.kind, "retry", retry, "status", entry.Status)
	return entry.Status, header, answer
}

func (s *Server) exchange(ctx context.Context, m message, entry *Callback) (http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(m.body))
	if err != nil {
		return nil, nil, fmt.Errorf("calling back webhook %d: %w", m.webhook, err)
	}
	r.Header = m.header.Clone()
	s.lock()
	client := s.client
	s.mu.Unlock()
	resp, err := client.Do(r)
	if err != nil {
		return nil, nil, fmt.Errorf("calling back webhook %d: %w", m.webhook, err)
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as it matters
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxCallbackReply))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer of webhook %d: %w", m.webhook, err)
	}
	entry.Status = resp.StatusCode
	return resp.Header, answer, nil
}

// body is the text of a callback.
func (w *webhook) body(d *delivery, nonce string, now time.Time) ([]byte, error) {
	out := map[string]any{
		"nonce": nonce, "timestamp": callbackTime(now), "webhookId": w.id, "scope": "sheet", "scopeObjectId": w.object,
	}
	if d.status != "" {
		out["newWebhookStatus"] = d.status
		return json.Marshal(out)
	}
	events := make([]any, 0, len(d.events))
	for _, e := range d.events {
		events = append(events, e.json())
	}
	out["events"] = events
	return json.Marshal(out)
}

// sign is the header of a callback's signature.
func (s *Server) sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	signature := hex.EncodeToString(mac.Sum(nil))
	if s.StripSignatureZeros {
		signature = strings.TrimLeft(signature, "0")
	}
	return signature
}

// message makes the callback of a delivery. The caller holds s.mu.
func (s *Server) message(w *webhook, d *delivery, nonce string, at time.Time) (message, error) {
	body, err := w.body(d, nonce, at)
	if err != nil {
		return message{}, fmt.Errorf("writing a callback of webhook %d: %w", w.id, err)
	}
	header := http.Header{
		"Content-Type": {"application/json"}, "Smartsheet-Hook-Id": {strconv.FormatInt(w.id, 10)},
		"Smartsheet-Hmac-Sha256": {s.sign(w.secret, body)},
	}
	return message{w.id, d.kind, w.url, header, body}, nil
}
