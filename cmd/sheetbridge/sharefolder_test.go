package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// folderFile shares the order sheets of a workspace with two partners, each of which
// gets the rows of its region.
const folderFile = `partners:
  - name: acme
    attributes: {region: EMEA}
  - name: globex
    attributes: {region: APAC}
sheets:
  - owner: ops
    workspaceId: "%d"
    titles: "Orders *"
    shares:
      - partner: acme
        columns: [{title: No}, {title: Region, as: region}]
        where: region == partner.region
      - partner: globex
        columns: [{title: No}, {title: Region, as: region}]
        where: region == partner.region
`

// addSheetIn adds a sheet to a workspace or folder, with an order of each region.
func (c *console) addSheetIn(place *smartsheettest.Place, name string) int64 {
	c.t.Helper()
	sheet, err := c.sim.AddSheet(smartsheettest.SheetSpec{
		Name: name, Owner: c.jane, Place: place, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Region"}},
		Rows: []smartsheettest.Row{
			{Cells: smartsheettest.Cells{"No": name + " E", "Region": "EMEA"}}, {Cells: smartsheettest.Cells{"No": name + " A", "Region": "APAC"}},
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return sheet.ID
}

// TestFolders shares what is in a workspace, and in its folders, by a pattern of
// titles. A sheet that comes later is offered, and shared only when that is asked for.
func TestFolders(t *testing.T) {
	c := newConsole(t)
	c.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	sales := c.sim.AddWorkspace(c.jane, "Sales")
	year, err := c.sim.AddFolder(sales, "2026")
	if err != nil {
		t.Fatal(err)
	}
	north, south := c.addSheetIn(sales, "Orders North"), c.addSheetIn(year, "Orders South")
	c.addSheetIn(sales, "Salaries")
	text := fmt.Sprintf(folderFile, sales.ID)
	c.write(text)
	of := func(id int64, title string) string { return fmt.Sprintf(" of sheet %d (%s)", id, title) }

	// Nothing is shared by itself.
	out, _ := c.run(exitDiffers, "diff", "-f", "shares.yaml")
	want := "+ partner acme\n+ partner globex\n"
	for _, s := range []string{"acme/orders-north" + of(north, "Orders North"), "globex/orders-north" + of(north, "Orders North"), "acme/orders-south" + of(south, "Orders South"), "globex/orders-south" + of(south, "Orders South")} {
		want += "  share " + s + " is new and not shared; --new-sheets shares it\n"
	}
	if want += "With sheetbridge apply: 2 added, 0 changed, 0 removed.\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	c.says("2 added, 0 changed, 0 removed.", "apply", "-f", "shares.yaml")
	c.says("No sheet is registered", "webhooks")
	c.says(`"share acme/orders-north of sheet`, "diff", "-f", "shares.yaml", "-o", "json") // exit code 0: apply would do nothing
	c.says("added   share globex/orders-south"+of(south, "Orders South")+"\n4 added, 0 changed, 0 removed.\n", "apply", "-f", "shares.yaml", "--new-sheets")
	c.says("Nothing is to be done", "diff", "-f", "shares.yaml", "--new-sheets", "--prune")
	if out := c.says("acme/orders-north", "shares"); strings.Contains(out, "alaries") {
		t.Errorf("got\n%s\nwant nothing of a sheet with another title", out)
	}
	c.says("region=EMEA", "shares", "show", "acme/orders-south")

	// A sheet that is new is offered, one that has another title keeps its shares.
	west := c.addSheetIn(year, "Orders West")
	c.golden("  share acme/orders-west of sheet # (Orders West) is new and not shared; --new-sheets shares it\n  share globex/orders-west of sheet # (Orders West) is new and not shared; --new-sheets shares it\n"+
		"Nothing is to be done: the instance is as the file says.\n", "diff", "-f", "shares.yaml")
	c.says("Nothing is to be done", "apply", "-f", "shares.yaml", "--prune", "--yes")
	if err := c.sim.As(c.jane).RenameSheet(north, "Orders (North)"); err != nil {
		t.Fatal(err)
	}
	c.says("Nothing is to be done", "diff", "-f", "shares.yaml", "--prune")

	// A change of the entry is a change of each of its shares; a partner's attribute too.
	c.edit(text, "titles: \"Orders *\"\n    shares:\n      - partner: acme\n        columns: [{title: No}, {title: Region, as: region}]", "titles: \"Orders *\"\n    shares:\n      - partner: acme\n        columns: [{title: No, mask: hash}, {title: Region, as: region}]")
	c.says("changed share acme/orders-north"+of(north, "Orders (North)"), "apply", "-f", "shares.yaml", "--breaking")
	c.edit(text, "region: EMEA", "region: APAC")
	c.says("~ partner acme\n    attributes.region: EMEA → APAC\n", "apply", "-f", "shares.yaml", "--dry-run")
	c.says("changed partner acme\n", "apply", "-f", "shares.yaml", "--breaking")
	c.says("region=APAC", "shares", "show", "acme/orders-north")
	c.says("partner's attributes", "audit")

	// One that has left the folder is no more in the file.
	c.edit(strings.Replace(text, "EMEA", "APAC", 1), `titles: "Orders *"`, `titles: "Orders S*"`)
	c.says("share acme/orders-north is not in the file and stays", "diff", "-f", "shares.yaml")

	// The entry of one sheet goes before those of folders.
	c.edit(text, "sheets:\n", fmt.Sprintf("sheets:\n  - {owner: ops, sheetId: \"%d\", shares: [{partner: acme, sheet: west, columns: [{title: No}]}]}\n", west))
	out, _ = c.run(exitDiffers, "diff", "-f", "shares.yaml", "--new-sheets")
	if !strings.Contains(out, "+ share acme/west\n") || strings.Contains(out, "orders-west") {
		t.Errorf("got\n%s\nwant the sheet under the name of its own entry alone", out)
	}
	fitsSchema(t, c.says("json-schema.org", "export", "--schema"), text)
	c.says("where: region == partner.region", "export")
	c.says("attributes:\n      region: APAC", "export")
}

// TestFolderMistakes: what is wrong with an entry of a folder is said with its line
// and the way out.
func TestFolderMistakes(t *testing.T) {
	c := newConsole(t)
	c.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	sales := c.sim.AddWorkspace(c.jane, "Sales")
	first := c.addSheetIn(sales, "Orders A")
	c.addSheetIn(sales, "Orders (A)")
	text := strings.Replace(fmt.Sprintf(folderFile, sales.ID), "Orders *", "Orders A", 1)
	id := strconv.FormatInt(sales.ID, 10)
	for name, tc := range map[string]struct{ old, new, want string }{
		"no place":         {"workspaceId: \"" + id + "\"\n    titles", "titles", "shares.yaml:7: sheets[0]: sheetId is required; or folderId or workspaceId, with titles"},
		"two places":       {"titles:", "folderId: \"7\"\n    titles:", "shares.yaml:7: sheets[0]: sheetId, folderId and workspaceId exclude one another"},
		"no titles":        {"    titles: \"Orders A\"\n", "", "shares.yaml:7: sheets[0]: titles is required: which sheets are meant"},
		"titles of one":    {"workspaceId", "sheetId", "shares.yaml:9: sheets[0].titles: it goes with folderId or workspaceId"},
		"no name":          {"workspaceId: \"" + id + "\"\n    titles: \"Orders A\"", fmt.Sprintf("sheetId: \"%d\"", first), "shares.yaml:10: sheets[0].shares[0].sheet: is required: the partner's name for the sheet"},
		"one name":         {"- partner: acme\n", "- partner: acme\n        sheet: orders\n", "shares.yaml:12: sheets[0].shares[0].sheet: the sheets of a folder or workspace cannot all have one name"},
		"a column by id":   {"{title: No}", "{columnId: \"7\"}", "shares.yaml:12: sheets[0].shares[0].columns[0].columnId: it is of one sheet alone"},
		"no such place":    {id, "77", "shares.yaml:8: sheets[0].workspaceId: "},
		"no such owner":    {"owner: ops", "owner: nobody", `shares.yaml:7: sheets[0].owner: there is no owner "nobody"`},
		"two of one name":  {"Orders A", "Orders *", fmt.Sprintf("shares.yaml:9: sheets[0].titles: the share acme/orders-a of sheet %d (Orders A) would have a name that another one has", first)},
		"no such column":   {"title: Region", "title: Area", `shares.yaml:12: sheets[0].shares[0].columns[1].title: this sheet has no column "Area"`},
		"no attribute":     {"    attributes: {region: EMEA}\n", "", "shares.yaml:12: sheets[0].shares[0].where: partner.region: the partner has no attribute region"},
		"a name with a -":  {"{region: EMEA}", "{sales-region: EMEA}", `shares.yaml:3: partners[0].attributes: "sales-region" is no attribute's name`},
		"another's region": {"region == partner.region", "region == partner.area", "shares.yaml:13: sheets[0].shares[0].where: partner.area: the partner has no attribute area, only region"},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.edit(text, tc.old, tc.new)
			c.refuses(exitUsage, tc.want, "apply", "-f", "shares.yaml", "--new-sheets")
		})
	}
	c.t = t
	c.says("There is no partner yet", "partners")
	c.says("No sheet is registered", "webhooks")
}
