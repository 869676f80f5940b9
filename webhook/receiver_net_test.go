package webhook_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// listen lets the desk's receiver listen with a server of ours, with short
// time-outs, and returns the address.
func (d *desk) listen(body, room time.Duration, limit int64) (address string) {
	d.T.Helper()
	rc := &webhook.Receiver{Registry: d.Registry, Inbox: d.Inbox, Limit: limit, Log: slog.New(slog.DiscardHandler)}
	rc.SetTimeouts(body, room)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	webhooktest.Must(d.T, err)
	server, done := webhook.NewServer(rc.Handler(), slog.New(slog.DiscardHandler)), make(chan struct{})
	go func() { _ = server.Serve(socket); close(done) }()
	d.T.Cleanup(func() { _ = server.Close(); <-done })
	return socket.Addr().String()
}

// begin sends the head of a callback and the first bytes of its body.
func (d *desk) begin(address, head, body string) net.Conn {
	d.T.Helper()
	conn, err := net.Dial("tcp", address)
	webhooktest.Must(d.T, err)
	d.T.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: bridge\r\n%s\r\n\r\n%s", d.path(), head, body)
	webhooktest.Must(d.T, err)
	return conn
}

func answerOn(t *testing.T, conn net.Conn) int {
	t.Helper()
	webhooktest.Must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	webhooktest.Must(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestBodyThatDrips(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	conn := d.begin(d.listen(100*time.Millisecond, time.Second, 1<<20), "Content-Length: 100", "{")
	if got := answerOn(t, conn); !slices.Contains(contractCodes, got) || got == 200 {
		t.Errorf("got %d for a body that never ends, want a refusal of the contract", got)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection was not closed after its body was cut: %v", err)
	}
}

func TestConnectionCut(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	address := d.listen(time.Minute, time.Second, 1<<10)
	webhooktest.Must(t, d.begin(address, "Content-Length: 1000", "{").Close())
	// A caller that hangs up before the answer: it is stored nevertheless.
	body := event(rowUpdated)
	conn := d.begin(address, fmt.Sprintf("Content-Length: %d\r\n%s: %s", len(body), smartsheet.HeaderSignature, smartsheet.Sign(secret, []byte(body))), body)
	webhooktest.Must(t, conn.Close())
	for stored := 0; stored == 0; {
		if t.Context().Err() != nil {
			t.Fatal("a callback whose caller hung up was not stored")
		}
		stored = len(d.hints())
	}
}

func TestChunkedBodyOverTheLimit(t *testing.T) {
	t.Parallel()
	d := newDesk(t, webhooktest.Options{})
	address := d.listen(time.Minute, time.Second, 1<<10)
	conn := d.begin(address, "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", 2<<10, make([]byte, 2<<10)))
	if got := answerOn(t, conn); got != 413 {
		t.Errorf("got %d for a chunked body over the limit, want 413", got)
	}
	if hints := d.hints(); len(hints) != 1 || !hints[0].Whole || !hints[0].Full {
		t.Errorf("got hints %v, want the whole sheet", hints)
	}
}

func TestBodiesInFlightAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 1 << 10
	d := newDesk(t, webhooktest.Options{})
	address := d.listen(time.Minute, 50*time.Millisecond, limit)
	var held []net.Conn
	for range 4 {
		held = append(held, d.begin(address, fmt.Sprintf("Content-Length: %d", limit), "{"))
	}
	// How far the four have come nobody tells: one that is refused tells that all are there.
	for {
		body := event(rowUpdated)
		conn := d.begin(address, fmt.Sprintf("Content-Length: %d\r\n%s: %s", len(body), smartsheet.HeaderSignature, smartsheet.Sign(secret, []byte(body))), body)
		got := answerOn(t, conn)
		if got == 503 {
			break
		}
		if got != 200 || t.Context().Err() != nil {
			t.Fatalf("got %d while four large bodies are on their way, want 503 in the end", got)
		}
	}
	for _, conn := range held {
		webhooktest.Must(t, conn.Close())
	}
	for got := 0; got != 200; {
		body := event(rowUpdated)
		got = answerOn(t, d.begin(address, fmt.Sprintf("Content-Length: %d\r\n%s: %s", len(body), smartsheet.HeaderSignature, smartsheet.Sign(secret, []byte(body))), body))
		if got != 200 && got != 503 || t.Context().Err() != nil {
			t.Fatalf("got %d after the large bodies are gone, want 200 in the end", got)
		}
	}
}
