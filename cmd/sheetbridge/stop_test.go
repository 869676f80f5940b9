package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// serveProcess is serve as a process, with a registered sheet of which nothing
// can be read: its hints stay where they are.
type serveProcess struct {
	*process
	*planted
	data, callbackURL string
	webhookID         int64
	secret            string
}

func serveStuck(t *testing.T) *serveProcess {
	t.Helper()
	s := &serveProcess{planted: plant(t), data: filepath.Join(t.TempDir(), "data")}
	public, admin := freeAddress(t), freeAddress(t)
	s.process = spawn(t, []string{
		prefix + "_LISTEN=" + public, prefix + "_PUBLIC_URL=http://" + public, prefix + "_ADMIN_LISTEN=" + admin, prefix + "_ADMIN_TOKEN=" + testToken,
		prefix + "_NATS_LISTEN=127.0.0.1:0", prefix + "_DATA_DIR=" + s.data, prefix + "_SMARTSHEET_URL=" + s.sim.URL(), prefix + "_LOG_FORMAT=json",
	}, "serve")
	s.stderr.wait(t, `"msg":"ready"`)
	client := cli.NewClient("http://"+admin, testToken, nil)
	defer client.Close()
	var hook struct {
		WebhookID   string `json:"webhookId"`
		CallbackURL string `json:"callbackUrl"`
	}
	share := events.Request{Partner: "acme", Columns: columnsOf("No")}
	for _, call := range []struct {
		path         string
		body, answer any
	}{
		{"/v1/owners", map[string]string{"name": "ops", "region": "us", "token": s.token}, nil},
		{"/v1/partners", map[string]string{"name": "acme"}, nil},
		{"/v1/webhooks", registration{"ops", strconv.FormatInt(s.sheet.ID, 10), []events.Request{share}}, &hook},
	} {
		s.do(client.Call(t.Context(), "POST", call.path, call.body, call.answer))
	}
	s.stderr.wait(t, `"msg":"pass"[^\n]*"result":"done"`)
	var err error
	s.webhookID, err = strconv.ParseInt(hook.WebhookID, 10, 64)
	s.do(err)
	s.callbackURL, s.secret = hook.CallbackURL, s.sim.WebhookSecret(s.webhookID)
	s.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		<-r.Context().Done() // no answer until the bridge gives up
		return &smartsheettest.Fault{Status: http.StatusServiceUnavailable}
	})
	return s
}

// call is one callback, for a row of its own, and what came of it.
type call struct {
	row    int64
	status int // 0: no answer
	err    error
	at     time.Time // of the answer, or of its failing
}

// send makes the callback for a row.
func (s *serveProcess) send(ctx context.Context, client *http.Client, row int64) call {
	body := fmt.Appendf(nil, `{"nonce":"n","timestamp":%q,"webhookId":%d,"scope":"sheet","scopeObjectId":%d,"events":[{"objectType":"row","eventType":"updated","id":%d,"userId":1,"timestamp":%[1]q}]}`,
		time.Now().UTC().Format(time.RFC3339), s.webhookID, s.sheet.ID, row)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.callbackURL, bytes.NewReader(body))
	if err != nil {
		return call{row: row, err: err, at: time.Now()}
	}
	req.Header.Set(smartsheet.HeaderSignature, smartsheet.Sign(s.secret, body))
	answer, err := client.Do(req)
	if err != nil {
		return call{row: row, err: err, at: time.Now()}
	}
	return call{row: row, status: answer.StatusCode, err: answer.Body.Close(), at: time.Now()}
}

// storm sends rate callbacks a second until the context ends, and returns them.
// They come in bursts, so that some are under way at any moment.
// Where the machine cannot keep up it sends fewer, instead of piling them up.
func (s *serveProcess) storm(ctx context.Context, rate int, stored chan<- struct{}) []call {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var calls []call
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	room := make(chan struct{}, 256)
	for row := int64(1); ; row++ {
		select {
		case <-ctx.Done():
			wg.Wait()
			return calls
		case <-tick.C:
		}
		select {
		case room <- struct{}{}:
		default:
			continue
		}
		wg.Go(func() {
			defer func() { <-room }()
			c := s.send(context.WithoutCancel(ctx), client, row)
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, c)
			if c.status == http.StatusOK {
				select {
				case stored <- struct{}{}:
				default:
				}
			}
		})
	}
}

// TestStopUnderLoad ends a real process under 500 callbacks a second: what it
// answered is 200 and stored, and it refuses nobody but by not listening.
func TestStopUnderLoad(t *testing.T) {
	s := serveStuck(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stored, done := make(chan struct{}), make(chan []call, 1)
	go func() { done <- s.storm(ctx, 500, stored) }()
	for range 525 { // in the middle of a burst
		<-stored
	}
	began := time.Now()
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	t.Logf("it ended in %v", time.Since(began))
	cancel()
	calls := <-done
	kept := s.kept()
	answered := 0
	for _, c := range calls {
		switch {
		case c.status == http.StatusOK:
			answered++
			if !kept[c.row] {
				t.Errorf("the callback for row %d was answered 200 and is not stored", c.row)
			}
		case c.status != 0:
			t.Errorf("a callback was answered %d", c.status)
		case c.at.Before(began) || !closed(c.err):
			t.Errorf("a callback had no answer although somebody listened: %v", c.err)
		}
	}
	t.Logf("%d of %d callbacks were answered 200, %d are stored", answered, len(calls), len(kept))
}

// closed tells whether nobody listened any more. EOF is a connection that was
// idle since before the stop and is taken up again just when it is closed: HTTP
// knows no way around that, and whoever keeps connections repeats then.
func closed(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
}

// kept are the rows that the hints in the store name.
func (s *serveProcess) kept() map[int64]bool {
	t := s.process.t
	t.Helper()
	master, err := seal.LoadMasterKey(filepath.Join(s.data, "master.key"))
	s.do(err)
	b, err := broker.Start(t.Context(), broker.Options{Dir: filepath.Join(s.data, "nats"), Master: master, Listen: "127.0.0.1:0"})
	s.do(err)
	t.Cleanup(func() { s.do(b.Close(context.WithoutCancel(t.Context()))) })
	js, err := jetstream.New(b.Bridge())
	s.do(err)
	stream, err := js.Stream(t.Context(), inbox.StreamName)
	s.do(err)
	kept := map[int64]bool{}
	for sequence := uint64(1); ; {
		m, err := stream.GetMsg(t.Context(), sequence, jetstream.WithGetMsgSubject("*.>"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return kept
		}
		s.do(err)
		hints, err := inbox.ParseBundle(m.Data)
		if err == nil { // else it is a registration's note
			for _, h := range hints {
				for row := range h.Rows {
					kept[row] = true
				}
			}
		}
		sequence = m.Sequence + 1
	}
}

// TestReadyNamesThePart: what is not ready says why.
func TestReadyNamesThePart(t *testing.T) {
	s := &service{}
	s.phase.value.Store(phaseStopping)
	if err := s.ready(t.Context()); err == nil || err.Error() != "stopping" {
		t.Errorf("got %v, want stopping", err)
	}
}
