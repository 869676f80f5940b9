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

// prepare judges a write by what needs no Smartsheet: whether its id has an answer,
// the share's terms, the time, and how many there were. A nil task that is not
// answered waits for later.
func (e *Engine) prepare(ctx context.Context, l *lease, j *job) (t *task, answered bool, err error) {
	request, refusal := events.ParseWrite(j.write.Data, j.write.Received)
	if request.ID == "" { // nobody can be answered
		e.Log.Info("a partner's request to write cannot be answered", "partner", j.write.Partner, "credential", j.write.Credential, "why", refusal.Detail)
		return nil, true, j.write.Done(ctx)
	}
	t = &task{job: j, request: request, rowID: request.RowID}
	if t.share, err = e.shareOf(ctx, j); err != nil {
		return nil, false, err
	}
	before, err := e.Store.memory.get(ctx, memoryKey(j.write.Partner, j.write.Sheet, request.ID))
	if err != nil {
		return nil, false, err
	}
	if before != nil {
		return e.prepareAgain(ctx, l, t, before)
	}
	j.until = request.Until
	if a, ok := l.record.Attempts[t.name()]; ok && t.share.SheetID != 0 {
		t.attempt, j.until = &a, time.Time{}
		if j.lookAt.IsZero() { // whoever sent it may have sent it a moment ago
			j.lookAt = time.Now().Add(cmp.Or(e.Settle, settleTime))
		}
		if j.notYet = j.lookAt; time.Now().Before(j.notYet) {
			return nil, false, nil
		}
	} else {
		full, err := e.Store.memory.full(ctx, j.write.Partner)
		if err != nil {
			return nil, false, err
		}
		if full {
			e.Log.Warn("a write waits: the answers to the partner's writes, which are kept for 7 days, take all the space they may", "partner", j.write.Partner, "sheet", j.write.Sheet)
			j.notYet = time.Now().Add(sizeEvery)
			return nil, false, nil
		}
		if refusal, err = e.permitted(ctx, l, t, refusal); err != nil || t.job.notYet.After(time.Now()) {
			return nil, false, err
		}
		if refusal != nil {
			return nil, true, e.refuse(ctx, t, refusal)
		}
	}
	return t, false, e.bind(ctx, t)
}

// prepareAgain answers a write whose id has an answer.
func (e *Engine) prepareAgain(ctx context.Context, l *lease, t *task, before *remembered) (*task, bool, error) {
	if before.Identity != t.job.write.Identity && !l.countRefused(t.share.Key(), time.Now(), rateOf(t.share)) {
		t.job.notYet = nextMinute(time.Now())
		return nil, false, nil
	}
	l.forget(t.name())
	return nil, true, e.answerAgain(ctx, t, before)
}

// shareOf is the share that a write is for as it is now. One that there is not has no
// sheet.
func (e *Engine) shareOf(ctx context.Context, j *job) (*registry.Share, error) {
	w := j.write
	s, err := e.Registry.FreshShare(ctx, w.Partner, w.Sheet)
	if errors.Is(err, registry.ErrNotFound) || err == nil && s.Ending {
		return &registry.Share{Share: events.Share{Partner: w.Partner, Sheet: w.Sheet}}, nil
	}
	if err == nil && j.share != nil && !s.SameAs(j.share) { // it was made anew, of another sheet perhaps
		return &registry.Share{Share: events.Share{Partner: w.Partner, Sheet: w.Sheet}}, nil
	}
	return s, err
}

// permitted refuses what the share's terms, the time or the rate do not allow. What
// is too much even to be refused waits.
func (e *Engine) permitted(ctx context.Context, l *lease, t *task, refusal *events.Refusal) (*events.Refusal, error) {
	now, rate := time.Now(), rateOf(t.share)
	switch {
	case refusal != nil:
	case t.share.SheetID == 0 || t.job.share == nil:
		refusal = &events.Refusal{Code: events.CodeNotShared, Detail: "no sheet is shared under this name"}
	case now.After(t.request.Until):
		refusal = &events.Refusal{Code: events.CodeTooLate, Detail: "its time had run out before it could be made"}
	default:
		rules, err := e.rulesOf(ctx, t.share)
		if err != nil {
			return nil, err
		}
		t.rules = rules
		if refusal = rules.Allowed(&t.request); refusal == nil && !t.job.counted && !l.count(t.share.Key(), now, rate) {
			refusal = &events.Refusal{Code: events.CodeTooFast, Detail: fmt.Sprintf("the share takes %d writes a minute: send it again, with another id, in a minute", rate)}
		}
		t.job.counted = refusal == nil
	}
	if refusal != nil && refusal.Code != events.CodeTooLate && !l.countRefused(t.share.Key(), now, rate) {
		t.job.notYet = nextMinute(now)
	}
	return refusal, nil
}

func nextMinute(now time.Time) time.Time { return now.Truncate(time.Minute).Add(time.Minute) }

// rateOf is how many writes a share takes in a minute, and how many it refuses.
func rateOf(s *registry.Share) int {
	if s.Write == nil {
		return events.DefaultPerMinute
	}
	return s.Write.Rate()
}

// rulesOf are the rules by which writes through a share are judged.
func (e *Engine) rulesOf(ctx context.Context, s *registry.Share) (*events.Writes, error) {
	p, err := e.Registry.FreshPartner(ctx, s.Partner)
	if err != nil {
		return nil, err
	}
	key, err := e.Registry.Sealer().Open(p.MaskKey, p.SealName("maskKey"))
	if err != nil {
		return nil, err
	}
	view, err := e.views.View(s.Share, key)
	if err != nil {
		return nil, err
	}
	return events.NewWrites(s.Share, view)
}

// bind finds in whose name a write is made.
func (e *Engine) bind(ctx context.Context, t *task) (err error) {
	if t.rules == nil {
		if t.rules, err = e.rulesOf(ctx, t.share); err != nil {
			return err
		}
	}
	reg := e.Registry.Registration(t.share.Registration)
	name := ""
	if reg != nil {
		name = reg.Owner
	}
	if t.share.Write != nil && t.share.Write.Owner != "" {
		name = t.share.Write.Owner
	}
	t.writer, err = e.Registry.FreshOwner(ctx, name)
	if errors.Is(err, registry.ErrNotFound) {
		t.writer, err = &registry.Owner{Name: name, State: registry.OwnerRefused}, nil
	}
	return err
}
