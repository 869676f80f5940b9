package smartsheettest

import (
	"slices"
	"strconv"
	"strings"
)

// share is one user's access to a sheet.
type share struct {
	id    string
	user  int64
	level string
}

func (s *Server) shareJSON(grant *share) map[string]any {
	out := s.person(grant.user)
	out["id"], out["type"], out["userId"] = grant.id, "USER", grant.user
	out["accessLevel"], out["scope"] = grant.level, "ITEM"
	return out
}

// sharedSheet is the sheet that a call to /shares is about.
func (s *Server) sharedSheet(c *call, atLeast string) (*sheet, error) {
	switch kind := c.query.Get("assetType"); kind {
	case "sheet":
	case "workspace", "report", "sight", "collection", "file":
		return nil, errNotSimulated("sharing of a " + kind)
	default:
		return nil, errParameter(kind, "assetType")
	}
	id, err := strconv.ParseInt(c.query.Get("assetId"), 10, 64)
	if err != nil {
		return nil, errParameter(c.query.Get("assetId"), "assetId")
	}
	return s.reach(c, id, atLeast)
}

func (s *Server) listShares(c *call) (any, error) {
	sh, err := s.sharedSheet(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	var grants []*share
	for _, grant := range sh.access {
		grants = append(grants, grant)
	}
	slices.SortFunc(grants, func(a, b *share) int { return strings.Compare(a.id, b.id) })
	limit := len(grants)
	if text := c.query.Get("maxItems"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return nil, errParameter(text, "maxItems")
		}
	}
	out := map[string]any{}
	items := []any{}
	for _, grant := range grants {
		if grant.id <= c.query.Get("lastKey") {
			continue
		}
		if len(items) == limit {
			break
		}
		items = append(items, s.shareJSON(grant))
		out["lastKey"] = grant.id
	}
	if len(grants) == 0 || out["lastKey"] == grants[len(grants)-1].id {
		delete(out, "lastKey")
	}
	out["items"] = items
	return out, nil
}

type shareIn struct {
	Email       string `json:"email"`
	GroupID     id     `json:"groupId"`
	AccessLevel string `json:"accessLevel"`
	Subject     string `json:"subject"`
	Message     string `json:"message"`
	CCMe        bool   `json:"ccMe"`
}

func (s *Server) createShares(c *call) (any, error) {
	sh, err := s.sharedSheet(c, AccessEditorShare)
	if err != nil {
		return nil, err
	}
	list, _, err := decodeList[shareIn](c)
	if err != nil {
		return nil, err
	}
	var users []*User
	for _, in := range list {
		u := s.userByEmail(in.Email)
		switch {
		case u == nil:
			return nil, failf(404, 1020, "User not found.")
		case !slices.Contains(accessOrder, in.AccessLevel):
			return nil, errAttribute(in.AccessLevel, "share.accessLevel")
		case in.AccessLevel == AccessOwner:
			return nil, failf(403, 1026, "Transferring ownership is not currently supported.")
		case sh.access[u.ID] != nil:
			return nil, failf(400, 1025, "The share already exists.")
		}
		users = append(users, u)
	}
	results := make([]any, 0, len(list))
	for i, in := range list {
		grant := &share{id: randomText(12, alphanumeric), user: users[i].ID, level: in.AccessLevel}
		sh.access[grant.user] = grant
		results = append(results, s.shareJSON(grant))
	}
	s.scopeChanged(sh)
	return success(results, 0), nil
}

// findShare is the share that the call's path names.
func (s *Server) findShare(c *call, atLeast string) (*sheet, *share, error) {
	sh, err := s.sharedSheet(c, atLeast)
	if err != nil {
		return nil, nil, err
	}
	for _, grant := range sh.access {
		if grant.id == c.ids["share"] {
			return sh, grant, nil
		}
	}
	return nil, nil, failf(404, 1027, "Share not found.")
}

func (s *Server) getShare(c *call) (any, error) {
	_, grant, err := s.findShare(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	return s.shareJSON(grant), nil
}

func (s *Server) updateShare(c *call) (any, error) {
	_, grant, err := s.findShare(c, AccessEditorShare)
	if err != nil {
		return nil, err
	}
	var in struct {
		AccessLevel string `json:"accessLevel"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case grant.level == AccessOwner:
		return nil, failf(400, 1028, "You cannot edit the share of the owner.")
	case grant.user == c.user.ID:
		return nil, failf(400, 1040, "Cannot edit your own share.")
	case in.AccessLevel == AccessOwner:
		return nil, failf(403, 1026, "Transferring ownership is not currently supported.")
	case !slices.Contains(accessOrder, in.AccessLevel):
		return nil, errAttribute(in.AccessLevel, "share.accessLevel")
	}
	grant.level = in.AccessLevel
	return success(s.shareJSON(grant), 0), nil
}

func (s *Server) deleteShare(c *call) (any, error) {
	sh, grant, err := s.findShare(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	if grant.level == AccessOwner {
		return nil, failf(400, 1028, "You cannot edit the share of the owner.")
	}
	level := sh.accessOf(c.user.ID)
	if grant.user != c.user.ID && slices.Index(accessOrder, level) < slices.Index(accessOrder, AccessEditorShare) {
		return nil, errForbidden()
	}
	delete(sh.access, grant.user)
	s.scopeChanged(sh)
	return success(nil, 0), nil
}
