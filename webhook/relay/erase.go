package relay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// maxErased bounds the erased rows of one share that are remembered.
const maxErased = 10_000

// Erase takes a row of a share, its history and what hangs on it out of the
// partner's stream, and has them stay away until the row changes at Smartsheet. That
// it is to be is stored when Erase returns; the removal follows with the next pass,
// and passes that began before cannot publish any more.
func (r *Relay) Erase(ctx context.Context, share *registry.Share, row int64) error {
	partner, err := r.Registry.FreshPartner(ctx, share.Partner)
	if err != nil {
		return err
	}
	st, err := r.Partners.Stream(ctx, partner)
	if err != nil {
		return &problem.Problem{Fault: problem.Upstream, Detail: "reading the partner's stream: " + err.Error(), Err: err}
	}
	id := strconv.FormatInt(row, 10)
	seen, err := st.Last(ctx, &share.Share, []string{share.SubjectRow(id)}, 0)
	if err != nil {
		return &problem.Problem{Fault: problem.Upstream, Detail: "reading the partner's stream: " + err.Error(), Err: err}
	}
	last := seen[share.SubjectRow(id)]
	if _, erased := share.Erased[id]; last == nil && !erased {
		return problem.New(problem.NotFound, "", "partner %q has no row %s of sheet %q: GET /v1/webhooks/%s/shares/%s/%s/rows/%s/explain tells why", share.Partner, id, share.Sheet, share.Registration, share.Partner, share.Sheet, id).
			Next(problem.ExplainRow.For(share.Registration, share.Partner, share.Sheet, id))
	} else if last == nil {
		return nil // done, or being done
	}
	erasure, err := r.erasureOf(ctx, partner, share, row, last)
	if err != nil {
		return err
	}
	_, err = r.Registry.UpdateShare(ctx, share.Partner, share.Sheet, func(now *registry.Share) error {
		switch {
		case !now.SameAs(share) || now.Ending:
			return registry.ErrNotFound
		case now.Revision != share.Revision:
			return registry.ErrConflict
		case len(now.Erased) >= maxErased:
			return problem.New(problem.Conflict, "", "%d rows of the share are erased: end it and make it again with a filter that hides them", maxErased)
		}
		if now.Erased == nil {
			now.Erased = map[string]registry.Erasure{}
		}
		now.Revision++ // so that older passes publish nothing
		erasure.Revision = now.Revision
		now.Erased[id] = erasure
		return nil
	})
	if err != nil {
		return problem.FromRegistry("share "+share.Key(), err)
	}
	return r.Inbox.Put(context.WithoutCancel(ctx), &inbox.Hint{Registration: share.Registration, Why: inbox.WhyShare, Whole: true, ReceivedAt: time.Now()})
}

// erasureOf is how the row is at Smartsheet now; where that cannot be read, how the
// partner has it.
func (r *Relay) erasureOf(ctx context.Context, partner *registry.Partner, share *registry.Share, row int64, last *events.Seen) (registry.Erasure, error) {
	key, err := r.Registry.Sealer().Open(partner.MaskKey, partner.SealName("maskKey"))
	if err != nil {
		return registry.Erasure{}, err
	}
	view, err := events.NewView(share.Share, key)
	if err != nil {
		return registry.Erasure{}, err
	}
	erasure := registry.Erasure{Definition: definitionHash(&share.Share)}
	found, types, err := r.readOne(ctx, share, row)
	switch {
	case errors.Is(err, context.Canceled):
		return erasure, err
	case err == nil && found == nil: // it does not come back
		return erasure, nil
	case err == nil:
		object, _ := view.Row(found, types)
		ref := events.RefOf(found)
		erasure.ModifiedAt, erasure.Values = modifiedAt(ref), valuesHash(key, ref, object)
	default:
		r.Log.Warn("a row that is erased cannot be read: it stays away as the partner has it", "share", share.Key(), "err", err)
		erasure.ModifiedAt, erasure.Values = modifiedAt(last.Row), valuesHash(key, last.Row, last.After)
	}
	return erasure, nil
}

// readOne reads a row as the share does, nil for one that is not in the sheet.
func (r *Relay) readOne(ctx context.Context, share *registry.Share, row int64) (*smartsheet.Row, map[int64]smartsheet.ColumnType, error) {
	reg := r.Registry.Registration(share.Registration)
	if reg == nil {
		return nil, nil, registry.ErrNotFound
	}
	owner := r.Registry.Owner(reg.Owner)
	if owner == nil || owner.State != registry.OwnerOK {
		return nil, nil, errors.New("the owner's access does not work")
	}
	client, err := r.Access.Client(owner, budget.Callback)
	if err != nil {
		return nil, nil, err
	}
	existing, err := client.Columns(ctx, share.SheetID)
	if err != nil {
		return nil, nil, err
	}
	sheet, err := client.Sheet(ctx, share.SheetID, smartsheet.SheetQuery{
		RowIDs: []int64{row}, ColumnIDs: smartsheet.Existing(share.ColumnIDs(), existing), PageSize: 1,
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range sheet.Rows {
		if sheet.Rows[i].ID == row {
			return &sheet.Rows[i], smartsheet.TypesOf(existing), nil
		}
	}
	return nil, nil, nil
}

func modifiedAt(row *events.RowRef) *time.Time {
	if row == nil || row.ModifiedAt == nil {
		return nil
	}
	at := row.ModifiedAt.Time.UTC()
	return &at
}

// definitionHash tells one definition of what a share shows from another.
func definitionHash(s *events.Share) []byte {
	definition := []any{s.Fields, s.Where, s.Cells, s.Gone}
	if len(s.Attributes) > 0 {
		definition = append(definition, s.Attributes)
	}
	text, err := json.Marshal(definition)
	if err != nil {
		return nil // strings and numbers alone: it does not come to that
	}
	sum := sha256.Sum256(text)
	return sum[:8]
}

// valuesHash tells what a row shows from what else it may show, to nobody without
// the key.
func valuesHash(key []byte, row *events.RowRef, object events.Object) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("sheetbridge erased row v1"))
	if row != nil && row.ParentID != nil {
		mac.Write([]byte(*row.ParentID))
	}
	mac.Write([]byte{0})
	for _, v := range object {
		mac.Write([]byte(v.Name + "="))
		mac.Write(v.JSON)
		mac.Write([]byte{0})
	}
	return mac.Sum(nil)[:16]
}

// erased tells whether a row stays away: it was erased, and has not changed since. Of
// a share that shows something else than then, only when it was changed is known.
func (s *shareSync) erased(row *smartsheet.Row, object events.Object) bool {
	if len(s.share.Erased) == 0 {
		return false
	}
	was, ok := s.share.Erased[strconv.FormatInt(row.ID, 10)]
	if !ok {
		return false
	}
	ref := events.RefOf(row)
	if at := modifiedAt(ref); (at == nil) != (was.ModifiedAt == nil) || at != nil && !at.Equal(*was.ModifiedAt) {
		return false
	}
	if !hmac.Equal(was.Definition, definitionHash(&s.share.Share)) {
		return true
	}
	key, err := s.maskKey()
	return err != nil || hmac.Equal(was.Values, valuesHash(key, ref, object))
}

// purgeErased removes from the stream the rows that were erased since the definition
// that the stream had, with what hangs on them and what was answered about them.
func (s *shareSync) purgeErased(ctx context.Context) error {
	below := s.target.state.SchemaSeq
	for id, e := range s.share.Erased {
		if s.share.Published != nil && e.Revision <= s.share.Published.Revision {
			continue
		}
		children, err := s.target.stream.ChildSubjects(ctx, &s.share.Share, id)
		if err != nil {
			return err
		}
		for _, subject := range append(children, s.share.SubjectRow(id)) {
			if err := s.target.stream.PurgeBelow(ctx, subject, below); err != nil {
				return err
			}
		}
	}
	return nil
}

// purgedByErasing tells whether the message of an object is one that the erasure of
// the current revision has removed: a copy of the stream that lags may have it still.
func (s *shareSync) purgedByErasing(subject string, seen *events.Seen) bool {
	if len(s.share.Erased) == 0 {
		return false
	}
	row := seen.RowID
	if kind, id, ok := events.ParseSubject(subject); ok && kind == events.KindRow {
		row = strconv.FormatInt(id, 10)
	}
	e, ok := s.share.Erased[row]
	return ok && e.Revision == s.share.Revision && seen.Sequence < s.target.state.SchemaSeq
}
