package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

func rowUnder(parent, child int64) smartsheettest.Row {
	return smartsheettest.Row{ID: child, ParentID: parent}
}

// Strangers do what they can to the public listener while the sheet is edited.
func TestFaultsHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.embedded()
	w.settled(30 * time.Second)
	hook := w.sim.Webhooks()[0]
	secret := w.sim.WebhookSecret(hook.ID)
	host := strings.TrimPrefix(hook.CallbackURL, "http://")
	host = host[:strings.Index(host, "/")]

	var conns []net.Conn // half-open, with headers that drip or never come
	for i := range eventstest.Times(500, 10_000) {
		c, err := net.Dial("tcp", host)
		if err != nil {
			break // out of descriptors: ours are as bounded as theirs
		}
		conns = append(conns, c)
		if i%2 == 0 {
			fmt.Fprintf(c, "POST /callbacks/x HTTP/1.1\r\nHost: x\r\nX-Drip: ")
		}
	}
	stop := w.editing(50 * time.Millisecond)
	many := callback(hook.ID, 10_000)
	for _, c := range []struct {
		name string
		body []byte
		sign func([]byte) string
		want []int
	}{
		{"forged", callback(hook.ID, 1), func(b []byte) string { return smartsheet.Sign("guess", b) }, []int{401}},
		{"truncated", callback(hook.ID, 1), func(b []byte) string { return smartsheet.Sign(secret, b)[:20] }, []int{401}},
		{"foreign", callback(hook.ID+1, 1), func(b []byte) string { return smartsheet.Sign(secret, b) }, []int{403}},
		{"unsigned", callback(hook.ID, 1), func([]byte) string { return "" }, []int{401}},
		{"no JSON", []byte("\xff\xfe{"), func(b []byte) string { return smartsheet.Sign(secret, b) }, []int{400}},
		{"10,000 events", many, func(b []byte) string { return smartsheet.Sign(secret, b) }, []int{200}},
		{"40 MB", bytes.Repeat([]byte(" "), 40<<20), func(b []byte) string { return smartsheet.Sign(secret, b) }, []int{413, 0}},
		{"gzip bomb", bomb(t), func(b []byte) string { return smartsheet.Sign(secret, b) }, []int{400}},
	} {
		if got := post(t, hook.CallbackURL, c.body, c.sign(c.body)); !slices.Contains(c.want, got) {
			t.Errorf("%s: got %d, want %v", c.name, got, c.want)
		}
	}
	if got := post(t, "http://"+host+"/callbacks/nobody", many, ""); got != 403 {
		t.Errorf("unknown key: got %d, want 403", got)
	}
	stop()
	w.settled(60 * time.Second)
	for _, c := range conns {
		_ = c.Close() // the server may have been first
	}
	p.stop()
	p.raced()
}

func callback(webhook int64, events int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"nonce":"n","timestamp":"2026-11-20T10:00:00.000+00:00","webhookId":%d,"scope":"sheet","scopeObjectId":1,"events":[`, webhook)
	for i := range events {
		fmt.Fprintf(&b, `%s{"objectType":"row","eventType":"updated","id":%d,"userId":1,"timestamp":"2026-11-20T10:00:00.000+00:00"}`, map[bool]string{true: "", false: ","}[i == 0], i+1)
	}
	b.WriteString("]}")
	return b.Bytes()
}

func bomb(t testing.TB) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.Copy(z, io.LimitReader(zeros{}, 10<<20))
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// post returns the status of the answer, 0 if there was none.
func post(t testing.TB, url string, body []byte, signature string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set(smartsheet.HeaderSignature, signature)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// Many sheets of one owner and several replicas never use the token above the
// rate, in any 60 seconds.
func TestFaultsBudget(t *testing.T) {
	t.Parallel()
	rate := eventstest.Times(60, 120)
	w, c := newWorld(t), newCluster(t, 1)
	w.external(c, eventstest.Times(2, 3), 1, fmt.Sprintf("SHEETBRIDGE_API_RATE=%d", rate))
	var sheets []*smartsheettest.Sheet
	for i := range eventstest.Times(15, 50) {
		sheet, err := w.sim.AddSheet(smartsheettest.SheetSpec{Name: fmt.Sprintf("Sheet %d", i), Owner: w.jane,
			Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Qty"}},
			Rows:    []smartsheettest.Row{{Cells: smartsheettest.Cells{"No": "1", "Status": "Open", "Qty": i}}}})
		must(t, err)
		sheets = append(sheets, sheet)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // registrations wait for the budget like everything else
		for i := 0; i < len(sheets) && ctx.Err() == nil; {
			_, err := w.admin.call(ctx, http.MethodPost, "/v1/webhooks", w.registration(sheets[i].ID, fmt.Sprintf("sheet-%d", i)), nil)
			if err == nil {
				i++
				continue
			}
			pause(t, time.Second)
		}
	})
	// For some time after they have asked for more than a minute's: what bounds them is the rate.
	window, began, end := time.Duration(eventstest.Times(10, 600))*time.Second, time.Now(), time.Time{}
	for end.IsZero() || time.Now().Before(end) {
		asked := len(w.sim.Requests())
		if end.IsZero() && asked >= rate {
			end = time.Now().Add(window)
		}
		if end.IsZero() && time.Since(began) > eventstest.Patience {
			t.Fatalf("got %d requests in %v, want the %d of a minute at least", asked, eventstest.Patience, rate)
		}
		w.edit()
		for _, s := range sheets {
			must(t, w.sim.As(w.jane).UpdateRows(s.ID, smartsheettest.Row{ID: s.Rows[0], Cells: smartsheettest.Cells{"Qty": time.Now().UnixNano() % 1000}}))
		}
		pause(t, 300*time.Millisecond)
	}
	requests := w.sim.Requests()
	most := mostInAMinute(requests)
	t.Logf("at most %d requests in any 60 s of %d allowed; %d in all", most, rate, len(requests))
	if most > rate {
		t.Errorf("%d requests in 60 s, want at most %d", most, rate)
	}
	cancel()
	wg.Wait()
	for _, s := range w.serves {
		s.kill()
		s.raced()
	}
}

// mostInAMinute is how many requests there were at most in any 60 seconds.
func mostInAMinute(requests []smartsheettest.Request) int {
	slices.SortFunc(requests, func(a, b smartsheettest.Request) int { return a.Time.Compare(b.Time) })
	most, first := 0, 0
	for i := range requests {
		for requests[i].Time.Sub(requests[first].Time) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
