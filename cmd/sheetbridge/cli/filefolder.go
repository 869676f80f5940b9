package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// maxFound bounds how many sheets one entry of a file may find in its folder.
const maxFound = 1000

// fileSheet is one sheet that a file means: named by its id, or found in a folder or
// workspace.
type fileSheet struct {
	admin.FileSheet
	place int    // of the entry in the file
	title string // at Smartsheet, where it was found; empty: the file names it
}

// of says for people which sheet was found.
func (s fileSheet) of() string {
	if s.title == "" {
		return ""
	}
	return fmt.Sprintf(" of sheet %s (%s)", s.SheetID, s.title)
}

// places finds what is wrong with how entries say which sheets they mean.
func (f *shareFile) places() (wrong []mistake) {
	add := func(at, detail string) { wrong = append(wrong, mistake{at, detail}) }
	for i, s := range f.Sheets {
		at := fmt.Sprintf("sheets[%d]", i)
		many := s.FolderID != "" || s.WorkspaceID != ""
		switch {
		case s.SheetID == "" && !many:
			add(at, "sheetId is required; or folderId or workspaceId, with titles, for the sheets in it")
			continue
		case s.SheetID != "" && many, s.FolderID != "" && s.WorkspaceID != "":
			add(at, "sheetId, folderId and workspaceId exclude one another: name one, and make other entries for the others")
			continue
		case many && s.Titles == "":
			add(at, `titles is required: which sheets are meant, such as "Orders *"; "*" is all of them`)
		case !many && s.Titles != "":
			add(at+".titles", "it goes with folderId or workspaceId: a sheetId names one sheet")
		}
		for j, share := range s.Shares {
			at := fmt.Sprintf("%s.shares[%d]", at, j)
			switch {
			case many && share.Sheet != "":
				add(at+".sheet", "the sheets of a folder or workspace cannot all have one name: leave it out, and names are made from their titles")
			case !many && share.Sheet == "":
				add(at+".sheet", "is required: the partner's name for the sheet, such as "+events.SlugSheet("Orders"))
			}
			for k, column := range share.Columns {
				if many && column.ColumnID != "" {
					add(fmt.Sprintf("%s.columns[%d].columnId", at, k), "it is of one sheet alone: name the column by its title")
				}
			}
		}
	}
	return wrong
}

// findSheets finds the sheets that the entries of the file mean. One that the file
// names by its id is found in no folder. Those of which nothing is shared yet are
// offered, and shared if they are wanted.
func (p *planner) findSheets(newSheets bool) error {
	named := map[string]bool{} // sheets by id, and shares
	for i, s := range p.f.Sheets {
		if s.SheetID == "" {
			continue
		}
		p.sheets = append(p.sheets, fileSheet{FileSheet: s, place: i})
		named[s.SheetID] = true
		for _, share := range s.Shares {
			named[share.Partner+"/"+share.Sheet] = true
		}
	}
	for i, s := range p.f.Sheets {
		if s.SheetID != "" {
			continue
		}
		found, err := p.list(i)
		if err != nil {
			return err
		}
		for _, sheet := range found {
			if named[sheet.ID] {
				continue
			}
			p.found(i, sheet, named, newSheets)
		}
	}
	return nil
}

// list asks for the sheets in the folder or workspace of an entry whose titles are
// like the entry's.
func (p *planner) list(i int) ([]admin.Sheet, error) {
	s := p.f.Sheets[i]
	place, path := "folderId", "/v1/owners/"+s.Owner+"/sheets?folderId="+s.FolderID
	if s.WorkspaceID != "" {
		place, path = "workspaceId", "/v1/owners/"+s.Owner+"/sheets?workspaceId="+s.WorkspaceID
	}
	var all struct {
		Items []admin.Sheet `json:"items"`
	}
	err := p.c.waitForBudget(func() error { return p.c.get(path, &all) })
	var refused *APIError
	if errors.As(err, &refused) {
		switch refused.Code {
		case http.StatusNotFound, http.StatusConflict: // the owner
			p.wrong(i, "owner", refused.Detail)
			return nil, nil
		case http.StatusUnprocessableEntity:
			p.wrong(i, place, refused.Detail)
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	like := pattern(s.Titles)
	found := slices.DeleteFunc(all.Items, func(sheet admin.Sheet) bool { return !like.MatchString(sheet.Name) })
	if len(found) > maxFound {
		p.wrong(i, "titles", fmt.Sprintf("%d sheets have such titles, and an entry can be for %d at most: say more of the titles", len(found), maxFound))
		return nil, nil
	}
	slices.SortFunc(found, func(a, b admin.Sheet) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	return found, nil
}

func (p *planner) wrong(i int, field, detail string) {
	p.plan.wrong = append(p.plan.wrong, mistake{fmt.Sprintf("sheets[%d].%s", i, field), detail})
}

// found adds a sheet that was found for an entry. Its shares have the names that they
// have already, or else ones made from the sheet's title.
func (p *planner) found(i int, sheet admin.Sheet, named map[string]bool, newSheets bool) {
	s := fileSheet{FileSheet: p.f.Sheets[i], place: i, title: sheet.Name}
	s.SheetID, s.Shares = sheet.ID, slices.Clone(s.Shares)
	isNew := true
	var names []string
	for j := range s.Shares {
		share := &s.Shares[j]
		share.Sheet = events.SlugSheet(sheet.Name)
		if name := p.has.nameOf(share.Partner, sheet.ID, share.Sheet, named); name != "" {
			share.Sheet, isNew = name, false
		}
		names = append(names, share.Partner+"/"+share.Sheet)
	}
	if isNew && !newSheets {
		for _, name := range names {
			p.plan.offered = append(p.plan.offered, "share "+name+s.of())
		}
		return
	}
	for j, name := range names {
		w, _ := p.has.share(s.Shares[j].Partner, s.Shares[j].Sheet)
		if named[name] || w != nil && w.SheetID != sheet.ID {
			p.wrong(i, "titles", fmt.Sprintf("the share %s%s would have a name that another one has: take the sheet out of this entry by an entry of its own, with its sheetId and another name", name, s.of()))
			return
		}
		named[name] = true
	}
	p.sheets = append(p.sheets, s)
}

// nameOf is the name under which a partner gets a sheet, preferably this one, and that
// the file does not name elsewhere; empty where there is none.
func (e *existing) nameOf(partner, sheetID, prefer string, named map[string]bool) string {
	name := ""
	for _, w := range e.webhooks {
		for _, s := range w.Shares {
			if w.SheetID == sheetID && s.Partner == partner && s.State != "ended" && !named[partner+"/"+s.Sheet] && (name == "" || s.Sheet == prefer) {
				name = s.Sheet
			}
		}
	}
	return name
}

// pattern is what titles are like: * is any text and ? one character.
func pattern(titles string) *regexp.Regexp {
	text := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(titles))
	return regexp.MustCompile(`^(?s:` + text + `)$`)
}

// attributes are those that the file gives the partners, as dry runs take them; empty
// for none.
func (p *planner) attributes(partners []string) (string, error) {
	planned := map[string]map[string]string{}
	for _, file := range p.f.Partners {
		if file.Attributes != nil && slices.Contains(partners, file.Name) {
			planned[file.Name] = *file.Attributes
		}
	}
	if len(planned) == 0 {
		return "", nil
	}
	text, err := json.Marshal(planned)
	return string(text), err
}
