package diagnose

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// surveyTime bounds how long an answer waits for NATS. What has not answered
	// by then is unknown.
	surveyTime = 2 * time.Second
	// partnersAtOnce is how many partners are asked at once for their usage.
	partnersAtOnce = 8
)

// StateUnknown is the state of a share whose stream does not answer.
const StateUnknown events.State = "unknown"

// Survey asks for the state of webhooks, shares and partners.
type Survey struct {
	Registry *registry.Registry
	Partners *partner.Partners
	Inbox    *inbox.Inbox
}

// WebhookState is the state of a registration.
type WebhookState struct {
	Registration *registry.Registration
	Shares       []ShareState
	Backlog      *int // hints that wait for it; nil: unknown
}

// ShareState is the state of a share, as its partner's stream says, or stale
// where the bridge cannot publish to it.
type ShareState struct {
	Share      *registry.Share
	State      events.State
	Reason     string // why it is not live
	CompleteTo *events.CompleteTo
	Filter     *registry.FilterResult // nil: no filter, or not known yet
	Progress   *partner.Progress      // of the load; nil: it is not loaded now, or by another replica
}

// PartnerState is the state of a partner's stream and of its shares.
type PartnerState struct {
	Partner *registry.Partner
	Usage   *stream.Usage    // nil: the stream does not answer
	Reading *partner.Reading // nil: not known now
	Shares  []ShareState
}

// Webhooks returns the states of registrations and their shares. All partners
// are asked at once, so that one that does not answer leaves only its own shares
// unknown.
func (s *Survey) Webhooks(ctx context.Context, regs []*registry.Registration) []WebhookState {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	var all []*registry.Share
	for _, reg := range regs {
		all = append(all, s.sharesOf(reg.ID)...)
	}
	backlog := make(chan map[string]int, 1) // has room: an answer that comes too late waits for nobody
	go func() {
		waiting, err := s.Inbox.Backlog(ctx)
		if err == nil {
			backlog <- waiting
		}
	}()
	states := s.Shares(ctx, all)
	list := make([]WebhookState, len(regs))
	for i, reg := range regs {
		list[i].Registration = reg
		for len(states) > 0 && states[0].Share.Registration == reg.ID {
			list[i].Shares, states = append(list[i].Shares, states[0]), states[1:]
		}
	}
	select {
	case waiting := <-backlog:
		for i, reg := range regs {
			n := waiting[reg.ID]
			list[i].Backlog = &n
		}
	case <-ctx.Done():
	}
	return list
}

// sharesOf returns the shares of a registration that have not been ended.
func (s *Survey) sharesOf(registration string) []*registry.Share {
	var live []*registry.Share
	for _, share := range s.Registry.Shares(registration) {
		if !share.Ending {
			live = append(live, share)
		}
	}
	return live
}

// Shares returns the states of shares, in their order.
func (s *Survey) Shares(ctx context.Context, shares []*registry.Share) []ShareState {
	type answer struct {
		places []int // in shares
		states []ShareState
	}
	list := make([]ShareState, len(shares))
	places := map[string][]int{} // by partner
	for i, share := range shares {
		list[i] = ShareState{Share: share, State: StateUnknown, Reason: "NATS did not answer in time"}
		places[share.Partner] = append(places[share.Partner], i)
	}
	answers := make(chan answer, len(places)) // has room: an answer that comes too late waits for nobody
	for name, of := range places {
		asked := make([]*registry.Share, len(of))
		for i, place := range of {
			asked[i] = shares[place]
		}
		go func() {
			st, err := s.stream(ctx, name)
			answers <- answer{of, s.states(ctx, st, err, asked)}
		}()
	}
	for range places {
		select {
		case a := <-answers:
			for i, place := range a.places {
				list[place] = a.states[i]
			}
		case <-ctx.Done():
			return list
		}
	}
	return list
}

func (s *Survey) stream(ctx context.Context, partner string) (*stream.Stream, error) {
	p := s.Registry.Partner(partner)
	if p == nil {
		return nil, registry.ErrNotFound
	}
	return s.Partners.Stream(ctx, p)
}

// states reads the states of shares of one partner from its stream, or says why
// the stream could not be opened.
func (s *Survey) states(ctx context.Context, st *stream.Stream, err error, shares []*registry.Share) []ShareState {
	var found map[*events.Share]*stream.State
	if err == nil {
		asked := make([]*events.Share, len(shares))
		for i, share := range shares {
			asked[i] = &share.Share
		}
		found, err = st.States(ctx, asked)
	}
	list := make([]ShareState, len(shares))
	for i, share := range shares {
		list[i] = s.stateOf(share, found[&share.Share], err)
	}
	return list
}

func (s *Survey) stateOf(share *registry.Share, found *stream.State, err error) ShareState {
	state := ShareState{Share: share, State: StateUnknown}
	if share.Where != "" {
		state.Filter = s.Registry.FilterResult(share)
	}
	if err != nil {
		state.Reason = "the partner's stream cannot be read: " + err.Error()
		if errors.Is(err, partner.ErrCircuitOpen) {
			state.Reason = err.Error() // short enough for a table
		}
		return state
	}
	if state.State, state.Reason, state.CompleteTo = found.At(share.Revision, time.Now()); state.State == events.StateLoading {
		state.Progress = s.Partners.Progress(share)
	}
	// The stream itself cannot say that it is full.
	failure := s.Partners.Failure(share.Partner, share.Sheet, state.CompleteTo)
	if failure == "" || state.State == events.StateSuspended { // which has a better reason
		return state.withFilter()
	}
	if state.State == events.StateLive {
		state.State = events.StateStale
	}
	state.Reason = failure
	return state
}

// withFilter adds to the reason of a live share what is wrong with its filter. The
// partner is not told: it would learn of rows that are hidden.
func (s ShareState) withFilter() ShareState {
	if why := s.Filter.Warning(); why != "" && s.State == events.StateLive {
		s.Reason = strings.TrimPrefix(s.Reason+"; "+why, "; ")
	}
	return s
}

// Reading returns how far a partner has read: as it is now, or what is remembered where
// its stream does not answer.
func (s *Survey) Reading(ctx context.Context, p *registry.Partner) *partner.Reading {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	if state := s.partnerState(ctx, p, nil); state.Reading != nil {
		return state.Reading
	}
	return s.Partners.RememberedReading(p)
}

// AllPartners returns the states of all partners and their shares. Some partners
// are asked at once, each for at most the time that is given.
func (s *Survey) AllPartners(ctx context.Context, each time.Duration) []PartnerState {
	shares := map[string][]*registry.Share{}
	for _, share := range s.Registry.AllShares() {
		if !share.Ending {
			shares[share.Partner] = append(shares[share.Partner], share)
		}
	}
	partners := s.Registry.Partners()
	list := make([]PartnerState, len(partners))
	var g errgroup.Group
	g.SetLimit(partnersAtOnce)
	for i, p := range partners {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, each)
			defer cancel()
			list[i] = s.partnerState(ctx, p, shares[p.Name])
			return nil
		})
	}
	_ = g.Wait() // they return none
	return list
}

func (s *Survey) partnerState(ctx context.Context, p *registry.Partner, shares []*registry.Share) PartnerState {
	state := PartnerState{Partner: p}
	st, err := s.Partners.Stream(ctx, p)
	var usage stream.Usage
	if err == nil {
		usage, err = st.Usage(ctx)
	}
	state.Shares = s.states(ctx, st, err, shares)
	if err != nil {
		return state
	}
	state.Usage = &usage
	if state.Reading, err = s.Partners.Reading(ctx, p, st, &usage); err != nil {
		s.Partners.Log.Debug("it is not known how far a partner has read", "partner", p.Name, "err", err)
	}
	return state
}
