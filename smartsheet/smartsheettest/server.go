package smartsheettest

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// How long an event waits for others before its callback: as the server does
// when Debounce is zero, and as the service does.
const (
	DefaultDebounce = 20 * time.Millisecond
	RealDebounce    = time.Minute
)

// GridLimits are the sizes of a sheet beyond which its webhooks are disabled.
// A zero field means the service's: 20,000 rows, 400 columns, 500,000 cells.
type GridLimits struct {
	Rows, Columns, Cells int
}

// Server is one Smartsheet with everything in it. Its zero value is ready for
// use. Set the exported fields before the first request; all methods may be
// called at any time, from any goroutine.
type Server struct {
	// AllowLoopbackHTTP lets webhooks have http or https callback URLs at any
	// port of the loopback interface. Else they must be https at a port the
	// service calls, and private addresses are never dialled.
	AllowLoopbackHTTP bool
	// RootCAs are what callback servers' certificates are checked against; nil
	// means the system's.
	RootCAs *x509.CertPool

	// Debounce is how long the first event of a callback waits for others.
	// Zero means DefaultDebounce, negative none.
	Debounce time.Duration
	// RetryBackoff is the pause before the nth retry of a callback, n from 1
	// to 14. Nil means DefaultRetryBackoff.
	RetryBackoff func(retry int) time.Duration
	// CallbackTimeout is how long the answer to a callback may take. Zero
	// means 10 s.
	CallbackTimeout time.Duration
	// StripSignatureZeros drops the leading zeros of signatures, as the
	// official Java sample does.
	StripSignatureZeros bool
	// FreshNonces gives each retry of a callback a nonce of its own.
	FreshNonces bool

	// RateLimit is what a token may spend in any 60 s. A request costs 1, cell
	// history and attaching cost 10. Zero means 300, negative no limit.
	RateLimit int
	// LargeIDs makes one id in four larger than 2^53, as the service's may be.
	// Clients that take ids for floating point numbers, those in JavaScript among
	// them, cannot find these objects. New sets it.
	LargeIDs bool
	// WriteTime is how long a write of a sheet takes. Another one of that sheet with
	// the same token is refused with 500/4004 in the meantime; one whose caller does not
	// wait for the answer is made all the same. Zero means no time at all.
	WriteTime time.Duration
	// ForbidUnshared answers 403/1004 for a sheet that exists and is not
	// shared with the caller, instead of 404/1006.
	ForbidUnshared bool
	// RefuseUnknownColumnIDs answers 400/1036 when a read asks for a column
	// that is not in the sheet, instead of leaving it out.
	RefuseUnknownColumnIDs bool
	// Limits disable webhooks of large sheets.
	Limits GridLimits

	// Clock tells the time of everything that is stamped; nil means time.Now.
	// Pauses are real ones even so.
	Clock func() time.Time
	// Log gets one debug record for each request and callback, without tokens,
	// secrets, URLs and values. Nil means none.
	Log *slog.Logger

	life lifetime

	mu            sync.Mutex
	ready         bool
	closed        bool
	url           string
	http          *http.Server
	client        *http.Client
	ids           idSource
	users         map[int64]*User
	tokens        map[tokenKey]*token
	apps          map[string]*App
	codes         map[tokenKey]*code
	refreshes     map[tokenKey]*refresh
	sheets        map[int64]*sheet
	places        map[int64]*place
	webhooks      map[int64]*webhook
	webhookOrder  []*webhook
	files         map[string]*attachment
	writing       map[writeKey]bool
	workers       int
	idle          chan struct{}
	fault         func(*http.Request) *Fault
	callbackFault func(Callback) CallbackFault
	held          map[int64][]message
	refusing      bool
	requests      []Request
	callbacks     []Callback

	running sync.WaitGroup
}

// errClosed is what every operation of a closed server answers.
var errClosed = errors.New("smartsheettest: server is closed")

// Start listens on a free port of 127.0.0.1 and returns the base URL of the
// API, which ends in /2.0.
func (s *Server) Start() (string, error) {
	return s.StartAt("127.0.0.1:0")
}

// StartAt is Start at a host:port of its own.
func (s *Server) StartAt(address string) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listening for the Smartsheet API: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepare()
	if s.closed || s.http != nil {
		return "", errors.Join(fmt.Errorf("starting the Smartsheet API: %w or already started", errClosed), listener.Close())
	}
	s.url = "http://" + listener.Addr().String() + "/2.0"
	server := &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second}
	s.http = server
	s.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log().Error("Smartsheet API stopped", "err", err)
		}
	})
	return s.url, nil
}

// URL is the base URL of the API after Start, without a slash at its end.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// Close ends the listener, every request in flight and every callback, and
// waits until their goroutines are gone. What the server holds can still be
// inspected.
func (s *Server) Close() {
	s.mu.Lock()
	s.prepare()
	if !s.closed {
		s.closed = true
		close(s.life.done)
	}
	server, client := s.http, s.client
	s.mu.Unlock()
	if server != nil {
		if err := server.Close(); err != nil {
			s.log().Warn("closing the Smartsheet API", "err", err)
		}
	}
	s.running.Wait()
	client.CloseIdleConnections()
}

// prepare makes the zero value usable. The caller holds s.mu.
func (s *Server) prepare() {
	if s.ready {
		return
	}
	s.ready = true
	s.life.done = make(chan struct{})
	s.ids = newIDSource(s.LargeIDs)
	s.users = map[int64]*User{}
	s.tokens = map[tokenKey]*token{}
	s.apps = map[string]*App{}
	s.codes = map[tokenKey]*code{}
	s.refreshes = map[tokenKey]*refresh{}
	s.sheets = map[int64]*sheet{}
	s.places = map[int64]*place{}
	s.webhooks = map[int64]*webhook{}
	s.files = map[string]*attachment{}
	s.writing = map[writeKey]bool{}
	s.held = map[int64][]message{}
	s.client = s.newCallbackClient()
}

// lock takes s.mu with the server ready.
func (s *Server) lock() {
	s.mu.Lock()
	s.prepare()
}

func (s *Server) now() time.Time {
	if s.Clock != nil {
		return s.Clock().UTC()
	}
	return time.Now().UTC()
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.New(slog.DiscardHandler)
}

// lifetime is the context of everything the server does on its own: it ends
// with Close.
type lifetime struct{ done chan struct{} }

func (lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }
func (l lifetime) Done() <-chan struct{}     { return l.done }
func (lifetime) Value(any) any               { return nil }

func (l lifetime) Err() error {
	select {
	case <-l.done:
		return errClosed
	default:
		return nil
	}
}
