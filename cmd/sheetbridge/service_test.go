package main

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

const testToken = "canary-admin-token"

// running is a service in this process, configured by the environment.
type running struct {
	t      *testing.T
	admin  *cli.Client
	public string // URL
	nats   string // URL
	data   string // directory
	stderr *output
	cancel context.CancelFunc
	code   chan int
}

// startService starts the service on a simulated Smartsheet; it stops with the
// test unless it is stopped before.
func startService(t *testing.T, smartsheet string) *running {
	t.Helper()
	address := freeAddress(t)
	s := &running{t: t, public: "http://" + address, data: filepath.Join(t.TempDir(), "data"), stderr: newOutput(), code: make(chan int, 1)}
	for name, value := range map[string]string{
		"LISTEN": address, "PUBLIC_URL": s.public, "ADMIN_LISTEN": "127.0.0.1:0", "ADMIN_TOKEN": testToken + ",reader:ro:canary-reader-token",
		"NATS_LISTEN": "127.0.0.1:0", "DATA_DIR": s.data, "SMARTSHEET_URL": smartsheet, "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "API_RATE": "10000",
	} {
		t.Setenv(prefix+"_"+name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	go func() { s.code <- run(ctx, []string{"serve"}, io.Discard, s.stderr) }()
	t.Cleanup(func() { s.stop() })
	ready := s.stderr.wait(t, `"msg":"ready".*"admin":"([^"]+)","nats":"([^"]+)"`)
	s.nats = ready[2]
	s.admin = cli.NewClient("http://"+ready[1], testToken, nil)
	t.Cleanup(s.admin.Close)
	return s
}

// stop ends the service and returns its exit code.
func (s *running) stop() int {
	if s.cancel == nil {
		return 0
	}
	s.cancel()
	s.cancel = nil
	return <-s.code
}

// must calls the admin API for something that has to succeed.
func (s *running) must(method, path string, body, result any) {
	s.t.Helper()
	if err := s.admin.Call(s.t.Context(), method, path, body, result); err != nil {
		s.t.Fatal(err)
	}
}

// refused calls the admin API for something that must not.
func (s *running) refused(method, path string, body any) error {
	s.t.Helper()
	err := s.admin.Call(s.t.Context(), method, path, body, nil)
	if err == nil {
		s.t.Errorf("%s %s: got no error", method, path)
	}
	return err
}

// get returns what the admin listener answers, whatever the status.
func (s *running) get(path, token string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.admin.URL()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close() // read to its end below
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// tail reads as a partner until the test's end, one event a line.
func (s *running) tail(creds seal.Secret) *output {
	s.t.Helper()
	out, _ := s.startTail(creds)
	return out
}

// startTail is tail that ends, at the latest with the test, when stop is called.
func (s *running) startTail(creds seal.Secret) (out *output, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	out = newOutput()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := stream.Tail(ctx, stream.TailOptions{URL: s.nats, Creds: creds, From: stream.FromAll}, func(m stream.Message) error {
			_, err := out.Write(append(append([]byte(m.Subject+" "), m.Data...), '\n'))
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.t.Errorf("tail: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	s.t.Cleanup(stop)
	return out, stop
}

// registration is the body of POST /v1/webhooks.
type registration struct {
	Owner   string           `json:"owner"`
	SheetID string           `json:"sheetId"`
	Shares  []events.Request `json:"shares"`
}

func columnsOf(titles ...string) []events.RequestColumn {
	list := make([]events.RequestColumn, len(titles))
	for i, title := range titles {
		list[i].Title = title
	}
	return list
}
