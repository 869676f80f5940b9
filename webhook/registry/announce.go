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

// Change is a change of who is there, whose access is used, or what a partner may
// see. It holds no secret.
type Change struct {
	What    string // "share added"
	On      string // "acme/orders of webhook …"
	Details any
}

// announceChange reports to OnChange what a change of a record means, before it is stored;
// before or after is nil for a record that comes or goes. An error keeps the
// change from being made.
func (r *Registry) announceChange(ctx context.Context, key string, before, after any) error {
	if r.OnChange == nil {
		return nil
	}
	kind, name, _ := strings.Cut(key, ".")
	var list []Change
	switch kind + "." {
	case ownerKey:
		list = ownerChanges(name, as[Owner](before), as[Owner](after))
	case partnerKey:
		list = partnerChanges(name, as[Partner](before), as[Partner](after))
	case shareKey:
		list = r.shareChanges(as[Share](before), as[Share](after))
	}
	for _, n := range list {
		if err := r.OnChange(ctx, n); err != nil {
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

func ownerChanges(name string, before, after *Owner) []Change {
	switch {
	case after == nil:
		return []Change{{"owner removed", name, nil}}
	case before == nil:
		return []Change{{"owner added", name, map[string]any{
			"kind": after.Kind, "region": after.Region, "email": after.Email, "assumeUser": after.AssumeUser, "state": after.State,
		}}}
	}
	var list []Change
	if before.UserID != after.UserID || before.Email != after.Email {
		list = append(list, Change{"owner acts for", name, map[string]any{"before": before.Email, "after": after.Email}})
	}
	if before.TokenID != after.TokenID && after.OAuth == nil {
		list = append(list, Change{"owner's token replaced", name, nil})
	}
	if before.State != after.State {
		list = append(list, Change{"owner's state", name, map[string]any{"before": before.State, "after": after.State, "reason": after.Reason}})
	}
	return list
}

func partnerChanges(name string, before, after *Partner) []Change {
	var list []Change
	var had, has []Credential
	switch {
	case after == nil:
		list = append(list, Change{"partner removed", name, nil})
	case before == nil:
		list = append(list, Change{"partner added", name, map[string]any{"external": after.External != nil}})
	}
	if before != nil {
		had = before.Credentials
	}
	if after != nil {
		has = after.Credentials
	}
	list = append(list, invitationChanges(name, before, after)...)
	if before != nil && after != nil && !slices.Equal(before.Sources, after.Sources) {
		list = append(list, Change{"partner's sources", name, map[string]any{"before": before.Sources, "after": after.Sources}})
	}
	if before != nil && after != nil && !maps.Equal(before.Attributes, after.Attributes) {
		list = append(list, Change{"partner's attributes", name, map[string]any{"before": before.Attributes, "after": after.Attributes}})
	}
	if before != nil && after != nil && (before.Contact == nil) != (after.Contact == nil) || before != nil && after != nil && before.Contact != nil && !slices.Equal(before.Contact.URL, after.Contact.URL) {
		host := func(c *Contact) string {
			if c == nil {
				return ""
			}
			return c.Host
		}
		list = append(list, Change{"partner's contact", name, map[string]any{"before": host(before.Contact), "after": host(after.Contact)}})
	}
	for _, c := range had {
		if !slices.ContainsFunc(has, func(other Credential) bool { return other.PublicKey == c.PublicKey }) {
			list = append(list, Change{"credentials revoked", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey}})
		}
	}
	for _, c := range has {
		if !slices.ContainsFunc(had, func(other Credential) bool { return other.PublicKey == c.PublicKey }) {
			list = append(list, Change{"credentials made", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey, "expiresAt": c.ExpiresAt}})
			continue
		}
		i := slices.IndexFunc(had, func(other Credential) bool { return other.PublicKey == c.PublicKey })
		if had[i].OverlapUntil == nil && c.OverlapUntil != nil {
			list = append(list, Change{"credentials replaced", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey, "refusedFrom": c.OverlapUntil}})
		}
	}
	return list
}

// invitationChanges say which invitations of a partner were made, used or withdrawn.
func invitationChanges(name string, before, after *Partner) []Change {
	if after == nil {
		return nil
	}
	var had []Invitation
	if before != nil {
		had = before.Invitations
	}
	var list []Change
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
			list = append(list, Change{"invitation made", name + "/" + v.Credentials, details})
		case was.UsedAt == nil && v.UsedAt != nil:
			list = append(list, Change{"invitation used", name + "/" + v.Credentials, details})
		}
	}
	for _, v := range had {
		if find(after.Invitations, v.ID) == nil && v.UsedAt == nil {
			list = append(list, Change{"invitation removed", name + "/" + v.Credentials, map[string]any{"id": v.ID}})
		}
	}
	return list
}

// shareChanges says what of a sheet a partner may see from then on. The end of a
// share is said when it begins to end, or when it is removed without that.
func (r *Registry) shareChanges(before, after *Share) []Change {
	switch {
	case before == nil:
		return []Change{r.shareChange("share added", after, map[string]any{"after": shown(&after.Share), "until": after.Until})}
	case after == nil && before.Ending:
		return nil
	case after == nil:
		return []Change{r.shareChange("share removed", before, map[string]any{"before": shown(&before.Share)})}
	case after.Ending && !before.Ending:
		return []Change{r.shareChange("share ended", before, map[string]any{"before": shown(&before.Share)})}
	case !events.DiffShares(before.Share, after.Share).Same:
		return []Change{r.shareChange("share changed", after, map[string]any{"before": shown(&before.Share), "after": shown(&after.Share), "until": after.Until})}
	case after.Resend != before.Resend:
		return []Change{r.shareChange("share sent again", after, map[string]any{})}
	case after.Registration != before.Registration:
		return []Change{r.shareChange("share moved", after, map[string]any{"before": before.Registration})}
	case !sameMoment(after.Until, before.Until):
		return []Change{r.shareChange("share's end", after, map[string]any{"before": before.Until, "after": after.Until})}
	}
	var list []Change
	for _, row := range slices.Sorted(maps.Keys(after.Erased)) {
		if before.Erased[row].Revision != after.Erased[row].Revision {
			list = append(list, r.shareChange("row erased", after, map[string]any{"row": row}))
		}
	}
	return list
}

func sameMoment(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// shareChange is a note about a share, with the details and what is known of its
// registration.
func (r *Registry) shareChange(what string, s *Share, details map[string]any) Change {
	details["webhook"] = s.Registration
	if reg := r.Registration(s.Registration); reg != nil {
		details["owner"], details["sheetName"] = reg.Owner, reg.SheetName
	}
	return Change{what, s.Key(), details}
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
	details := map[string]any{"columns": fields, "where": s.Where, "kinds": s.Kinds, "revision": s.Revision}
	if len(s.Attributes) > 0 {
		details["attributes"] = s.Attributes
	}
	return details
}
