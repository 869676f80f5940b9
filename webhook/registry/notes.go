package registry

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

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
	case webhookKey:
		list = shareNotes(name, as[Registration](before), as[Registration](after))
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
	for _, c := range had {
		if !slices.ContainsFunc(has, func(other Credential) bool { return other.PublicKey == c.PublicKey }) {
			list = append(list, Note{"credentials revoked", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey}})
		}
	}
	for _, c := range has {
		if !slices.ContainsFunc(had, func(other Credential) bool { return other.PublicKey == c.PublicKey }) {
			list = append(list, Note{"credentials made", name + "/" + c.Name, map[string]any{"publicKey": c.PublicKey, "expiresAt": c.ExpiresAt}})
		}
	}
	return list
}

// shareNotes tells what of a sheet partners may see from then on.
func shareNotes(id string, before, after *Registration) []Note {
	var list []Note
	if before == nil {
		before = &Registration{}
	}
	if after == nil {
		after = &Registration{}
	}
	about := func(what string, s *Share, details map[string]any) {
		reg := after
		if reg.ID == "" {
			reg = before
		}
		details["webhook"], details["owner"], details["sheetName"] = id, reg.Owner, reg.SheetName
		list = append(list, Note{what, s.Partner + "/" + s.Sheet, details})
	}
	for i := range before.Shares {
		was := &before.Shares[i]
		now := after.Share(was.Partner, was.Sheet)
		switch {
		case now == nil && !was.Ending:
			about("share removed", was, map[string]any{"before": shown(&was.Share)})
		case now == nil:
		case now.Ending && !was.Ending:
			about("share ended", was, map[string]any{"before": shown(&was.Share)})
		case !events.DiffShares(was.Share, now.Share).Same:
			about("share changed", now, map[string]any{"before": shown(&was.Share), "after": shown(&now.Share)})
		case now.Resend != was.Resend:
			about("share sent again", now, map[string]any{})
		}
	}
	for i := range after.Shares {
		now := &after.Shares[i]
		if before.Share(now.Partner, now.Sheet) == nil {
			about("share added", now, map[string]any{"after": shown(&now.Share)})
		}
	}
	return list
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
