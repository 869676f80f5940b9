package smartsheettest

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxURL  = 8 << 10
	maxFile = 30 << 20
	maxBody = 32 << 20 // a file and what goes around it
	maxForm = 64 << 10

	jsonKind = "application/json;charset=UTF-8"
)

// reply is an answer before it is written.
type reply struct {
	status int
	kind   string // of content
	header map[string]string
	body   []byte
}

func errorReply(e *Error) reply {
	body, err := json.Marshal(e.body())
	if err != nil {
		return htmlReply(http.StatusInternalServerError)
	}
	return reply{status: e.Status, kind: jsonKind, body: body}
}

// htmlReply is how what stands before the service answers.
func htmlReply(status int) reply {
	text := http.StatusText(status)
	if status == http.StatusRequestURITooLong {
		text = "Request-URI Too Long"
	}
	page := fmt.Sprintf("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n</body>\r\n</html>\r\n", status, text, status, text)
	return reply{status: status, kind: "text/html", body: []byte(page)}
}

// ServeHTTP answers the API below /2.0/, the contents of attachments below
// /files/, and the page on which users consent to apps at /b/authorize.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock()
	if s.closed || s.refusing {
		s.mu.Unlock()
		hangUp(w)
		return
	}
	s.running.Add(1)
	hook := s.fault
	s.mu.Unlock()
	defer s.running.Done()

	entry := Request{Time: s.now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery}
	var fault *Fault
	if hook != nil {
		fault = hook(r)
	}
	s.answer(w, r, fault, &entry)
	s.lock()
	s.requests = appendBounded(s.requests, entry, maxRequests)
	s.mu.Unlock()
	s.log().Debug("request", "method", entry.Method, "route", entry.Route, "status", entry.Status, "errorCode", entry.ErrorCode)
}

// answer writes the answer of a request and completes its log entry.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, fault *Fault, entry *Request) {
	if fault != nil {
		if !s.pause(r, fault.Delay) || fault.HangUp {
			hangUp(w)
			return
		}
		if out, ok := fault.reply(); ok {
			entry.Status, entry.ErrorCode, entry.Faulty = out.status, fault.ErrorCode, true
			send(w, r, out, fault.HalfBody)
			return
		}
	}
	out, refused := s.respond(r, entry)
	entry.Status = out.status
	if refused != nil {
		entry.ErrorCode = refused.Code
	}
	if fault != nil && fault.LoseAnswer {
		entry.Faulty = true
		hangUp(w)
		return
	}
	send(w, r, out, fault != nil && fault.HalfBody)
}

// respond computes the answer of a request.
func (s *Server) respond(r *http.Request, entry *Request) (reply, *Error) {
	if len(r.RequestURI) > maxURL {
		return htmlReply(http.StatusRequestURITooLong), nil
	}
	if name, found := strings.CutPrefix(r.URL.Path, "/files/"); found {
		return s.file(name), nil
	}
	if r.URL.Path == "/b/authorize" {
		entry.Query = "" // it has the state
		return s.authorize(r), nil
	}
	path, found := strings.CutPrefix(r.URL.Path, "/2.0/")
	if !found {
		return errorReply(errNotFound()), errNotFound()
	}
	c := &call{
		method: r.Method, path: strings.Trim(path, "/"), query: r.URL.Query(), now: s.now(), accept: r.Header.Get("Accept"), kind: jsonKind,
		agent: trimAgent(r.Header.Get("Smartsheet-Change-Agent")), contentType: r.Header.Get("Content-Type"),
		disposition: r.Header.Get("Content-Disposition"), base: "http://" + r.Host,
	}
	body, refused := s.callAPI(c, r, entry)
	if refused != nil {
		return errorReply(refused), refused
	}
	return reply{status: http.StatusOK, kind: c.kind, body: body}, nil
}

// callAPI checks who calls what, and calls it. The answer is JSON text, unless the
// call says another kind afterwards.
func (s *Server) callAPI(c *call, r *http.Request, entry *Request) ([]byte, *Error) {
	if r.TLS != nil {
		c.base = "https://" + r.Host
	}
	switch {
	case c.path == "serverinfo" && r.Method == http.MethodGet:
		entry.Route = c.path
		return jsonOf(serverInfo())
	case c.path == "token" && r.Method == http.MethodPost:
		entry.Route, entry.Query = c.path, "" // it may have the secret
		r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
		answer, refused := s.tokenEndpoint(r)
		if refused != nil {
			return nil, refused
		}
		return jsonOf(answer)
	}
	if err := s.authenticate(c, r.Header, entry); err != nil {
		return nil, err
	}
	rt, ids, err := find(r.Method, c.path)
	entry.Route, entry.Cost = rt.path, rt.weight()
	if err == nil {
		if refused := c.token.permits(rt); refused != nil {
			return nil, refused
		}
	}
	if limited := s.spend(c, rt.weight()); limited != nil {
		return nil, limited
	}
	var refused *Error
	if errors.As(err, &refused) {
		return nil, refused
	}
	c.ids = ids
	if refused = c.read(r); refused != nil {
		return nil, refused
	}
	if rt.writesSheet() {
		key := writeKey{ids["sheet"], c.token}
		if !s.beginWrite(key) {
			return nil, failf(500, 4004, "Request failed because sheetId %s is currently being updated by another request that uses the same access token. Please retry your request once the previous request has completed.", ids["sheet"])
		}
		defer s.endWrite(key)
		s.pause(r, s.WriteTime)
	}
	return s.perform(rt, c)
}

func jsonOf(answer any) ([]byte, *Error) {
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, errUnexpected()
	}
	return text, nil
}

// read takes the body of a request and checks what it is said to be.
func (c *call) read(r *http.Request) *Error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return errUnparsable("the body ended early")
	}
	if len(body) > maxBody {
		return errTooLarge(len(body))
	}
	c.body = body
	upload := strings.HasSuffix(c.path, "/attachments") && (c.disposition != "" || c.multipart() != "")
	if len(body) > 0 && !upload && r.Method != http.MethodDelete {
		kind, _, _ := strings.Cut(c.contentType, ";")
		if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
			return failf(415, 1124, "Invalid Content-Type header. Media type not supported.")
		}
	}
	return nil
}

// compressors are those that nobody uses. They are kept, as each has some 700 KB to make
// and clear; not in a sync.Pool, which gives up many of them under the race detector.
var compressors = make(chan *gzip.Writer, 8)

// compressed writes a body to a client, compressed at the fastest level, which leaves
// nothing to clear before the next one.
func compressed(w io.Writer, body []byte) {
	var z *gzip.Writer
	select {
	case z = <-compressors:
		z.Reset(w)
	default:
		z, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // there is this level
	}
	// A client that has gone away is nobody's error here.
	_, _ = z.Write(body)
	_ = z.Close()
	select {
	case compressors <- z:
	default:
	}
}

// send writes an answer, compressed if the client likes; half of it, under the
// length of the whole, if it shall break.
func send(w http.ResponseWriter, r *http.Request, out reply, half bool) {
	for name, value := range out.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", out.kind)
	w.Header().Set("Vary", "Accept-Encoding")
	if half {
		w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
		out.body = out.body[:len(out.body)/2]
	} else if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(out.status)
		compressed(w, out.body)
		return
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body) // a client that has gone away is nobody's error here
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	_ = conn.Close() // there is nobody to tell
}

// pause waits and reports whether the request and the server still live.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-s.life.done:
	}
	return false
}
