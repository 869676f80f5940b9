package smartsheettest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Place is a workspace or a folder, in which sheets stand.
type Place struct {
	ID   int64
	Name string
}

type place struct {
	id                int64
	name              string
	owner             int64
	parent            *place // of a folder; nil: a workspace
	permalink         string
	created, modified time.Time
}

// AddWorkspace adds a workspace. Users who may see a sheet in it see it too.
func (s *Server) AddWorkspace(owner *User, name string) *Place {
	s.lock()
	defer s.mu.Unlock()
	p := s.newPlace(owner.ID, nil, name, s.now())
	return &Place{p.id, p.name}
}

// AddFolder adds a folder to a workspace or to another folder.
func (s *Server) AddFolder(in *Place, name string) (*Place, error) {
	s.lock()
	defer s.mu.Unlock()
	parent := s.places[in.ID]
	if parent == nil {
		return nil, fmt.Errorf("adding folder %q: %w", name, errNotFound())
	}
	p := s.newPlace(parent.owner, parent, name, s.now())
	return &Place{p.id, p.name}, nil
}

func (s *Server) newPlace(owner int64, parent *place, name string, now time.Time) *place {
	kind := "folders"
	if parent == nil {
		kind = "workspaces"
	}
	p := &place{
		id: s.ids.next(), name: name, owner: owner, parent: parent, created: now, modified: now,
		permalink: "https://app.smartsheet.com/" + kind + "/" + randomText(40, alphanumeric),
	}
	s.places[p.id] = p
	return p
}

// within reports whether the place is the other one or somewhere under it.
func (p *place) within(other *place) bool {
	for ; p != nil; p = p.parent {
		if p == other {
			return true
		}
	}
	return false
}

// placeAccess is the user's level: the owner's, or a reader's level of a sheet in
// the place; empty for nobody's.
func (s *Server) placeAccess(p *place, user int64) string {
	if p.owner == user {
		return AccessOwner
	}
	for _, sh := range s.sheets {
		if !sh.deleted && sh.place.within(p) && sh.accessOf(user) != "" {
			return AccessViewer
		}
	}
	return ""
}

func (s *Server) placeHead(p *place, user int64) map[string]any {
	out := map[string]any{"id": p.id, "name": p.name, "permalink": p.permalink}
	if p.parent == nil {
		out["accessLevel"] = s.placeAccess(p, user)
	}
	return out
}

// placesIn are the places with this parent that the user sees, by name.
func (s *Server) placesIn(parent *place, user int64) []*place {
	var list []*place
	for _, p := range s.places {
		if p.parent == parent && s.placeAccess(p, user) != "" {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *place) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), cmp.Compare(a.id, b.id))
	})
	return list
}

func (s *Server) placeHeads(parent *place, user int64) []map[string]any {
	list := []map[string]any{}
	for _, p := range s.placesIn(parent, user) {
		list = append(list, s.placeHead(p, user))
	}
	return list
}

func (s *Server) sheetsIn(p *place, user int64) []map[string]any {
	list := []map[string]any{}
	for _, sh := range s.visibleSheets(user) {
		if sh.place == p {
			list = append(list, s.sheetHead(sh, user))
		}
	}
	return list
}

func (s *Server) listWorkspaces(c *call) (any, error) {
	list := s.placeHeads(nil, c.user.ID)
	if c.query.Get("paginationType") == "token" || c.query.Has("maxItems") || c.query.Has("lastKey") {
		return tokenPaged(c, list)
	}
	return paged(c, list)
}

func (s *Server) listFolders(c *call) (any, error) { return paged(c, s.placeHeads(c.place, c.user.ID)) }

// getPlace answers a workspace or a folder with what is in it, and with loadAll
// with what is in that.
func (s *Server) getPlace(c *call) (any, error) {
	return s.placeTree(c.place, c.user.ID, c.flag("loadAll")), nil
}

func (s *Server) placeTree(p *place, user int64, all bool) map[string]any {
	out := s.placeHead(p, user)
	folders := []map[string]any{}
	for _, in := range s.placesIn(p, user) {
		head := s.placeHead(in, user)
		if all {
			head = s.placeTree(in, user, true)
		}
		folders = append(folders, head)
	}
	out["sheets"], out["folders"], out["reports"], out["sights"], out["templates"] = s.sheetsIn(p, user), folders, []any{}, []any{}, []any{}
	return out
}

func (s *Server) getPlaceHead(c *call) (any, error) {
	out := s.placeHead(c.place, c.user.ID)
	out["createdAt"], out["modifiedAt"] = wire(c.place.created), wire(c.place.modified)
	return out, nil
}

// listChildren answers what is directly in a workspace or folder, by tokens.
func (s *Server) listChildren(c *call) (any, error) {
	kinds := splitList(c.query.Get("childrenResourceTypes"))
	list := []map[string]any{}
	for _, part := range []struct {
		types, kind string
		items       []map[string]any
	}{{"sheets", "sheet", s.sheetsIn(c.place, c.user.ID)}, {"folders", "folder", s.placeHeads(c.place, c.user.ID)}} {
		if len(kinds) > 0 && !slices.Contains(kinds, part.types) {
			continue
		}
		for _, item := range part.items {
			item["resourceType"] = part.kind
			list = append(list, item)
		}
	}
	return tokenPaged(c, list)
}

// tokenPaged answers a part of a list with the key of the next one.
func tokenPaged(c *call, list []map[string]any) (any, error) {
	from, size := 0, 100
	for name, n := range map[string]*int{"lastKey": &from, "maxItems": &size} {
		text := c.query.Get(name)
		if text == "" {
			continue
		}
		var err error
		if *n, err = strconv.Atoi(text); err != nil || *n < 1 || name == "lastKey" && *n > len(list) {
			return nil, errParameter(text, name)
		}
	}
	to := min(from+size, len(list))
	out := map[string]any{"data": list[from:to]}
	if to < len(list) {
		out["lastKey"] = strconv.Itoa(to)
	}
	return out, nil
}

type placeIn struct {
	Name string `json:"name"`
}

func (s *Server) createWorkspace(c *call) (any, error) {
	if c.user.Free {
		return nil, failf(403, 1140, "The user must be added as a licensed user.")
	}
	return s.createPlace(c, "workspace", c.user.ID)
}

func (s *Server) createFolder(c *call) (any, error) {
	if c.place.owner != c.user.ID {
		return nil, errForbidden()
	}
	return s.createPlace(c, "folder", c.place.owner)
}

func (s *Server) createPlace(c *call, what string, owner int64) (any, error) {
	var in placeIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, errMissing(what + ".name")
	}
	return success(s.placeHead(s.newPlace(owner, c.place, in.Name, c.now), c.user.ID), 0), nil
}

// getPath answers where a sheet stands, from the outside in.
func (s *Server) getPath(c *call) (any, error) {
	out := map[string]any{"id": c.sheet.id, "name": c.sheet.name, "type": "sheet"}
	for p := c.sheet.place; p != nil; p = p.parent {
		kind := "folder"
		if p.parent == nil {
			kind = "workspace"
		}
		out = map[string]any{"id": p.id, "name": p.name, "type": kind, "children": []any{out}}
	}
	return out, nil
}
