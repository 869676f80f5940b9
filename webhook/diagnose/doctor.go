package diagnose

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// What a check found.
const (
	checkOK      = "ok"
	checkWarning = "warning" // nothing is broken, or it cannot be told
	checkWrong   = "wrong"
)

const (
	// examTime bounds an examination; what has not answered by then is unknown.
	examTime = 40 * time.Second
	// A clock that is off by this much is worth a word, or breaks what depends on it.
	skewWarning, skewWrong = 5 * time.Second, time.Minute
	longWait               = 15 * time.Minute // of a hint in the queue
	nearlyFull             = 0.9              // of a partner's storage
	readyTime              = 5 * time.Second  // for the bridge to say that it works
)

// Check is one thing that was looked at.
type Check struct {
	Area   string `json:"area" enum:"bridge,clock,nats,public,queue,owner,partner,webhook,share"`
	Name   string `json:"name" doc:"What of it was looked at" example:"ops"`
	Level  string `json:"level" enum:"ok,warning,wrong" doc:"warning: nothing is broken, or it cannot be told"`
	Detail string `json:"detail" doc:"What was found"`
	Todo   string `json:"todo,omitempty" doc:"What to do about it"`

	Action *problem.Action `json:"action,omitempty" doc:"The call that leads out of it, where there is one"`
}

// Diagnosis is what an examination found.
type Diagnosis struct {
	OK    bool      `json:"ok" doc:"Nothing is wrong"`
	At    time.Time `json:"at"`
	Items []Check   `json:"items" nullable:"false"`
}

// findings collects checks of one area after another. Each is returned when it is
// entered, for its action.
type findings []Check

func (f *findings) enter(c Check) *Check {
	*f = append(*f, c)
	return &(*f)[len(*f)-1]
}

func (f *findings) ok(area, name, format string, args ...any) {
	f.enter(Check{Area: area, Name: name, Level: checkOK, Detail: fmt.Sprintf(format, args...)})
}

func (f *findings) warn(area, name, todo, format string, args ...any) *Check {
	return f.enter(Check{Area: area, Name: name, Level: checkWarning, Detail: fmt.Sprintf(format, args...), Todo: todo})
}

func (f *findings) wrong(area, name, todo, format string, args ...any) *Check {
	return f.enter(Check{Area: area, Name: name, Level: checkWrong, Detail: fmt.Sprintf(format, args...), Todo: todo})
}

// Doctor examines the bridge and explains what it published.
type Doctor struct {
	Survey
	Registrar *registrar.Registrar
	Access    *owner.Access
	Broker    *broker.Broker                  // nil: NATS is external
	NATS      *broker.Conn                    // the bridge's own connection; nil: NATS is not examined
	Version   string                          // of the bridge; empty: dev
	Ready     func(ctx context.Context) error // whether the bridge works; nil: it does
	Refusals  *write.Refusals                 // of partners' writes; nil: nobody counts them
}

// Examine examines everything. Webhooks are compared with what Smartsheet
// answers in the owners' names; the rest is examined at the same time.
func (d *Doctor) Examine(ctx context.Context) Diagnosis {
	ctx, cancel := context.WithTimeout(ctx, examTime)
	defer cancel()
	rest := make(chan findings, 1)
	go func() {
		var f findings
		d.examineNATS(ctx, &f)
		d.examineQueue(ctx, &f)
		d.examineDeadlines(&f)
		d.examinePartners(ctx, &f)
		rest <- f
	}()
	var all findings
	d.examineBridge(ctx, &all)
	seen := d.examineOwners(ctx, &all)
	d.examinePublic(ctx, &all, seen)
	d.examineUnknown(&all, seen)
	d.examineWebhooks(ctx, &all, seen)
	all = append(all, <-rest...)
	slices.SortStableFunc(all, func(x, y Check) int { return areaOrder(x.Area) - areaOrder(y.Area) })
	return Diagnosis{
		OK: !slices.ContainsFunc(all, func(c Check) bool { return c.Level == checkWrong }),
		At: time.Now().UTC().Truncate(time.Millisecond), Items: all,
	}
}

func areaOrder(area string) int {
	return slices.Index([]string{"bridge", "clock", "nats", "public", "queue", "owner", "partner", "webhook", "share"}, area)
}

func (d *Doctor) examineBridge(ctx context.Context, f *findings) {
	version := d.Version
	if version == "" {
		version = "dev"
	}
	if d.Ready != nil {
		ctx, cancel := context.WithTimeout(ctx, readyTime)
		defer cancel()
		if err := d.Ready(ctx); err != nil {
			f.wrong("bridge", version, "look at the log of serve, and at NATS below", "not ready: %v", err)
			return
		}
	}
	f.ok("bridge", version, "ready; a sheet is checked every %s at least", model.Duration(d.Registrar.ReconcileEvery))
}

func (d *Doctor) examineNATS(ctx context.Context, f *findings) {
	if d.NATS == nil {
		return
	}
	server, err := broker.Inspect(ctx, d.NATS)
	if err != nil {
		f.wrong("nats", "server", "see that NATS runs and that SHEETBRIDGE_NATS_URL and SHEETBRIDGE_NATS_CREDS are right", "%v", err)
		return
	}
	if server.NewEnough {
		f.ok("nats", "version", "%s, answers in %s", server.Version, server.RTT.Round(10*time.Microsecond))
	} else {
		f.wrong("nats", "version", "upgrade NATS to 2.14 or newer", "%s lacks what the bridge uses", server.Version)
	}
	if d.Broker != nil {
		f.ok("nats", "sync", "embedded: every write is synced to disk before it is acknowledged")
	} else {
		f.warn("nats", "sync", "see that jetstream { sync_interval: always } stands in the configuration of every server", "external: whether writes are synced cannot be seen from here")
	}
	examineStreams(f, server)
	if !server.Time.IsZero() {
		examineClock(f, "NATS", server.Skew)
	}
}

func examineStreams(f *findings, server *broker.ServerState) {
	var memory, behind, single []string
	for _, s := range server.Streams {
		if s.Memory {
			memory = append(memory, s.Name)
		}
		if s.Replicas == 1 {
			single = append(single, s.Name)
		}
		if len(s.Behind) > 0 {
			behind = append(behind, s.Name+" on "+strings.Join(s.Behind, ", "))
		}
	}
	if len(memory) > 0 {
		f.wrong("nats", "storage", "make these streams with file storage: a memory stream is lost with its server", "kept in memory: %s", strings.Join(memory, ", "))
	} else {
		f.ok("nats", "storage", "%d streams and buckets, all on disk", len(server.Streams))
	}
	switch {
	case len(behind) > 0:
		f.wrong("nats", "replicas", "look at these servers: another one that fails may stop the bridge", "copies that lag or are away: %s", strings.Join(behind, "; "))
	case server.Cluster == "":
		f.ok("nats", "replicas", "one server, one copy of everything: back up its directory")
	case len(single) > 0:
		f.warn("nats", "replicas", "set SHEETBRIDGE_NATS_REPLICAS=3 and start the bridge again", "cluster %s keeps only one copy of %s", server.Cluster, strings.Join(single, ", "))
	default:
		f.ok("nats", "replicas", "cluster %s, all copies up to date", server.Cluster)
	}
}

// examineClock judges how far another clock is ahead of ours.
func examineClock(f *findings, of string, skew time.Duration) {
	off, way := model.Duration(skew.Abs().Round(time.Second)), "ahead of"
	if skew > 0 {
		way = "behind"
	}
	const todo = "have the clock set by NTP (chrony, systemd-timesyncd): credentials, tokens and certificates go by it"
	switch {
	case skew.Abs() > skewWrong:
		f.wrong("clock", of, todo, "our clock is %s %s the one of %s", off, way, of)
	case skew.Abs() > skewWarning:
		f.warn("clock", of, todo, "our clock is %s %s the one of %s", off, way, of)
	default:
		f.ok("clock", of, "within %s of ours", model.Duration(skewWarning))
	}
}

func (d *Doctor) examineQueue(ctx context.Context, f *findings) {
	s, err := d.Inbox.Stats(ctx)
	if err != nil {
		f.wrong("queue", "hints", "see that NATS runs", "%v", err)
		return
	}
	switch waited := time.Since(s.Oldest); {
	case s.Waiting > 0 && waited > longWait:
		f.wrong("queue", "hints", "look for failing passes in the log of serve: an owner's token, the budget (SHEETBRIDGE_API_RATE) or a partner may be the cause",
			"%d wait, the oldest for %s", s.Waiting, model.Duration(waited.Round(time.Second)))
	default:
		f.ok("queue", "hints", "%d wait, %d are put off", s.Waiting, s.Deferred)
	}
	if s.Dead > 0 {
		f.warn("queue", "given up", "GET /v1/dead says why; POST /v1/dead/{id}/retry tries again once the cause is gone", "%d hints were given up", s.Dead).
			Action = problem.ListDead.For()
	}
}

func (d *Doctor) examinePartners(ctx context.Context, f *findings) {
	partners := d.Registry.Partners()
	found := make([]findings, len(partners))
	var g errgroup.Group
	g.SetLimit(partnersAtOnce)
	for i, p := range partners {
		g.Go(func() error {
			d.examinePartner(ctx, &found[i], p)
			return nil
		})
	}
	_ = g.Wait() // they return none
	for _, one := range found {
		*f = append(*f, one...)
	}
}
