package smartsheettest

import (
	"slices"
	"strconv"
)

// resolve finds what the placeholders of the call's route stand for. The caller
// holds s.mu.
func (s *Server) resolve(c *call) error {
	for _, name := range placeholders {
		text, there := c.ids[name]
		if !there {
			continue
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errNotFound()
		}
		if name == "sheet" {
			if c.sheet, err = s.reach(c, id, c.route.access); err != nil {
				return err
			}
			continue
		}
		if !s.find(c, name, id) {
			return errNotFound()
		}
	}
	return nil
}

// placeholders are the names of routes that stand for objects with an id, a sheet
// before what is in it.
var placeholders = []string{"sheet", "row", "column", "attachment", "discussion", "comment", "webhook", "workspace", "folder"}

// find looks an object up that the call may see.
func (s *Server) find(c *call, name string, id int64) bool {
	switch name {
	case "row":
		c.row = c.sheet.byID[id]
		return c.row != nil
	case "column":
		c.column = c.sheet.column(id)
		return c.column != nil
	case "attachment":
		c.attachment = first(c.sheet.attachments, func(a *attachment) bool { return a.id == id })
		return c.attachment != nil
	case "discussion":
		c.discussion = first(c.sheet.discussions, func(d *discussion) bool { return d.id == id })
		return c.discussion != nil
	case "comment":
		c.comment = c.sheet.comment(id)
		return c.comment != nil
	case "webhook":
		c.webhook = s.webhooks[id]
		return c.webhook != nil && c.manages(c.webhook)
	}
	c.place = s.places[id]
	return c.place != nil && (c.place.parent == nil) == (name == "workspace") && s.placeAccess(c.place, c.user.ID) != ""
}

func first[T any](list []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i]
	}
	return nil
}

// reach finds a sheet, which the caller must reach with at least the level given.
func (s *Server) reach(c *call, id int64, atLeast string) (*sheet, error) {
	sh := s.sheets[id]
	if sh == nil || sh.deleted {
		return nil, errNotFound()
	}
	level := sh.accessOf(c.user.ID)
	if level == "" {
		if s.ForbidUnshared {
			return nil, errForbidden()
		}
		return nil, errNotFound()
	}
	if slices.Index(accessOrder, level) < slices.Index(accessOrder, atLeast) {
		return nil, errForbidden()
	}
	return sh, nil
}
