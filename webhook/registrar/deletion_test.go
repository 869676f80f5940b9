package registrar_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// faultOn has requests of one method for webhooks answered with a fault.
func faultOn(method string, f smartsheettest.Fault) func(*http.Request) *smartsheettest.Fault {
	return func(r *http.Request) *smartsheettest.Fault {
		if r.Method == method && strings.Contains(r.URL.Path, "/webhooks") {
			return &f
		}
		return nil
	}
}

// TestDeleteAnswered: a webhook is gone if Smartsheet says so, and else its
// registration stays until it is. The partner is told in any case.
func TestDeleteAnswered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault smartsheettest.Fault
		gone  bool
	}{
		"done":                         {smartsheettest.Fault{}, true},
		"not there":                    {smartsheettest.Fault{Status: 404, ErrorCode: 1006}, true},
		"not there, without a code":    {smartsheettest.Fault{Status: 404, HTML: true}, true},
		"not there, by the code":       {smartsheettest.Fault{Status: 400, ErrorCode: 1006}, true},
		"down":                         {smartsheettest.Fault{Status: 503, HTML: true}, false},
		"broken":                       {smartsheettest.Fault{Status: 500, ErrorCode: 4000}, false},
		"throttled":                    {smartsheettest.Fault{Status: 429, ErrorCode: 4003, RetryAfter: time.Second}, false},
		"forbidden":                    {smartsheettest.Fault{Status: 403, ErrorCode: 1004}, false},
		"forbidden by a gateway":       {smartsheettest.Fault{Status: 403, HTML: true}, false},
		"unauthorized":                 {smartsheettest.Fault{Status: 401, ErrorCode: 1002}, false},
		"unauthorized by a gateway":    {smartsheettest.Fault{Status: 401, HTML: true}, false},
		"a wrong request":              {smartsheettest.Fault{Status: 400, ErrorCode: 1008}, false},
		"no connection":                {smartsheettest.Fault{HangUp: true}, false},
		"done, and the answer is lost": {smartsheettest.Fault{LoseAnswer: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			w.StopRelay() // which would try again
			w.Sim.SetFault(faultOn(http.MethodDelete, tt.fault))
			gone, err := w.Registrar.Delete(t.Context(), w.Reg.ID)
			if err != nil || gone != tt.gone {
				t.Errorf("got gone %v and error %v, want %v", gone, err, tt.gone)
			}
			reg := w.Registry.Registration(w.Reg.ID)
			if tt.gone != (reg == nil) || !tt.gone && reg.Phase != registry.PhaseDeleting {
				t.Fatalf("got registration %+v, want it removed: %v", reg, tt.gone)
			}
			if _, err := w.Registrar.Registration(w.Reg.ID); err == nil {
				t.Error("a deleted registration is shown")
			}
			if s := w.Registry.Share("acme", "orders"); s == nil || !s.Ending {
				t.Errorf("got share %+v, want it ending until the partner has been told", s)
			}
			if w.Registrar.CleanUp(t.Context()); !tt.gone && tt.fault.Status != 0 && w.Registry.Registration(w.Reg.ID) == nil {
				t.Error("the record was removed by a try that failed")
			}
			w.Sim.SetFault(nil)
			w.Await("the registration is removed", func() bool { // a token that was throttled rests first
				w.Registrar.CleanUp(t.Context())
				return w.Registry.Registration(w.Reg.ID) == nil
			})
			w.StartRelay()
			w.Settle()
			if tt.fault.Status == 0 || !tt.gone {
				w.WantNothingLeft("deleted in the end")
			}
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateEnded {
				t.Errorf("got status %s, want ended", s.State)
			}
		})
	}
}

// TestDeleteInTheNameOfNobody: the webhook of an owner whose token is dead cannot
// be deleted, and is when the owner has another one. Meanwhile the partner has
// been told.
func TestDeleteInTheNameOfNobody(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	w.Sim.RevokeToken(w.Token)
	if gone, err := w.Registrar.Delete(t.Context(), w.Reg.ID); gone || err != nil {
		t.Errorf("got gone %v and error %v, want neither", gone, err)
	}
	w.Settle()
	w.Registrar.CleanUp(t.Context())
	if reg := w.Registry.Registration(w.Reg.ID); reg == nil || len(w.Sim.Webhooks()) != 1 {
		t.Errorf("got registration %v and %d webhooks, want both", reg, len(w.Sim.Webhooks()))
	}
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateEnded || w.Registry.Share("acme", "orders") != nil {
		t.Errorf("got status %s and share %v, want it ended", s.State, w.Registry.Share("acme", "orders"))
	}
	w.ReplaceToken("ops", w.Sim.AddToken(w.Jane))
	w.Registrar.CleanUp(t.Context())
	w.Settle()
	w.WantNothingLeft("deleted in the end")
}

// TestEndingSharesAreDetached: a partner that cannot be told keeps no registration
// from being removed and none from being made; only the name is taken.
func TestEndingSharesAreDetached(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true}, webhooktest.Everything())
	w.StopRelay() // as if the partner's NATS did not answer
	w.Delete()
	if reg := w.Registry.Registration(w.Reg.ID); reg != nil {
		t.Errorf("got registration %+v, want it removed", reg)
	}
	_, _, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Fault != problem.Conflict || !strings.Contains(p.Detail, "still being ended: try again") {
		t.Errorf("the same name: got error %v, want that an earlier share is being ended", err)
	}
	other := webhooktest.Everything()
	other.Sheet = "others"
	reg, created, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{other})
	if err != nil || !created || reg.ID != w.Reg.ID {
		t.Fatalf("another name: got error %v, want the sheet registered again", err)
	}
	if got := len(w.Registry.Shares(reg.ID)); got != 2 {
		t.Errorf("got %d shares, want the new one and the one that is ending", got)
	}
	w.StartRelay()
	w.Settle()
	w.Check("acme")
	if s := w.Registry.Share("acme", "orders"); s != nil {
		t.Errorf("got share %+v, want it gone", s)
	}
	w.Register("ops", w.Sheet.ID, webhooktest.Everything())
	w.Check("acme")
}

// TestSharesLeftOver: what a process that died has left is ended or removed.
func TestSharesLeftOver(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true}, webhooktest.Everything())
	w.AddPartner("bolt")
	orphan, nobodys := *w.Registry.Share("acme", "orders"), *w.Registry.Share("acme", "orders")
	orphan.Sheet, orphan.Registration, orphan.Published = "orphan", registry.RegistrationID("ops", 4711), nil
	nobodys.Partner, nobodys.Published = "bolt", nil
	webhooktest.Must(t, w.Registry.CreateShares(t.Context(), []*registry.Share{&orphan, &nobodys}))
	webhooktest.Must(t, w.Registry.DeletePartner(t.Context(), w.Registry.Partner("bolt")))
	w.Registrar.CleanUp(t.Context())
	w.Settle()
	if s := w.Registry.Share("acme", "orphan"); s != nil {
		t.Errorf("got share %+v of a registration that is not there, want it ended", s)
	}
	if s := w.Registry.Share("bolt", "orders"); s != nil {
		t.Errorf("got share %+v of a partner that is not there, want it removed", s)
	}
	if s := w.Registry.Share("acme", "orders"); s == nil || s.Ending {
		t.Errorf("got share %+v, want the one that is in order as it was", s)
	}
}

// TestEndsNoOtherShare: a replica that does not know that a share was ended and
// made again does not end the new one.
func TestEndsNoOtherShare(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true}, webhooktest.Everything())
	behind, stop := w.Replica()
	stop() // it has the share of now
	webhooktest.Must(t, w.Registrar.EndShare(t.Context(), w.Reg.ID, "acme", "orders"))
	w.Settle()
	w.Register("ops", w.Sheet.ID, webhooktest.Everything())
	var p *problem.Problem
	for doing, err := range map[string]error{
		"ending":     behind.EndShare(t.Context(), w.Reg.ID, "acme", "orders"),
		"sending":    behind.Resend(t.Context(), w.Reg.ID, "acme", "orders"),
		"redefining": behind.PutShare(t.Context(), w.Reg.ID, "acme", "orders", events.Request{Columns: webhooktest.Columns("No")}, true),
	} {
		if !errors.As(err, &p) || p.Fault != problem.NotFound {
			t.Errorf("%s: got error %v, want that the share is not there any more", doing, err)
		}
	}
	w.Settle()
	if s := w.Registry.Share("acme", "orders"); s == nil || s.Ending || s.Revision != 1 {
		t.Errorf("got share %+v, want the new one as it was made", s)
	}
	w.Check("acme")
}
