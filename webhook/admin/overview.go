package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// endsSoon is how long before its end something is counted as ending.
const endsSoon = 30 * 24 * time.Hour

// overviewTime bounds what the overview waits for one partner, and for the queue.
const overviewTime = 2 * time.Second

// Overview is how everything stands, in numbers and with a line for each share.
type Overview struct {
	At      time.Time       `json:"at"`
	Version string          `json:"version" doc:"Of the bridge"`
	Access  OverviewAccess  `json:"access" doc:"What the token of this request may do"`
	Counts  OverviewCounts  `json:"counts"`
	Owners  []OverviewOwner `json:"owners" nullable:"false" doc:"Owners whose access does not work"`
	Ending  []Ending        `json:"ending" nullable:"false" doc:"What ends within 30 days, or has ended, soonest first"`
	Items   []OverviewShare `json:"items" nullable:"false" doc:"The shares, those that need a person first"`
}

// OverviewAccess is what a token may do.
type OverviewAccess struct {
	Name     string `json:"name" doc:"Of the token" example:"alice"`
	ReadOnly bool   `json:"readOnly" doc:"It may change nothing and is shown no cells"`
}

// OverviewCounts are numbers of things.
type OverviewCounts struct {
	Owners         int  `json:"owners"`
	Partners       int  `json:"partners"`
	Sheets         int  `json:"sheets"`
	Shares         int  `json:"shares"`
	Live           int  `json:"live"`
	Loading        int  `json:"loading"`
	Stale          int  `json:"stale"`
	Suspended      int  `json:"suspended"`
	Unknown        int  `json:"unknown"`
	FilterWarnings int  `json:"filterWarnings" doc:"Live shares none of whose rows passes the filter, or whose filter cannot be evaluated on some"`
	OwnersToMend   int  `json:"ownersToMend" doc:"Owners whose access does not work"`
	Ending         int  `json:"ending" doc:"Credentials and shares that end within 30 days, or have ended"`
	NotReading     int  `json:"notReading" doc:"Partners with shares that have read nothing for long, although there was something"`
	Dead           *int `json:"dead" doc:"Hints that were given up; null: unknown"`
}

// OverviewOwner is an owner whose access does not work.
type OverviewOwner struct {
	Name   string  `json:"name"`
	State  string  `json:"state" enum:"authorize,refused,suspended"`
	Reason string  `json:"reason,omitempty"`
	Action *Action `json:"action"`
}

// Ending is something that ends soon.
type Ending struct {
	Kind    string    `json:"kind" enum:"credentials,share"`
	Partner string    `json:"partner"`
	Name    string    `json:"name" doc:"Of the credentials, or of the sheet"`
	At      time.Time `json:"at"`
	Action  *Action   `json:"action"`
}

// OverviewShare is one share.
type OverviewShare struct {
	Webhook   string   `json:"webhook" doc:"Id of the registration"`
	SheetID   string   `json:"sheetId"`
	SheetName string   `json:"sheetName" doc:"At Smartsheet"`
	Owner     string   `json:"owner"`
	Partner   string   `json:"partner"`
	Sheet     string   `json:"sheet" doc:"The partner's name for it"`
	Columns   int      `json:"columns" doc:"That are shared"`
	ColumnsOf int      `json:"columnsOf,omitempty" doc:"That the sheet had when the share was made or changed; absent: unknown"`
	Masked    []string `json:"masked" nullable:"false" doc:"Fields that are masked"`
	Kinds     []string `json:"kinds" nullable:"false"`
	Where     string   `json:"where,omitempty" doc:"Absent: every row is shared"`

	Attributes map[string]string `json:"attributes,omitempty" doc:"What where names of the partner's attributes"`

	Filter     *FilterResult `json:"filter,omitempty"`
	Write      *WriteTerms   `json:"write,omitempty" doc:"What the partner may have changed of the sheet; absent: nothing"`
	State      string        `json:"state" enum:"loading,live,stale,suspended,ended,unknown"`
	Reason     string        `json:"reason,omitempty"`
	Status     string        `json:"status" doc:"Of the webhook at Smartsheet, or POLLING"`
	Until      *time.Time    `json:"until,omitempty" doc:"When it ends by itself; absent: never"`
	Progress   *Progress     `json:"progress" doc:"How far its load is; null: it is not being loaded, or by another replica"`
	CompleteTo *CompleteTo   `json:"completeTo"`
	Backlog    *int          `json:"backlog" doc:"Hints that wait for the sheet; null: unknown"`
	LastRead   *time.Time    `json:"lastRead" doc:"When the partner last read, or waited for something to read; null: never, or unknown"`
	ReadTo     *Position     `json:"readTo" doc:"Up to where any reader of the partner was given its stream; null: nothing yet, or unknown"`
	NotReading bool          `json:"notReading" doc:"The partner has read nothing for long, and there was something"`
	Lag        *uint64       `json:"lag" doc:"Messages that the partner's slowest consumer has still to get; null: unknown"`
	Attention  string        `json:"attention,omitempty" doc:"What a person should see to; absent: nothing"`
	Action     *Action       `json:"action,omitempty" doc:"The next step, where there is one"`
}

func (a *API) routeOverview(api huma.API) {
	register(api, operation{
		method: http.MethodGet, path: "/v1/overview", id: "getOverview", tag: "overview",
		summary:     "Show how everything stands",
		description: "Counts, what needs a person, and one line for each share. It asks partners' NATS and not Smartsheet; what does not answer within two seconds is unknown.",
	}, a.getOverview)
}

func (a *API) getOverview(ctx context.Context, _ *none) (*out[Overview], error) {
	rec := recordOf(ctx)
	o := Overview{
		At: now(), Version: cmp.Or(a.Version, "dev"), Access: OverviewAccess{rec.who, rec.readOnly},
		Owners: []OverviewOwner{}, Ending: a.ending(), Items: []OverviewShare{},
	}
	var regs []*registry.Registration
	for _, reg := range a.Registry.Registrations() {
		if reg.Phase == registry.PhaseActive {
			regs = append(regs, reg)
		}
	}
	partners := a.Registry.Partners()
	read := make(chan map[string]partnerReading, 1)
	go func() { read <- a.readings(ctx) }()
	webhooks := a.webhooksOf(ctx, regs)
	reading := <-read
	for _, w := range webhooks {
		for _, s := range w.Shares {
			o.Items = append(o.Items, overviewShare(w, s, reading[s.Partner]))
		}
	}
	slices.SortStableFunc(o.Items, func(x, y OverviewShare) int {
		return cmp.Or(urgency(x)-urgency(y), cmp.Compare(x.SheetName, y.SheetName), cmp.Compare(x.Partner, y.Partner))
	})
	for _, of := range a.Registry.Owners() {
		if of.State != registry.OwnerOK {
			o.Owners = append(o.Owners, OverviewOwner{of.Name, string(of.State), of.Reason, owner.RestoreAccess(of)})
		}
	}
	o.count(len(a.Registry.Owners()), len(partners), len(regs))
	o.Counts.Dead = a.deadCount(ctx)
	return &out[Overview]{o}, nil
}

// count enters the numbers that follow from the lists.
func (o *Overview) count(owners, partners, sheets int) {
	c := &o.Counts
	c.Owners, c.Partners, c.Sheets, c.Shares = owners, partners, sheets, len(o.Items)
	c.OwnersToMend, c.Ending = len(o.Owners), len(o.Ending)
	idle := map[string]bool{}
	for _, s := range o.Items {
		if s.NotReading {
			idle[s.Partner] = true
		}
		switch events.State(s.State) {
		case events.StateLive:
			c.Live++
		case events.StateLoading:
			c.Loading++
		case events.StateStale:
			c.Stale++
		case events.StateSuspended:
			c.Suspended++
		default:
			c.Unknown++
		}
		if s.filterWarning() != "" {
			c.FilterWarnings++
		}
	}
	c.NotReading = len(idle)
}

// urgency orders shares: what a person must see to comes first.
func urgency(s OverviewShare) int {
	order := []string{"suspended", "stale", "unknown", "loading"}
	if i := slices.Index(order, s.State); i >= 0 {
		return i
	}
	if s.Attention != "" {
		return len(order)
	}
	return len(order) + 1
}

func overviewShare(w Webhook, s Share, read partnerReading) OverviewShare {
	shown := OverviewShare{
		Webhook: w.ID, SheetID: w.SheetID, SheetName: w.SheetName, Owner: w.Owner, Partner: s.Partner, Sheet: s.Sheet,
		Columns: len(s.Columns), ColumnsOf: s.SheetColumns, Masked: []string{}, Kinds: s.Kinds, Where: s.Where, Attributes: s.Attributes, Filter: s.Filter, Write: s.Write,
		State: s.State, Reason: s.Reason, Status: w.Status, CompleteTo: s.CompleteTo, Until: s.Until, Progress: s.Progress, Backlog: w.Backlog, Lag: read.lag,
	}
	if r := read.Reading; r != nil {
		shown.LastRead, shown.ReadTo, shown.NotReading = timeOrNull(r.SeenAt), position(r.Delivered, r.DeliveredAt), r.NotReading
	}
	for _, c := range s.Columns {
		if c.Mask != "" {
			shown.Masked = append(shown.Masked, c.As)
		}
	}
	shown.advise()
	if why := read.Warning(); why != "" && shown.Attention == "" {
		shown.Attention, shown.Action = "the partner: "+why, problem.ShowReading.For(s.Partner)
	}
	return shown
}

// filterWarning says what is wrong with the filter, empty for nothing.
func (s *OverviewShare) filterWarning() string {
	if s.Filter == nil {
		return ""
	}
	return (&registry.FilterResult{Rows: s.Filter.Rows, Shown: s.Filter.Shown, Failed: s.Filter.Failed}).Warning()
}

// advise says what a person should see to, and the next step.
func (s *OverviewShare) advise() {
	doctor := problem.Examine.For()
	switch events.State(s.State) {
	case events.StateLive:
		if why := s.filterWarning(); why != "" {
			s.Attention = why
			s.Action = problem.ChangeShare.For(s.Webhook, s.Partner, s.Sheet)
		}
	case events.StateLoading:
	case events.StateSuspended:
		s.Attention, s.Action = cmp.Or(s.Reason, "the owner's access does not work"), problem.ShowOwner.For(s.Owner)
	case events.StateStale:
		s.Attention, s.Action = cmp.Or(s.Reason, "the stream is not kept up to date"), doctor
	default:
		s.Attention, s.Action = cmp.Or(s.Reason, "its stream could not be read now"), doctor
	}
}

// ending lists what ends soon.
func (a *API) ending() []Ending {
	list := []Ending{}
	for _, p := range a.Registry.Partners() {
		for _, c := range p.Credentials {
			if c.ExpiresAt != nil && time.Until(*c.ExpiresAt) < endsSoon {
				list = append(list, Ending{"credentials", p.Name, c.Name, *c.ExpiresAt,
					problem.MakeCredentials.For(p.Name)})
			}
		}
	}
	for _, s := range a.Registry.AllShares() {
		if !s.Ending && s.Until != nil && time.Until(*s.Until) < endsSoon {
			list = append(list, Ending{"share", s.Partner, s.Sheet, *s.Until,
				problem.ChangeShare.For(s.Registration, s.Partner, s.Sheet)})
		}
	}
	slices.SortStableFunc(list, func(x, y Ending) int { return x.At.Compare(y.At) })
	return list
}

// deadCount is how many hints were given up, nil where that is not known in time.
func (a *API) deadCount(ctx context.Context) *int {
	ctx, cancel := context.WithTimeout(ctx, overviewTime)
	defer cancel()
	stats, err := a.Inbox.Stats(ctx)
	if err != nil {
		return nil
	}
	n := int(stats.Dead)
	return &n
}

// readings asks how far partners have read. Who does not answer in time is not in it.
func (a *API) readings(ctx context.Context) map[string]partnerReading {
	found := map[string]partnerReading{}
	for _, state := range a.Doctor.AllPartners(ctx, overviewTime) {
		read := partnerReading{Reading: state.Reading}
		if u := state.Usage; u != nil && u.Readers > 0 {
			read.lag = &u.Lag
		}
		found[state.Partner.Name] = read
	}
	return found
}

// partnerReading is how far a partner has read.
type partnerReading struct {
	*partner.Reading
	lag *uint64 // of the slowest consumer; nil: unknown
}
