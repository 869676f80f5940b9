package main

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// stateDesc is a metric of how things stand.
func stateDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sheetbridge_"+name, help, labels, nil)
}

// descs are the metrics of a snapshot.
type descs struct {
	ready, refreshed                                        *prometheus.Desc
	connected, rtt, reconnects, messages, bytes             *prometheus.Desc
	store, free, size                                       *prometheus.Desc
	waiting, oldest, deferred, dead                         *prometheus.Desc
	owner, budget, webhook, called                          *prometheus.Desc
	up, streamMessages, streamBytes, stored, limit, readers *prometheus.Desc
	lag, idle, share, complete, filter, foreign, exceeded   *prometheus.Desc
	credentialsEnd, tokenEnds, shareEnds                    *prometheus.Desc
}

func newDescs() descs {
	return descs{
		ready:      stateDesc("ready", "Whether this process takes callbacks and works on them, 1 or 0, when it last looked."),
		refreshed:  stateDesc("state_refreshed_timestamp_seconds", "When this process last looked at how things stand."),
		connected:  stateDesc("nats_connected", "Whether the bridge's own connection to NATS stands, 1 or 0."),
		rtt:        stateDesc("nats_rtt_seconds", "Time to NATS and back."),
		reconnects: stateDesc("nats_reconnects_total", "How often the bridge's own connection was made again."),
		messages:   stateDesc("nats_messages_total", "Messages over the bridge's own connection, by direction.", "direction"),
		bytes:      stateDesc("nats_bytes_total", "Bytes over the bridge's own connection, by direction.", "direction"),
		store:      stateDesc("nats_store_bytes", "Bytes that the bridge's own account stores in NATS, partners' streams not included."),
		free:       stateDesc("data_free_bytes", "Bytes free on the disk of DATA_DIR, where NATS is embedded."),
		size:       stateDesc("data_size_bytes", "Size of the disk of DATA_DIR, where NATS is embedded."),
		waiting:    stateDesc("hints_waiting", "Hints that wait or are worked on, with those that were stored together with one of them."),
		oldest:     stateDesc("hints_oldest_age_seconds", "Age of the oldest hint that waits or is worked on; 0 for none."),
		deferred:   stateDesc("hints_deferred", "Hints that are put off: for want of budget, or after a failure."),
		dead:       stateDesc("hints_dead", "Hints that were given up and wait for an admin."),
		owner:      stateDesc("owner_state", "1 for the state that an owner's access is in, 0 for the others.", "owner", "state"),
		budget:     stateDesc("owner_budget_left_ratio", "What is left of the requests that an owner's token may make at once, 0 to 1.", "owner"),
		webhook:    stateDesc("webhook_status", "1, labelled with the status of a registration's webhook at Smartsheet; POLLING for none.", "registration", "owner", "status"),
		called:     stateDesc("webhook_last_callback_timestamp_seconds", "When Smartsheet last called for a registration with success, as far as it was asked.", "registration"),
		up:         stateDesc("partner_up", "Whether a partner's stream answers, 1 or 0.", "partner"),

		streamMessages: stateDesc("partner_stream_messages", "Messages in a partner's stream.", "partner"),
		streamBytes:    stateDesc("partner_stream_bytes", "Bytes in a partner's stream.", "partner"),
		stored:         stateDesc("partner_account_bytes", "Bytes that a partner's account stores, in a cluster every copy.", "partner"),
		limit:          stateDesc("partner_account_limit_bytes", "Bytes that a partner's account may store; absent where there is no limit.", "partner"),
		readers:        stateDesc("partner_consumers", "Consumers of a partner's stream.", "partner"),
		lag:            stateDesc("partner_consumer_lag_messages", "Messages that the slowest consumer of a partner's stream has still to get.", "partner"),
		idle:           stateDesc("partner_not_reading", "1 for a partner that has read nothing for SHEETBRIDGE_NOT_READING_AFTER although there was something, else 0; absent where that is not known.", "partner"),
		foreign:        stateDesc("foreign_messages_total", "Messages removed from a partner's stream that the bridge did not make or that could not be read.", "partner"),
		exceeded:       stateDesc("partner_limit_exceeded_total", "How often a partner's connections exceeded a limit of its terms and were closed, or a consumer was refused.", "partner", "limit"),
		share:          stateDesc("share_state", "1 for the state that a share's stream is in, 0 for the others; unknown where the stream does not answer, stale also where it cannot be published to.", "partner", "sheet", "state"),
		complete:       stateDesc("share_complete_age_seconds", "How long ago a share's stream was last known to be complete.", "partner", "sheet"),
		filter:         stateDesc("share_filter_rows", "What a share's filter says of the rows of its sheet, by result: shown, hidden, or failed where it cannot be evaluated. As of the last reading of the whole sheet.", "partner", "sheet", "result"),

		credentialsEnd: stateDesc("credentials_end_timestamp_seconds", "When a partner's credentials expire; absent where they do not, or others have taken their place.", "partner", "credentials"),
		tokenEnds:      stateDesc("owner_token_end_timestamp_seconds", "When an owner's token runs out, as an admin said; absent where nobody did, or where it is renewed by itself.", "owner"),
		shareEnds:      stateDesc("share_end_timestamp_seconds", "When a share ends by itself; absent where it does not.", "partner", "sheet"),
	}
}

// collector shows the last snapshot to Prometheus.
type collector struct {
	*stateWatcher
	descs
}

// Describe implements prometheus.Collector. It names nothing, since what there
// is to show changes.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector from memory alone.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	now := c.last
	c.mu.Unlock()
	out := sink{ch}
	c.collectNATS(out, now)
	c.collectRecords(out, now)
	if q := now.queue; q != nil {
		age := 0.0
		if !q.Oldest.IsZero() {
			age = max(0, time.Since(q.Oldest).Seconds())
		}
		out.gauge(c.waiting, float64(q.Waiting))
		out.gauge(c.oldest, age)
		out.gauge(c.deferred, float64(q.Deferred))
		out.gauge(c.dead, float64(q.Dead))
	}
	for _, p := range now.partners {
		c.collectPartner(out, p)
	}
	c.collectHostile(out)
}

// collectHostile shows what others wrote to partners' streams, and which partners
// exceeded their limits.
func (c *collector) collectHostile(out sink) {
	s := c.service
	if s.phase.value.Load() == phaseStarting {
		return // there may be no partners yet
	}
	for partner, n := range s.partners.ForeignMessages() {
		out.counter(c.foreign, n, partner)
	}
	if s.broker == nil {
		return
	}
	type exceeded struct {
		partner string
		limit   broker.Offence
	}
	counts := map[exceeded]uint64{}
	for _, o := range s.broker.Offenders() {
		counts[exceeded{o.Partner, o.Offence}] += o.Count
	}
	for key, n := range counts {
		out.counter(c.exceeded, n, key.partner, string(key.limit))
	}
}

// sink sends metrics on.
type sink struct{ ch chan<- prometheus.Metric }

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v uint64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *collector) collectNATS(out sink, now snapshot) {
	nc := c.service.nc
	out.gauge(c.connected, number(nc.IsConnected()))
	stats := nc.Stats()
	out.counter(c.reconnects, stats.Reconnects)
	out.counter(c.messages, stats.InMsgs, "in")
	out.counter(c.messages, stats.OutMsgs, "out")
	out.counter(c.bytes, stats.InBytes, "in")
	out.counter(c.bytes, stats.OutBytes, "out")
	if c.service.broker != nil {
		if size, free, ok := diskOf(c.service.cfg.DataDir); ok {
			out.gauge(c.size, size)
			out.gauge(c.free, free)
		}
	}
	if now.at.IsZero() {
		return
	}
	out.gauge(c.ready, number(now.ready))
	out.gauge(c.refreshed, float64(now.at.UnixMilli())/1000)
	if now.rtt > 0 {
		out.gauge(c.rtt, now.rtt.Seconds())
	}
	if now.store > 0 {
		out.gauge(c.store, float64(now.store))
	}
}

// collectRecords shows owners and registrations.
func (c *collector) collectRecords(out sink, now snapshot) {
	for _, o := range c.service.registry.Owners() {
		for _, state := range []registry.OwnerState{registry.OwnerOK, registry.OwnerAuthorize, registry.OwnerRefused, registry.OwnerSuspended} {
			out.gauge(c.owner, number(o.State == state), o.Name, string(state))
		}
		if left, ok := now.budgets[o.Name]; ok {
			out.gauge(c.budget, left, o.Name)
		}
	}
	for _, reg := range c.service.registry.Registrations() {
		out.gauge(c.webhook, 1, reg.ID, reg.Owner, statusLabel(reg.Status))
		if at := c.service.registrar.LastCallback(reg); !at.IsZero() {
			out.gauge(c.called, float64(at.Unix()), reg.ID)
		}
	}
	c.collectEnds(out)
}

// collectEnds shows what ends by itself, and when.
func (c *collector) collectEnds(out sink) {
	r := c.service.registry
	for _, o := range r.Owners() {
		if o.ExpiresAt != nil && o.OAuth == nil {
			out.gauge(c.tokenEnds, float64(o.ExpiresAt.Unix()), o.Name)
		}
	}
	for _, p := range r.Partners() {
		for _, made := range p.Credentials {
			if made.ExpiresAt != nil && made.OverlapUntil == nil {
				out.gauge(c.credentialsEnd, float64(made.ExpiresAt.Unix()), p.Name, made.Name)
			}
		}
	}
	for _, s := range r.AllShares() {
		if s.Until != nil && !s.Ending {
			out.gauge(c.shareEnds, float64(s.Until.Unix()), s.Partner, s.Sheet)
		}
	}
}

// statusLabel is a webhook's status as we know it. Smartsheet's list is open: a
// new one is OTHER, but still disabled if it says so.
func statusLabel(status string) string {
	switch smartsheet.WebhookStatus(status) {
	case smartsheet.WebhookEnabled, smartsheet.WebhookNew, smartsheet.WebhookDisabledByOwner, smartsheet.WebhookCallbackFailed,
		smartsheet.WebhookVerificationFailed, smartsheet.WebhookGridLimits, smartsheet.WebhookScopeInaccessible,
		smartsheet.WebhookAppRevoked, smartsheet.WebhookAdministrative, registry.StatusPolling:
		return status
	case "":
		return "UNKNOWN"
	}
	if strings.HasPrefix(status, "DISABLED") {
		return "DISABLED_OTHER"
	}
	return "OTHER"
}

func (c *collector) collectPartner(out sink, p diagnose.PartnerState) {
	out.gauge(c.up, number(p.Usage != nil), p.Partner.Name)
	if p.Usage != nil {
		c.collectUsage(out, p)
	}
	if p.Reading != nil {
		out.gauge(c.idle, number(p.Reading.NotReading), p.Partner.Name)
	}
	for _, sh := range p.Shares {
		for _, state := range []events.State{events.StateLoading, events.StateLive, events.StateStale, events.StateSuspended, events.StateEnded, diagnose.StateUnknown} {
			out.gauge(c.share, number(sh.State == state), p.Partner.Name, sh.Share.Sheet, string(state))
		}
		if to := sh.CompleteTo; to != nil && !to.Time.IsZero() {
			out.gauge(c.complete, max(0, time.Since(to.Time).Seconds()), p.Partner.Name, sh.Share.Sheet)
		}
		if f := sh.Filter; f != nil {
			out.gauge(c.filter, float64(f.Shown), p.Partner.Name, sh.Share.Sheet, "shown")
			out.gauge(c.filter, float64(f.Rows-f.Shown-f.Failed), p.Partner.Name, sh.Share.Sheet, "hidden")
			out.gauge(c.filter, float64(f.Failed), p.Partner.Name, sh.Share.Sheet, "failed")
		}
	}
}

func (c *collector) collectUsage(out sink, p diagnose.PartnerState) {
	out.gauge(c.streamMessages, float64(p.Usage.Messages), p.Partner.Name)
	out.gauge(c.streamBytes, float64(p.Usage.Bytes), p.Partner.Name)
	out.gauge(c.readers, float64(p.Usage.Readers), p.Partner.Name)
	out.gauge(c.lag, float64(p.Usage.Lag), p.Partner.Name)
	if p.Usage.Stored > 0 {
		out.gauge(c.stored, float64(p.Usage.Stored), p.Partner.Name)
	}
	if p.Usage.Limit > 0 {
		out.gauge(c.limit, float64(p.Usage.Limit), p.Partner.Name)
	}
}
