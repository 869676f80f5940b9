package registry

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
)

// Note is a change of who is there, whose access is used, or what a partner may
// see. It holds no secret.
type Note struct {
	What    string // "share added"
	On      string // "acme/orders of webhook …"
	Details any
}

// notes tells Note of what a change of a record means, before it is stored;
// before or after is nil for a record that comes or goes. An error keeps the
// change from being made.
func (r *Registry) notes(ctx context.Context, key string, before, after any) error {
	if r.Note == nil {
		return nil
	}
	kind, name, _ := strings.Cut(key, ".")
	var list []Note
	switch kind + "." {
	case ownerKey:
		list = ownerNotes(name, as[Owner](before), as[Owner](after))
	case partnerKey:
		list = partnerNotes(name, as[Partner](before), as[Partner](after))
	case shareKey:
		list = r.shareNotes(as[Share](before), as[Share](after))
	}
	for _, n := range list {
		if err := r.Note(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// as is a record of a type, from a pointer to it or from its JSON; nil for none.
func as[T any](v any) *T {
	switch v := v.(type) {
	case *T:
		return v
	case []byte:
		record := new(T)
		if len(v) > 0 && json.Unmarshal(v, record) == nil {
			return record
		}
	}
	return nil
}

func ownerNotes(name string, before, after *Owner) []Note {
	switch {
	case after == nil:
		return []Note{{"owner removed", name, nil}}
	case before == nil:
		return []Note{{"owner added", name, map[string]any{
			"kind": after.Kind, "region": after.Region, "email": after.Email, "assumeUser": after.AssumeUser, "state": after.State,
		}}}
	}
	var list []Note
	if before.UserID != after.UserID || before.Email != after.Email {
		list = append(list, Note{"owner acts for", name, map[string]any{"before": before.Email, "after": after.Email}})
	}
	if before.TokenID != after.TokenID && after.OAuth == nil {
		list = append(list, Note{"owner's token replaced", name, nil})
	}
	if before.State != after.State {
		list = append(list, Note{"owner's state", name, map[string]any{"before": before.State, "after": after.State, "reason": after.Reason}})
	}
	return list
}

func partnerNotes(name string, before, after *Partner) []Note {
	var list []Note
	var had, has []Credential
	switch {
	case after == nil:
		list = append(list, Note{"partner removed", name, nil})
	case before == nil:
		list = append(list, Note{"partner added", name, map[string]any{"external": after.External != nil}})
	}
	if before != nil {
		had = before.Credentials
	}
	if after != nil {
		has = after.Credentials
	}
	list = append(list, invitationNotes(name, before, after)...)
	if before != nil && after != nil && !slices.Equal(before.Sources, after.Sources) {
		list = append(list, Note{"partner's sources", name, map[string]any{"before": before.Sources, "after": after.Sources}})
	}
	for _, c := range had {
		if !slices.ContainsFunc(has, func(other Credential) bool { return other.PublicKey == c.PublicKey }) {
			list = append(list, Note{"credentials revoked", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey}})
		}
	}
	for _, c := range has {
		if !slices.ContainsFunc(had, func(other Credential) bool { return other.PublicKey == c.PublicKey }) {
			list = append(list, Note{"credentials made", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey, "expiresAt": c.ExpiresAt}})
			continue
		}
		i := slices.IndexFunc(had, func(other Credential) bool { return other.PublicKey == c.PublicKey })
		if had[i].OverlapUntil == nil && c.OverlapUntil != nil {
			list = append(list, Note{"credentials replaced", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey, "refusedFrom": c.OverlapUntil}})
		}
	}
	return list
}

// invitationNotes say which invitations of a partner were made, used or withdrawn.
func invitationNotes(name string, before, after *Partner) []Note {
	if after == nil {
		return nil
	}
	var had []Invitation
	if before != nil {
		had = before.Invitations
	}
	var list []Note
	find := func(all []Invitation, id string) *Invitation {
		if i := slices.IndexFunc(all, func(v Invitation) bool { return v.ID == id }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	for _, v := range after.Invitations {
		details := map[string]any{"id": v.ID, "expiresAt": v.ExpiresAt}
		switch was := find(had, v.ID); {
		case was == nil:
			list = append(list, Note{"invitation made", name + "/" + v.Credentials, details})
		case was.UsedAt == nil && v.UsedAt != nil:
			list = append(list, Note{"invitation used", name + "/" + v.Credentials, details})
		}
	}
	for _, v := range had {
		if find(after.Invitations, v.ID) == nil && v.UsedAt == nil {
			list = append(list, Note{"invitation removed", name + "/" + v.Credentials, map[string]any{"id": v.ID}})
		}
	}
	return list
}

// shareNotes says what of a sheet a partner may see from then on. The end of a
// share is said when it begins to end, or when it is removed without that.
func (r *Registry) shareNotes(before, after *Share) []Note {
	switch {
	case before == nil:
		return []Note{r.shareNote("share added", after, map[string]any{"after": shown(&after.Share), "until": after.Until})}
	case after == nil && before.Ending:
		return nil
	case after == nil:
		return []Note{r.shareNote("share removed", before, map[string]any{"before": shown(&before.Share)})}
	case after.Ending && !before.Ending:
		return []Note{r.shareNote("share ended", before, map[string]any{"before": shown(&before.Share)})}
	case !events.DiffShares(before.Share, after.Share).Same:
		return []Note{r.shareNote("share changed", after, map[string]any{"before": shown(&before.Share), "after": shown(&after.Share), "until": after.Until})}
	case after.Resend != before.Resend:
		return []Note{r.shareNote("share sent again", after, map[string]any{})}
	case after.Registration != before.Registration:
		return []Note{r.shareNote("share moved", after, map[string]any{"before": before.Registration})}
	case !sameMoment(after.Until, before.Until):
		return []Note{r.shareNote("share's end", after, map[string]any{"before": before.Until, "after": after.Until})}
	}
	var list []Note
	for _, row := range slices.Sorted(maps.Keys(after.Erased)) {
		if before.Erased[row].Revision != after.Erased[row].Revision {
			list = append(list, r.shareNote("row erased", after, map[string]any{"row": row}))
		}
	}
	return list
}

func sameMoment(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// shareNote is a note about a share, with the details and what is known of its
// registration.
func (r *Registry) shareNote(what string, s *Share, details map[string]any) Note {
	details["webhook"] = s.Registration
	if reg := r.Registration(s.Registration); reg != nil {
		details["owner"], details["sheetName"] = reg.Owner, reg.SheetName
	}
	return Note{what, s.Key(), details}
}

// shown is what a share shows.
func shown(s *events.Share) map[string]any {
	fields := make([]map[string]any, len(s.Fields))
	for i, f := range s.Fields {
		fields[i] = map[string]any{"title": f.Title, "as": f.Name, "type": f.Type}
		if f.Mask != "" {
			fields[i]["mask"] = f.Mask
		}
	}
	return map[string]any{"columns": fields, "where": s.Where, "kinds": s.Kinds, "revision": s.Revision}
}
