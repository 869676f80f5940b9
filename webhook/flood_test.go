package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

const (
	callers   = 64
	floodTime = 20 * time.Second
	// floodPass is how long a pass takes under the flood.
	floodPass = 5 * time.Millisecond
)

// call is a signed callback.
type call struct{ url, body, signature string }

// BenchmarkCallbacks is how many callbacks of 20 events are stored durably and
// answered, from 64 callers, while workers take the hints. Beside it stands what
// it is compared with: Echo with the same check of the signature and a publish
// for each callback that is not synced to the disk.
func BenchmarkCallbacks(b *testing.B) {
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprintf("%d-registrations", n), func(b *testing.B) {
			var plain float64
			b.Run("plain", func(b *testing.B) {
				url := listen(b, plainReceiver(b))
				var calls []call
				for i := range n {
					calls = append(calls, signedCall(url, int64(webhookID+i)))
				}
				plain = flood(b, calls)
			})
			b.Run("receiver", func(b *testing.B) {
				d := newDesk(b, webhooktest.Options{Log: slog.NewJSONHandler(io.Discard, nil)})
				calls := d.calls(b, n)
				stop := d.take(b, func(context.Context, *inbox.Hint) error { return nil })
				defer stop()
				rate := flood(b, calls)
				b.ReportMetric(rate/plain, "x-plain")
			})
		})
	}
}

// BenchmarkFlood is how long the oldest hint waits for its pass while callbacks
// for 50 sheets come in for 20 s as fast as they are answered.
func BenchmarkFlood(b *testing.B) {
	d := newDesk(b, webhooktest.Options{Log: slog.NewJSONHandler(io.Discard, nil)})
	calls := d.calls(b, 50)
	var oldest atomic.Int64
	stop := d.take(b, func(_ context.Context, h *inbox.Hint) error {
		waited := int64(time.Since(h.ReceivedAt))
		for {
			was := oldest.Load()
			if waited <= was || oldest.CompareAndSwap(was, waited) {
				break
			}
		}
		time.Sleep(floodPass)
		return nil
	})
	defer stop()
	answered := 0
	for b.Loop() {
		end := time.Now().Add(floodTime)
		answered += len(callAll(b, calls, func(int) bool { return time.Now().Before(end) }))
	}
	webhooktest.Must(b, d.Inbox.Idle(b.Context()))
	b.ReportMetric(float64(answered)/b.Elapsed().Seconds(), "callbacks/s")
	b.ReportMetric(time.Duration(oldest.Load()).Seconds(), "oldest-s")
}

// take lets one replica take hints until stop is called.
func (d *desk) take(b *testing.B, pass func(context.Context, *inbox.Hint) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Inbox.Work(ctx, inbox.Workers{
			Pass: pass, Webhook: pass, Token: func(r string) string { return r }, Log: slog.New(slog.DiscardHandler),
		})
	}()
	return func() { cancel(); <-done }
}

// flood has the callers send b.N callbacks and returns how many were answered a
// second.
func flood(b *testing.B, calls []call) float64 {
	b.ResetTimer()
	used := webhooktest.CPUTime(b)
	var sent atomic.Int64
	took := callAll(b, calls, func(int) bool { return sent.Add(1) <= int64(b.N) })
	b.StopTimer()
	slices.Sort(took)
	rate := float64(len(took)) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "callbacks/s")
	b.ReportMetric(float64((webhooktest.CPUTime(b)-used).Microseconds())/float64(len(took)), "cpu-us/callback")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	return rate
}

// callAll has each caller send callbacks while more says so, and returns how
// long each took.
func callAll(b *testing.B, calls []call, more func(caller int) bool) []time.Duration {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	all := make([][]time.Duration, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := i; more(i); n++ {
				began := time.Now()
				if err := calls[n%len(calls)].send(client); err != nil {
					b.Error(err)
					return
				}
				all[i] = append(all[i], time.Since(began))
			}
		})
	}
	wg.Wait()
	return slices.Concat(all...)
}

func (c call) send(client *http.Client) error {
	req, err := http.NewRequest(http.MethodPost, c.url, strings.NewReader(c.body))
	if err != nil {
		return err
	}
	req.Header.Set(smartsheet.HeaderSignature, c.signature)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("got %s", resp.Status)
	}
	return nil
}

func signedCall(url string, id int64) call {
	body := strings.Replace(event(strings.Repeat(rowUpdated+",", 19)+rowUpdated), fmt.Sprint(webhookID), fmt.Sprint(id), 1)
	return call{url: url, body: body, signature: smartsheet.Sign(secret, []byte(body))}
}

// calls are callbacks for as many registrations.
func (d *desk) calls(b *testing.B, n int) []call {
	b.Helper()
	url := listen(b, d.handler)
	calls := []call{signedCall(url+d.path(), webhookID)}
	for i := 1; i < n; i++ {
		reg, err := d.Registry.NewRegistration("ops", int64(7+i))
		webhooktest.Must(b, err)
		reg.Phase, reg.WebhookID = registry.PhaseActive, int64(webhookID+i)
		reg.Secret = d.Sealed(secret, reg.SealName("secret"))
		webhooktest.Must(b, d.Registry.CreateRegistration(b.Context(), reg))
		calls = append(calls, signedCall(url+registry.CallbackPath+string(reg.CallbackKey()), reg.WebhookID))
	}
	return calls
}

// plainReceiver is what a receiver without any promise would be.
func plainReceiver(b *testing.B) *echo.Echo {
	b.Helper()
	s, err := server.NewServer(&server.Options{Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: b.TempDir()})
	webhooktest.Must(b, err)
	s.Start()
	b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		b.Fatal("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.InProcessServer(s))
	webhooktest.Must(b, err)
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	webhooktest.Must(b, err)
	_, err = js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "PLAIN", Subjects: []string{"plain"}})
	webhooktest.Must(b, err)
	e := echo.New()
	e.POST("/", func(c echo.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err != nil || smartsheet.VerifySignature(secret, body, c.Request().Header.Get(smartsheet.HeaderSignature)) != nil {
			return c.NoContent(http.StatusUnauthorized)
		}
		if _, err := js.Publish(c.Request().Context(), "plain", body); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	})
	return e
}
