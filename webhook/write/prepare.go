package write

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// prepare judges a write by what needs no Smartsheet: whether its id has an answer
// (before), the share's terms, the time, and how many there were. It returns nil for a
// write that is answered by that, or that waits for later.
func (r *round) prepare(ctx context.Context, j *job, before *remembered) (*task, error) {
	if j.request.ID == "" { // nobody can be answered
		r.Log.Info("a partner's request to write cannot be answered", "partner", j.write.Partner, "credential", j.write.Credential, "why", j.invalid.Detail)
		if err := j.write.Done(ctx); err != nil {
			return nil, err
		}
		r.markAnswered(j)
		return nil, nil
	}
	now, err := r.termsOf(ctx, j)
	if err != nil {
		return nil, err
	}
	t := &task{proposal: proposal{j.request, now}, job: j, rowID: j.request.RowID}
	if before != nil {
		return nil, r.prepareAgain(ctx, t, before)
	}
	if a, ok := r.lease.record.Attempts[t.job.attemptName()]; ok && t.rules != nil {
		if a.Content != "" && a.Content != contentOf(&t.request) {
			return nil, r.awaitOutcome(ctx, t)
		}
		t.attempt = &a
		if j.recoverAt.IsZero() { // another process may have sent it a moment ago
			j.recoverAt = time.Now().Add(cmp.Or(r.RecoverAfter, recoverAfter))
		}
		if j.retryAt = j.recoverAt; time.Now().Before(j.retryAt) {
			return nil, nil
		}
		return t, nil
	}
	full, err := r.Store.memory.full(ctx, j.write.Partner)
	if err != nil {
		return nil, err
	}
	if full {
		r.Log.Warn("a write waits: the answers to the partner's writes, which are kept for 7 days, take all the space they may", "partner", j.write.Partner, "sheet", j.write.Sheet)
		j.retryAt = time.Now().Add(sizeEvery)
		return nil, nil
	}
	refusal := r.refusalOf(t)
	switch {
	case refusal == nil:
		return t, nil
	case refusal.Code != events.CodeTooLate && !r.lease.countRefused(t.share.Key(), time.Now(), rateOf(t.share)):
		j.retryAt = nextMinute(time.Now()) // too many are refused even to be answered now
		return nil, nil
	}
	return nil, r.refuse(ctx, t, refusal)
}

// awaitOutcome has a write wait whose id another one has that may have been made: that one
// is answered first.
func (r *round) awaitOutcome(ctx context.Context, t *task) error {
	if time.Now().After(t.request.Until) {
		return r.answerReused(ctx, t)
	}
	t.job.retryAt = time.Now().Add(cmp.Or(r.RecoverAfter, recoverAfter))
	return nil
}

// prepareAgain answers a write whose id has an answer.
func (r *round) prepareAgain(ctx context.Context, t *task, before *remembered) error {
	if before.Identity != t.job.write.Identity && !r.lease.countRefused(t.share.Key(), time.Now(), rateOf(t.share)) {
		t.job.retryAt = nextMinute(time.Now())
		return nil
	}
	r.lease.forget(t.job.attemptName())
	return r.answerAgain(ctx, t, before)
}

// termsOf are the terms of the share that a write is for, as it is now. Where there is
// none, or another one has its name now, they have neither a sheet nor rules.
func (r *round) termsOf(ctx context.Context, j *job) (*terms, error) {
	key := j.write.Partner + "/" + j.write.Sheet
	now, known := r.terms[key]
	if !known {
		s, err := r.Registry.FreshShare(ctx, j.write.Partner, j.write.Sheet)
		if err == nil && !s.Ending {
			now, err = r.judge.terms(ctx, s)
		}
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return nil, err
		}
		r.terms[key] = now
	}
	if now == nil || j.share == nil || !now.share.SameAs(j.share) {
		return &terms{share: &registry.Share{Share: events.Share{Partner: j.write.Partner, Sheet: j.write.Sheet}}}, nil
	}
	return now, nil
}

// refusalOf is the refusal of what the share's terms, the time or the rate do not allow.
func (r *round) refusalOf(t *task) *events.Refusal {
	now, rate := time.Now(), rateOf(t.share)
	switch {
	case t.job.invalid != nil:
		return t.job.invalid
	case t.rules == nil:
		return &events.Refusal{Code: events.CodeNotShared, Detail: "no sheet is shared under this name"}
	case now.After(t.request.Until):
		return &events.Refusal{Code: events.CodeTooLate, Detail: "its time had run out before it could be made"}
	}
	if refusal := t.rules.Allowed(&t.request); refusal != nil {
		return refusal
	}
	if !t.job.counted && !r.lease.count(t.share.Key(), now, rate) {
		return &events.Refusal{Code: events.CodeTooFast, Detail: fmt.Sprintf("the share takes %d writes a minute: send it again, with another id, in a minute", rate)}
	}
	t.job.counted = true
	return nil
}

func nextMinute(now time.Time) time.Time { return now.Truncate(time.Minute).Add(time.Minute) }

// rateOf is how many writes a share takes in a minute, and how many it refuses.
func rateOf(s *registry.Share) int {
	if s.Write == nil {
		return events.DefaultPerMinute
	}
	return s.Write.Rate()
}
