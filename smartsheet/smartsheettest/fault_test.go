package smartsheettest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Two writes of a sheet at once with one token: one of them is refused and changes
// nothing. With another token it is free; and a write whose caller hangs up is made.
func TestWritesCollide(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.WriteTime = time.Hour })
	before, _ := w.srv.Snapshot(w.sheet.ID)
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	answers := make(chan string, 4)
	write := func(token string) {
		body := strings.NewReader(fmt.Sprintf(`{"id":%d,"toTop":true}`, w.sheet.Rows[0]))
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, w.api.url+w.path+"/rows", body)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
		resp, err := plainClient.Do(r)
		if err != nil {
			return // it waits for an hour, and is given up below
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		answers <- fmt.Sprintf("%d %s", resp.StatusCode, text)
	}
	for _, token := range []string{w.api.token, w.srv.AddToken(w.jane)} {
		wait.Go(func() { write(token) })
		wait.Go(func() { write(token) })
	}
	for range 2 {
		if got := <-answers; !strings.HasPrefix(got, `500 {"errorCode":4004,`) {
			t.Errorf("got %s, want 500 and 4004", got)
		}
	}
	w.api.ok("GET", w.path+"/version", "") // reads go on
	cancel()
	wait.Wait()
	w.srv.Close() // when all is done
	if after, _ := w.srv.Snapshot(w.sheet.ID); after.Version != before.Version+2 || len(answers) != 0 {
		t.Errorf("got version %d, %d answers more, want %d and none", after.Version, len(answers), before.Version+2)
	}
}

func TestRandomFaults(t *testing.T) {
	for text, parts := range map[string]map[string]float64{
		`fault "lots" is not known, want one of 4001, 4002, 4003, 4004, 502, cut, lost`: {"lots": 0.1},
		`fault lost: 1.5 of all requests, want 0 to 1`:                                  {"lost": 1.5},
		`faults are 1.2 of all requests together, want 1 at most`:                       {"lost": 0.6, "cut": 0.6},
	} {
		if _, err := RandomFaults(parts); err == nil || err.Error() != text {
			t.Errorf("%v: got %v, want %s", parts, err, text)
		}
	}
	hook, err := RandomFaults(map[string]float64{"lost": 0.25, "cut": 0.25, "4001": 0.1, "4002": 0.1, "4003": 0.1, "4004": 0.1, "502": 0.1})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 5000 {
		if fault := hook(nil); fault == nil {
			t.Fatal("got no fault of 100 %")
		} else {
			seen[fmt.Sprint(fault.LoseAnswer, fault.HangUp, fault.Status, fault.ErrorCode)] = true
		}
	}
	if len(seen) != 7 {
		t.Errorf("got kinds %v, want all seven", seen)
	}
	never, err := RandomFaults(nil)
	if err != nil || never(nil) != nil {
		t.Errorf("got %v, want no fault", err)
	}
}

// Each refusal that a fault makes is one that the service documents, with a message.
func TestFaultsHaveWords(t *testing.T) {
	w := newWorld(t)
	for code, status := range map[int]int{4001: 503, 4002: 500, 4003: 429, 4004: 500} {
		w.srv.SetFault(func(*http.Request) *Fault { return &Fault{Status: status, ErrorCode: code} })
		if out := w.api.refused("PUT", w.path+"/rows", "{}", status, code); strings.Contains(out.text, "unexpected") {
			t.Errorf("%d: got %s", code, out.text)
		}
	}
}
