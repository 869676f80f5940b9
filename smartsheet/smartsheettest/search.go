package smartsheettest

import (
	"slices"
	"strings"
)

// maxFound is how many results a search gives.
const maxFound = 100

// search finds sheets, workspaces, folders and attachments by their name, and rows
// by what is shown in them: those that have every word of the query, whatever the
// case. A query in quotes is one phrase.
func (s *Server) search(c *call) (any, error) {
	query := strings.ToLower(strings.TrimSpace(c.query.Get("query")))
	if query == "" {
		return nil, failf(400, 1009, "A required parameter is missing from your request: query.")
	}
	words := strings.Fields(query)
	if phrase := strings.Trim(query, `"`); len(query) >= 2 && strings.HasPrefix(query, `"`) && strings.HasSuffix(query, `"`) {
		words = []string{phrase}
	}
	found := finder{words: words, scopes: splitList(c.query.Get("scopes"))}
	sheets := []*sheet{c.sheet}
	if c.sheet == nil {
		sheets = s.visibleSheets(c.user.ID)
		for _, sh := range sheets {
			found.add("sheetNames", sh.name, map[string]any{"objectType": "sheet", "objectId": sh.id})
		}
		s.searchPlaces(c, &found)
	}
	for _, sh := range sheets {
		s.searchSheet(sh, &found)
	}
	return map[string]any{"totalCount": found.total, "results": append([]any{}, found.results...)}, nil
}

func (s *Server) searchPlaces(c *call, found *finder) {
	for _, p := range s.places {
		if s.placeAccess(p, c.user.ID) == "" {
			continue
		}
		if p.parent == nil {
			found.add("workspaceNames", p.name, map[string]any{"objectType": "workspace", "objectId": p.id})
			continue
		}
		found.add("folderNames", p.name, map[string]any{"objectType": "folder", "objectId": p.id})
	}
}

func (s *Server) searchSheet(sh *sheet, found *finder) {
	in := func(kind string, id int64) map[string]any {
		return map[string]any{"objectType": kind, "objectId": id, "parentObjectType": "sheet", "parentObjectId": sh.id, "parentObjectName": sh.name, "contextData": []string{}}
	}
	for _, r := range sh.rows {
		for _, col := range sh.columns {
			if found.add("cellData", plain(s.content(r, col), sh.rowNumber), in("row", r.id)) {
				break // a row is found once
			}
		}
	}
	for _, a := range sh.attachments {
		found.add("attachments", a.name, in("attachment", a.id))
	}
	for _, d := range sh.discussions {
		for _, on := range d.comments {
			if found.add("comments", on.text, in("discussion", d.id)) {
				break
			}
		}
	}
}

// finder collects what has all words.
type finder struct {
	words, scopes []string
	total         int
	results       []any
}

// add takes the object into the results if its text is one that is looked for.
func (f *finder) add(scope, text string, object map[string]any) bool {
	if len(f.scopes) > 0 && !slices.Contains(f.scopes, scope) {
		return false
	}
	low := strings.ToLower(text)
	for _, word := range f.words {
		if !strings.Contains(low, word) {
			return false
		}
	}
	f.total++
	if len(f.results) < maxFound {
		object["text"] = text
		f.results = append(f.results, object)
	}
	return true
}
