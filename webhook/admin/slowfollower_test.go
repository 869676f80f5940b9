package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// A follower that does not read is cut, and its place is another's; who follows beside
// it gets everything meanwhile.
func TestFollowerThatDoesNotReadIsCut(t *testing.T) {
	t.Parallel()
	const room = 4 << 10 // in the system's buffers, which else hold more than we send
	w := newWorld(t, setup{server: func(s *http.Server) {
		s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			must(t, c.(*net.TCPConn).SetWriteBuffer(room))
			return ctx
		}
	}})
	w.partner("acme")
	for range 30 {
		w.follow(writer, "?partner=globex", "")
	}
	quick := w.follow(writer, "?partner=acme", "")
	slow, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(t, err)
	defer slow.Close()
	must(t, slow.(*net.TCPConn).SetReadBuffer(room))
	_, err = fmt.Fprintf(slow, "GET /v1/events?partner=acme HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", strings.TrimPrefix(w.url, "http://"), writer)
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReaderSize(slow, 16), nil) // what it reads ahead is nothing
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Fatalf("got %s for the 32nd follower", answer.Status)
	}
	status := func() int {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/v1/events", nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+writer)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(); got != 503 {
		t.Fatalf("got %d for the 33rd follower, want 503", got)
	}

	st, err := w.api.Partners.Stream(t.Context(), w.registry.Partner("acme"))
	must(t, err)
	share := &events.Share{
		Partner: "acme", Sheet: "long", SheetID: 7, Region: "us", Revision: 1,
		Fields: []events.Field{{Name: "text", ColumnID: 1, Type: "TEXT_NUMBER"}}, Kinds: []events.Kind{events.KindRow},
	}
	long := events.Object{{Name: "text", JSON: json.RawMessage(`"` + strings.Repeat("x", 4000) + `"`)}}
	const rows = 200
	to := st.NewWriter(share, 0)
	must(t, to.Begin(t.Context(), time.Now(), events.SchemaData{Revision: 1, Schema: share.Schema()}, events.StatusData{State: events.StateLive}))
	for row := range int64(rows) {
		e, err := share.ObjectEvent(events.KindRow, row+1, "created", time.Now(), events.ObjectData{After: long})
		must(t, err)
		must(t, to.Add(e))
	}
	_, err = to.Flush(t.Context(), time.Now(), events.StatusData{State: events.StateLive})
	must(t, err)
	for got := 0; got < rows; {
		if quick.next().Data["kind"] == "row" {
			got++
		}
	}
	eventstest.Await(t, "the place of the one who does not read is free", func() bool { return status() == 200 })
	must(t, slow.SetReadDeadline(time.Now().Add(time.Minute)))
	rest, err := io.ReadAll(answer.Body)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || bytes.Count(rest, []byte("event: published")) >= rows {
		t.Errorf("got %d bytes and %v, want a connection that was cut in the middle", len(rest), err)
	}
}
