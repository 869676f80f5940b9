package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// ConsentPath is where Smartsheet sends browsers back to after the page of
// consent.
const ConsentPath = "/oauth/callback"

// Middleware returns a handler that answers ConsentPath, and has the next one answer
// everything else. A nil OAuth adds nothing.
func (o *OAuth) Middleware(next http.Handler) http.Handler {
	if o == nil {
		return next
	}
	o.once.Do(func() { o.lookups = semaphore.NewWeighted(consentsAtOnce) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == ConsentPath {
			o.serve(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (o *OAuth) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		o.writePage(w, &page{Status: http.StatusMethodNotAllowed, Title: "This page is opened by Smartsheet", Text: "Open the address that you were sent, and follow it."})
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), completeTime)
	defer cancel()
	// What is begun is ended, even for a browser that is gone; it has to be
	// told for as long as that takes.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(o.deadline()) // not every writer has deadlines
	_ = control.SetWriteDeadline(o.deadline())
	q := r.URL.Query()
	p, owner, err := o.handleReturn(ctx, q.Get("state"), q.Get("code"), q.Get("error"))
	if err != nil {
		o.logFailure(ctx, owner, p.Status, err)
	}
	o.writePage(w, p)
}

// logFailure writes the line of a consent that did not come about. Lines about
// addresses that nobody waits for are bounded: everybody can make those up.
func (o *OAuth) logFailure(ctx context.Context, owner string, status int, err error) {
	attrs := []slog.Attr{slog.String("owner", owner), slog.Int("status", status), slog.Any("err", err)}
	if errors.Is(err, errUnknownState) {
		left, ok := o.Strangers.Next()
		if !ok {
			return
		}
		attrs = append(attrs, left...)
	}
	o.Log.LogAttrs(ctx, slog.LevelWarn, "a consent did not come about", attrs...)
}

// handleReturn does what a browser brings back, and says what to show for it. The
// error is for the log.
func (o *OAuth) handleReturn(ctx context.Context, state, code, refused string) (*page, string, error) {
	select {
	case <-o.Access.Registry.Loaded():
	default:
		return &page{Status: http.StatusServiceUnavailable, Title: "Not ready yet", Text: "Reload this page in a few seconds."}, "", nil
	}
	ctx = audit.As(ctx, "owner "+ownerOfState(state))
	owner, err := o.consumeState(ctx, state)
	switch {
	case errors.Is(err, errUnknownState):
		return &page{Status: http.StatusBadRequest, Title: "This address does not work",
			Text: "It was used before, a newer one was made, or it is not complete. If you have just seen that you are connected, all is well. Else ask for a new one."}, "", err
	case errors.Is(err, errLateState):
		return &page{Status: http.StatusGone, Title: "This address has expired", Text: "It works for ten minutes. Nothing was shared. Ask for a new one."}, ownerOfState(state), err
	case err != nil:
		return &page{Status: http.StatusServiceUnavailable, Title: "Not now", Text: "The bridge cannot store your consent at the moment. Reload this page in a minute."}, ownerOfState(state), err
	case refused != "":
		return o.refused(ctx, owner, refused)
	case code == "" || len(code) > maxParameter:
		return &page{Status: http.StatusBadRequest, Title: "Smartsheet sent no code", Text: "Nothing was shared. Ask for a new address and try again."}, owner.Name, errors.New("no code")
	}
	me, err := o.complete(ctx, owner, code)
	if err != nil {
		if errors.Is(err, errOtherUser) {
			err = errors.Join(err, o.recordOtherUser(ctx, owner.Name, me.Email))
		}
		return o.failure(owner, me, err), owner.Name, err
	}
	p := &page{Status: http.StatusOK, Title: "You are connected", User: me.Email, Shared: o.shared(owner.Name)}
	p.Text = "The bridge can now read the sheets that you can see. It cannot change them, and no password or key was handed over."
	return p, owner.Name, nil
}

// refused is a consent that was not given.
func (o *OAuth) refused(ctx context.Context, owner *registry.Owner, why string) (*page, string, error) {
	if why != "access_denied" {
		return &page{Status: http.StatusBadGateway, Title: "Smartsheet did not ask you",
			Text: "It does not accept the request of this service. Tell those who sent you here."}, owner.Name, fmt.Errorf("consent was refused by Smartsheet: %.40q", why)
	}
	err := o.Access.Registry.UpdateOwner(ctx, owner.Name, func(now *registry.Owner) error {
		if now.State == registry.OwnerAuthorize {
			now.Reason = "the consent was refused in the browser. " + consentHint
		}
		return nil
	})
	return &page{Status: http.StatusOK, Title: "You did not consent",
		Text: "Nothing new is shared in your name. You can close this page; if it was a mistake, ask for a new address."}, owner.Name, err
}

// recordOtherUser shows admins that somebody else consented than has to.
func (o *OAuth) recordOtherUser(ctx context.Context, name, email string) error {
	return o.Access.Registry.UpdateOwner(ctx, name, func(now *registry.Owner) error {
		if now.State == registry.OwnerAuthorize {
			now.Reason = fmt.Sprintf("%s consented, and that does not count: %s has to. ", email, now.Email) + consentHint
		}
		return nil
	})
}

// failure is a consent that was given and does not count.
func (o *OAuth) failure(owner *registry.Owner, me *smartsheet.User, err error) *page {
	var e *smartsheet.Error
	switch {
	case errors.Is(err, errOtherUser):
		return &page{Status: http.StatusConflict, Title: "You are logged in as another user",
			Text: fmt.Sprintf("You consented as %s, but these sheets are shared in the name of %s. Nothing was changed. Log out of Smartsheet, ask for a new address, and log in as %s.", me.Email, owner.Email, owner.Email)}
	case errors.As(err, &e) && (e.Code == smartsheet.CodeCodeExpired || e.Code == smartsheet.CodeGrantInvalid || e.Code == smartsheet.CodeGrantRevoked):
		return &page{Status: http.StatusBadRequest, Title: "Your consent came too late",
			Text: "Smartsheet does not accept its code any more. Nothing was shared. Ask for a new address."}
	case errors.As(err, &e):
		return &page{Status: http.StatusBadGateway, Title: "Smartsheet refused", Text: fmt.Sprintf("It says: %s (%d). Nothing was shared. Tell those who sent you here, and ask for a new address.", e.Message, e.Code)}
	}
	return &page{Status: http.StatusServiceUnavailable, Title: "It did not work", Text: "Your consent could not be taken over. Ask for a new address and try again."}
}

// sharing is one sheet of the owner and who gets what of it.
type sharing struct {
	Sheet   string
	Partner string
	As      string // the partner's name for it
	Columns string
	Rows    string
}

// shared lists what is shared in the owner's name.
func (o *OAuth) shared(owner string) []sharing {
	var list []sharing
	for _, reg := range o.Access.Registry.Registrations() {
		if reg.Owner != owner || reg.Phase != registry.PhaseActive {
			continue
		}
		for _, s := range o.Access.Registry.Shares(reg.ID) {
			if s.Ending {
				continue
			}
			columns := make([]string, len(s.Fields))
			for i, f := range s.Fields {
				columns[i] = f.Title
			}
			rows := "all rows"
			if s.Where != "" {
				rows = "rows where " + s.Where
				for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
					rows += fmt.Sprintf(", partner.%s being %q", name, s.Attributes[name])
				}
			}
			list = append(list, sharing{reg.SheetName, s.Partner, s.Sheet, strings.Join(columns, ", "), rows})
		}
	}
	slices.SortFunc(list, func(a, b sharing) int {
		return strings.Compare(a.Sheet+"\x00"+a.Partner, b.Sheet+"\x00"+b.Partner)
	})
	return list
}
