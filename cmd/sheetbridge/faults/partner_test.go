package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// apart starts serve with NATS in it and shares the sheet with globex, who has
// its stream there, and acme, who has it elsewhere or, for nil, there too.
func (w *world) apart(acme map[string]string, more ...string) {
	w.t.Helper()
	w.start(more...)
	w.addPartner("acme", acme)
	w.addPartner("globex", nil)
	w.register()
}

// A partner's NATS is gone: nobody is there any more, or nobody answers. It is
// told to whom it concerns, the other partner notices nothing, and all is well
// again soon after it is back.
func TestFaultsPartner(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]struct {
		away, back func(*process)
		seconds    int
	}{
		"killed": {(*process).kill, (*process).start, eventstest.Times(3, 60)},
		"frozen": {func(p *process) { p.signal(syscall.SIGSTOP) }, func(p *process) { p.signal(syscall.SIGCONT) }, eventstest.Times(4, 60)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, c := newWorld(t), newCluster(t, 1)
			w.apart(map[string]string{"url": c.url, "credentials": c.creds["acme"]})
			w.settled(30 * time.Second)
			before := w.metrics()
			stop := w.editing(100 * time.Millisecond)
			how.away(c.nodes[0])
			began := time.Now()
			w.goesOn("globex", time.Duration(how.seconds)*time.Second)
			w.told("acme cannot be reached", `sheetbridge_partner_up{partner="acme"} 0`, "partner acme", "failed a moment ago: ")
			w.goesOn("globex", 0)
			stop()
			w.follows("globex")
			during := w.metrics()
			t.Logf("away for %v: goroutines %g, then %g; memory %.0f MB, then %.0f MB", time.Since(began).Round(time.Second),
				before["go_goroutines"], during["go_goroutines"], before["process_resident_memory_bytes"]/1e6, during["process_resident_memory_bytes"]/1e6)
			if more := during["go_goroutines"] - before["go_goroutines"]; more > 50 {
				t.Errorf("%g goroutines more than before", more)
			}
			how.back(c.nodes[0])
			c.ready()
			w.healed(time.Now())
		})
	}
}

// A partner's storage is full: it is told to whom it concerns, the other partner
// notices nothing, and all is well again once it may store more.
func TestFaultsPartnerFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apart(nil, "SHEETBRIDGE_RECONCILE_EVERY=1m") // it is told before the status runs out
	w.settled(30 * time.Second)
	w.limit("64KiB")
	stop := w.editing(40 * time.Millisecond)
	w.goesOn("globex", time.Duration(eventstest.Times(3, 60))*time.Second)
	w.told("acme's stream is full", `sheetbridge_share_state{partner="acme",sheet="orders",state="stale"} 1`, "partner acme", "full")
	w.goesOn("globex", 0)
	stop()
	w.follows("globex")
	w.limit("1GiB")
	w.healed(time.Now())
}

// limit changes how much acme may store.
func (w *world) limit(storage string) {
	w.t.Helper()
	_, err := w.admin.call(w.t.Context(), http.MethodPatch, "/v1/partners/acme", map[string]any{"limits": map[string]string{"storage": storage}}, nil)
	must(w.t, err)
}

// goesOn has a partner be told of one edit after the other, for so long and at
// least thrice. The row is nobody else's to edit.
func (w *world) goesOn(partner string, d time.Duration) {
	w.t.Helper()
	ids, err := w.sim.As(w.bill).AddRows(w.sheet.ID, smartsheettest.Row{Cells: smartsheettest.Cells{"No": "SO-mark", "Status": "Open"}})
	must(w.t, err)
	subject, r := fmt.Sprintf("smartsheet.%s.orders.row.%d", partner, ids[0]), w.recorders[partner]
	slowest, began, n := time.Duration(0), time.Now(), 0
	for ; n < 3 || time.Since(began) < d; n++ {
		at, mark := time.Now(), 1_000_000+n
		must(w.t, w.sim.As(w.bill).UpdateRows(w.sheet.ID, smartsheettest.Row{ID: ids[0], Cells: smartsheettest.Cells{"Qty": mark}}))
		eventstest.AwaitNil(w.t, 20*time.Second, partner+" waits for an edit", func() error {
			if err := r.read(w.t); err != nil {
				return err
			}
			list := r.subjects[subject]
			if len(list) == 0 || !strings.Contains(string(list[len(list)-1].after), strconv.Itoa(mark)) {
				return errNotYet
			}
			return nil
		})
		slowest = max(slowest, time.Since(at))
	}
	w.t.Logf("%s was told of %d edits, of the slowest after %v", partner, n, slowest.Round(time.Millisecond))
}

// follows waits until a partner sees the sheet as it is, and checks the way.
func (w *world) follows(partner string) {
	w.t.Helper()
	r := w.recorders[partner]
	eventstest.AwaitNil(w.t, 30*time.Second, "the stream to show the sheet", func() error {
		if err := r.read(w.t); err != nil {
			return err
		}
		return w.equals(r, "orders", w.sheet.ID)
	})
	if err := r.chains(); err != nil {
		w.t.Error(err)
	}
}

// told waits until everybody who looks after the bridge can see what is wrong
// with acme, and with acme alone: by the admin API, the metrics and the commands.
// The bridge itself is well all the time.
func (w *world) told(what, metric, partner, reason string) {
	w.t.Helper()
	began := time.Now()
	var said string
	eventstest.AwaitNil(w.t, 30*time.Second, "the admin to be told: "+what, func() error {
		states, err := w.states()
		if err != nil {
			return err
		}
		said = states["acme"].State + ": " + states["acme"].Reason
		if states["acme"].State == "live" || !strings.Contains(states["acme"].Reason, reason) {
			return fmt.Errorf("acme: %s", said)
		}
		if states["globex"].State != "live" {
			return fmt.Errorf("globex is %+v", states["globex"])
		}
		return nil
	})
	w.t.Logf("%s: the admin is told after %v: %s", what, time.Since(began).Round(time.Millisecond), said)
	eventstest.AwaitNil(w.t, 30*time.Second, "the metrics to tell: "+what, func() error {
		now := w.metrics()
		for name, want := range metricsOf(metric, "sheetbridge_ready 1", `sheetbridge_partner_up{partner="globex"} 1`, `sheetbridge_share_state{partner="globex",sheet="orders",state="live"} 1`) {
			if got, ok := now[name]; !ok || got != want {
				return fmt.Errorf("%s is %g (%v), want %g", name, got, ok, want)
			}
		}
		return nil
	})
	w.t.Logf("%s: the metrics tell after %v", what, time.Since(began).Round(time.Millisecond))
	diagnosis, code := w.ask("doctor")
	if code != 1 || !strings.Contains(diagnosis, "WRONG    "+partner) || strings.Contains(diagnosis, "WRONG    partner globex") {
		w.t.Errorf("doctor ends with %d and says:\n%s", code, diagnosis)
	}
	list, _ := w.ask("shares")
	w.t.Logf("doctor:\n%s\nshares:\n%s", diagnosis, list)
	_, acme, found := strings.Cut(list, "\nacme/orders ")
	acme, _, _ = strings.Cut(acme, "\nglobex/orders ") // the reason stands below the share
	if !found || !strings.Contains(strings.Join(strings.Fields(acme), " "), reason) {
		w.t.Errorf("shares say: %s", list)
	}
	if _, err := w.admin.call(w.t.Context(), http.MethodGet, "/readyz", nil, nil); err != nil {
		w.t.Error(err)
	}
}

// healed waits until all partners have everything and nobody says anything else.
func (w *world) healed(since time.Time) {
	w.t.Helper()
	w.settled(60 * time.Second)
	w.t.Logf("everything is there %v after", time.Since(since).Round(time.Millisecond))
	w.stands("live", 30*time.Second)
	eventstest.AwaitNil(w.t, 30*time.Second, "all to be told well", func() error {
		states, err := w.states()
		if err != nil {
			return err
		}
		now := w.metrics()
		for partner := range shares() {
			if s := states[partner]; s.State != "live" || s.Reason != "" {
				return fmt.Errorf("%s is %+v", partner, s)
			}
			for name, want := range metricsOf(`sheetbridge_partner_up{partner="`+partner+`"} 1`, `sheetbridge_share_state{partner="`+partner+`",sheet="orders",state="live"} 1`) {
				if now[name] != want {
					return fmt.Errorf("%s is %g", name, now[name])
				}
			}
		}
		return nil
	})
	if diagnosis, _ := w.ask("doctor"); strings.Contains(diagnosis, "WRONG    partner") || strings.Contains(diagnosis, "WRONG    share") {
		w.t.Errorf("doctor says:\n%s", diagnosis)
	}
	w.t.Logf("all say so %v after", time.Since(since).Round(time.Millisecond))
	w.goesOn("acme", 0)
	w.settled(30 * time.Second)
	now := w.metrics()
	w.t.Logf("afterwards: goroutines %g, memory %.0f MB, hints given up %g", now["go_goroutines"], now["process_resident_memory_bytes"]/1e6, now["sheetbridge_hints_dead"])
	w.serves[0].stop()
	w.serves[0].raced()
}

// shareState is what the admin API says of a share.
type shareState struct{ Partner, State, Reason string }

// states asks how the shares stand, by partner.
func (w *world) states() (map[string]shareState, error) {
	var reg struct{ Shares []shareState }
	if _, err := w.admin.call(w.t.Context(), http.MethodGet, "/v1/webhooks/"+w.id, nil, &reg); err != nil {
		return nil, err
	}
	found := map[string]shareState{}
	for _, s := range reg.Shares {
		found[s.Partner] = s
	}
	return found, nil
}

// metrics scrapes serve: metrics with their labels as they are written.
func (w *world) metrics() map[string]float64 {
	w.t.Helper()
	resp, err := http.Get(w.admin.url + "/metrics")
	must(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return metricsOf(strings.Split(string(text), "\n")...)
}

func metricsOf(lines ...string) map[string]float64 {
	found := map[string]float64{}
	for _, line := range lines {
		if at := strings.LastIndex(line, " "); at > 0 && line[0] != '#' {
			if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
				found[line[:at]] = v
			}
		}
	}
	return found
}

// ask runs a command that asks serve, as a person does.
func (w *world) ask(args ...string) (out string, code int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(w.t), args...)
	cmd.Env = append(os.Environ(), "SHEETBRIDGE_ADMIN_URL="+w.admin.url, "SHEETBRIDGE_ADMIN_TOKEN="+adminToken)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return text.String(), cmd.ProcessState.ExitCode()
}
