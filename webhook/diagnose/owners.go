package diagnose

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	ownersAside   = 4                // owners that are asked at once
	ownerTime     = 15 * time.Second // for one owner's answers
	maxExamWebhks = 10_000           // webhooks of one owner that are looked through
)

// ownerWebhooks is what Smartsheet says of the webhooks of one owner.
type ownerWebhooks struct {
	answered bool // Smartsheet answered
	webhooks map[int64]smartsheet.Webhook
}

// clockReader remembers how far the clock of the server that answers is ahead of ours.
type clockReader struct {
	next http.RoundTripper

	mu   sync.Mutex
	skew *time.Duration
}

// RoundTrip sends the request as it is.
func (d *clockReader) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := time.Now()
	resp, err := d.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// It is cut to the second, and made some time between sending and now.
		skew := date.Add(500 * time.Millisecond).Sub(sent.Add(time.Since(sent) / 2))
		d.mu.Lock()
		d.skew = &skew
		d.mu.Unlock()
	}
	return resp, nil
}

// examineOwners asks Smartsheet in the name of every owner.
func (d *Doctor) examineOwners(ctx context.Context, f *findings) map[string]*ownerWebhooks {
	owners := d.Registry.Owners()
	if len(owners) == 0 {
		f.warn("owner", "none", "add one with POST /v1/owners", "nobody's sheets can be read yet").Action = problem.AddOwner.For()
	}
	found := make([]findings, len(owners))
	known := make([]*ownerWebhooks, len(owners))
	skews := make([]*time.Duration, len(owners))
	var g errgroup.Group
	g.SetLimit(ownersAside)
	for i, o := range owners {
		g.Go(func() error {
			known[i], skews[i] = d.examineOwner(ctx, &found[i], o)
			return nil
		})
	}
	_ = g.Wait() // they return none
	all, told := make(map[string]*ownerWebhooks, len(owners)), map[smartsheet.Region]bool{}
	for i, o := range owners {
		*f = append(*f, found[i]...)
		all[o.Name] = known[i]
		if skews[i] != nil && !told[o.Region] {
			told[o.Region] = true
			examineClock(f, "Smartsheet "+string(o.Region), *skews[i])
		}
	}
	return all
}

func (d *Doctor) examineOwner(ctx context.Context, f *findings, o *registry.Owner) (*ownerWebhooks, *time.Duration) {
	known := &ownerWebhooks{webhooks: map[int64]smartsheet.Webhook{}}
	if o.State != registry.OwnerOK {
		f.wrong("owner", o.Name, owner.AccessError(o), "%s: %s", o.State, o.Reason).Action = owner.RestoreAccess(o)
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ownerTime)
	defer cancel()
	client, err := d.Access.Client(o, budget.Reconcile)
	if err != nil {
		f.wrong("owner", o.Name, "give its token again with PUT /v1/owners/"+o.Name+"/token", "its token cannot be opened").Action = owner.RestoreAccess(o)
		return known, nil
	}
	watch := &clockReader{next: http.DefaultTransport}
	if client.HTTP == nil {
		client.HTTP = &http.Client{}
	} else {
		hc := *client.HTTP
		client.HTTP = &hc
	}
	if client.HTTP.Transport != nil {
		watch.next = client.HTTP.Transport
	}
	client.HTTP.Transport = watch
	_, err = client.Me(ctx)
	if err == nil && (d.hasWebhook(o.Name) || len(d.Registry.Registrations()) == 0) {
		err = known.list(ctx, client)
	}
	known.answered = err == nil
	switch tight := (*owner.BudgetError)(nil); {
	case err == nil:
		f.ok("owner", o.Name, "Smartsheet accepts it (%s, region %s)", o.Email, o.Region)
	case errors.As(err, &tight):
		f.warn("owner", o.Name, "ask again in "+strconv.Itoa(int(tight.Wait/time.Second)+1)+" s", "not asked: its budget (SHEETBRIDGE_API_RATE) has no room now")
	default:
		c := f.wrong("owner", o.Name, adviceOr(err, o), "%s", problem.FromSmartsheet("asking who the user is", err).Error())
		if class := smartsheet.Classify(err); class == smartsheet.Refused || class == smartsheet.Expired {
			c.Action = owner.RestoreAccess(o)
		}
	}
	return known, watch.skew
}

// list reads the webhooks that the owner sees.
func (s *ownerWebhooks) list(ctx context.Context, client *smartsheet.Client) error {
	for w, err := range client.Webhooks(ctx) {
		if err != nil {
			return err
		}
		if s.webhooks[w.ID] = w; len(s.webhooks) >= maxExamWebhks {
			break
		}
	}
	return nil
}

// adviceOr says what to do about a refusal of Smartsheet.
func adviceOr(err error, o *registry.Owner) string {
	if todo := owner.Advice(err); todo != "" {
		return todo
	}
	switch smartsheet.Classify(err) {
	case smartsheet.Refused, smartsheet.Expired:
		return "replace its token with PUT /v1/owners/" + o.Name + "/token"
	case smartsheet.NotFound, smartsheet.Forbidden:
		return "share the sheet with the owner again (" + o.Email + "; to view it is enough), or have somebody who sees it be the owner"
	case smartsheet.Wait:
		return "Smartsheet asks to wait: look again in a minute"
	}
	return "see that this machine reaches Smartsheet's API (firewall, proxy, DNS) and that status.smartsheet.com says all is well"
}

// hasWebhook tells whether something is registered with Smartsheet in the owner's name.
func (d *Doctor) hasWebhook(owner string) bool {
	for _, reg := range d.Registry.Registrations() {
		if reg.Owner == owner && reg.WebhookID != 0 {
			return true
		}
	}
	return false
}
