package inbox

import (
	"maps"
	"slices"
	"time"
)

const (
	// precision is how long before its time a schedule may go off: schedules count in
	// seconds.
	precision = time.Second
	// maxDeferral bounds how far ahead a hint is deferred: no clock that is wrong
	// keeps a registration waiting for longer.
	maxDeferral = 24 * time.Hour
	// slack is how far the server's clock may have been read wrong.
	slack       = time.Minute
	maxSchedule = 256 << 10 // bytes
)

// Schedule is what is due for a registration at some time. Times are the server's.
type Schedule struct {
	Registration   string               `json:"registration"`
	ReconcileEvery time.Duration        `json:"every,omitempty"`      // between two reconciles; 0: there are none
	SetAt          time.Time            `json:"followedAt,omitzero"`  // when Every was set
	ReconcileAt    time.Time            `json:"reconcileAt,omitzero"` // the next reconcile
	Webhook        *Deferred            `json:"webhook,omitempty"`    // of the webhook alone
	Whole          *Deferred            `json:"whole,omitempty"`      // of the registration as a whole
	Shares         map[string]*Deferred `json:"shares,omitempty"`     // by "partner/sheet"
}

// addition is what is to be added to a schedule, or one that went off.
type addition struct {
	Schedule
	Again bool `json:"again,omitempty"` // see [Inbox.DeferAgain]
}

// Deferred is a hint that waits for its time.
type Deferred struct {
	At   time.Time `json:"at"`
	Hint *Hint     `json:"hint"`
}

// repair removes what is no hint. Schedules come from the stream.
func (n *Schedule) repair(registration string) {
	n.Registration = registration
	maps.DeleteFunc(n.Shares, func(_ string, d *Deferred) bool { return d == nil || d.Hint == nil })
	for name, d := range n.Shares {
		d.Hint.Registration, d.Hint.Shares = registration, []string{name}
	}
	for _, d := range []**Deferred{&n.Webhook, &n.Whole} {
		if *d != nil && (*d).Hint == nil {
			*d = nil
		}
		if *d != nil {
			(*d).Hint.Registration, (*d).Hint.Shares = registration, nil
		}
	}
}

// next returns when the first thing is due; zero: nothing is.
func (n *Schedule) next() time.Time {
	next := n.ReconcileAt
	for _, d := range n.deferred() {
		if next.IsZero() || d.At.Before(next) {
			next = d.At
		}
	}
	return next
}

func (n *Schedule) deferred() []*Deferred {
	list := slices.Collect(maps.Values(n.Shares))
	for _, d := range []*Deferred{n.Webhook, n.Whole} {
		if d != nil {
			list = append(list, d)
		}
	}
	return list
}

// due returns the hints whose time has come, and a schedule of the rest with the
// next reconcile. now is when the schedule went off.
func (n *Schedule) due(now time.Time) (hints []*Hint, rest *Schedule) {
	limit := now.Add(precision)
	r := *n
	r.Shares = maps.Clone(n.Shares)
	if n.ReconcileEvery > 0 && !n.ReconcileAt.After(limit) {
		hints = append(hints, &Hint{
			Registration: n.Registration, Why: WhyReconcile, Whole: true, Webhook: true, ReceivedAt: now,
		})
		r.ReconcileAt = now.Add(n.ReconcileEvery)
	}
	for _, d := range []**Deferred{&r.Webhook, &r.Whole} {
		if *d != nil && !(*d).At.After(limit) {
			hints = append(hints, (*d).Hint.clone())
			*d = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Shares)) {
		if d := n.Shares[name]; !d.At.After(limit) {
			hints = append(hints, d.Hint.clone())
			delete(r.Shares, name)
		}
	}
	return hints, &r
}

// add adds what another schedule of the registration holds. The later interval
// counts, and the earlier time of what both have deferred. With again, what has
// failed more often keeps its time.
func (n *Schedule) add(other *Schedule, again bool) {
	if other.ReconcileEvery > 0 && (n.ReconcileEvery == 0 || other.SetAt.After(n.SetAt)) {
		n.ReconcileEvery, n.SetAt, n.ReconcileAt = other.ReconcileEvery, other.SetAt, other.ReconcileAt
	}
	if other.Webhook != nil {
		n.Webhook = n.Webhook.merged(other.Webhook, again)
	}
	if other.Whole != nil {
		n.Whole = n.Whole.merged(other.Whole, again)
	}
	for name, d := range other.Shares {
		if n.Shares == nil {
			n.Shares = map[string]*Deferred{}
		}
		n.Shares[name] = n.Shares[name].merged(d, again)
	}
}

// merged returns d with what another hint for the same says; d may be nil.
func (d *Deferred) merged(other *Deferred, again bool) *Deferred {
	if d == nil {
		return &Deferred{At: other.At, Hint: other.Hint.clone()}
	}
	m := &Deferred{At: d.At, Hint: d.Hint.clone()}
	m.Hint.Merge(other.Hint)
	keeps := again && d.Hint.Attempt > other.Hint.Attempt
	if other.At.Before(d.At) && !keeps {
		m.At = other.At
	}
	return m
}

// clamp brings times that no right clock can have written to where they may be.
func (n *Schedule) clamp(now time.Time) {
	if limit := now.Add(n.ReconcileEvery); n.ReconcileAt.After(limit.Add(slack)) {
		n.ReconcileAt = limit
	}
	if n.SetAt.After(now) {
		n.SetAt = now
	}
	for _, d := range n.deferred() {
		if limit := now.Add(maxDeferral); d.At.After(limit.Add(slack)) {
			d.At = limit
		}
	}
}

// bound shortens what is deferred where the schedule is too large: all of it is
// about whole sheets anyway.
func (n *Schedule) bound() {
	size := 0
	for _, d := range n.deferred() {
		size += d.Hint.bytes()
	}
	if size <= maxSchedule {
		return
	}
	for _, d := range n.deferred() {
		d.Hint = d.Hint.coarse()
	}
}

// scheduleOf returns a schedule of one hint that is deferred until a time, as one for the
// whole sheet, or for the webhook alone.
func scheduleOf(h *Hint, at time.Time) *Schedule {
	late := h.clone()
	n := &Schedule{Registration: h.Registration}
	if h.Webhook && h.empty() {
		n.Webhook = &Deferred{At: at, Hint: late}
		return n
	}
	late.Whole = true
	if len(h.Shares) == 0 {
		n.Whole = &Deferred{At: at, Hint: late}
		return n
	}
	n.Shares = map[string]*Deferred{}
	for _, s := range h.Shares {
		one := late.clone()
		one.Shares = []string{s}
		n.Shares[s] = &Deferred{At: at, Hint: one}
	}
	return n
}
