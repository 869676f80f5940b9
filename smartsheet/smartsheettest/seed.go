package smartsheettest

import "fmt"

// Seeded is what Seed put into a server.
type Seeded struct {
	Owner, Admin, Viewer                *User // Owner owns both sheets; Viewer may read them
	OwnerToken, AdminToken, ViewerToken string
	Orders                              *Sheet // an order book
	Relaunch                            *Sheet // a project plan with hierarchy and dependencies
	Editor                              *Editor
}

// Seed fills a server with two sheets that people recognise, in a workspace and in
// a folder of it, and with those who work on them. All names are made up.
func Seed(s *Server) (*Seeded, error) {
	out := &Seeded{
		Owner:  s.AddUser(User{Email: "olivia.berg@northwind-tools.example", Name: "Olivia Berg"}),
		Admin:  s.AddUser(User{Email: "admin@northwind-tools.example", Name: "Sam Okafor", Admin: true}),
		Viewer: s.AddUser(User{Email: "priya.nair@northwind-tools.example", Name: "Priya Nair"}),
	}
	for _, name := range []string{"Jonas Weber", "Mei Tanaka", "Lucas Ferreira"} {
		s.AddUser(User{Email: addressOf(name), Name: name})
	}
	out.OwnerToken, out.AdminToken, out.ViewerToken = s.AddToken(out.Owner), s.AddToken(out.Admin), s.AddToken(out.Viewer)
	workspace := s.AddWorkspace(out.Owner, "Northwind Tools")
	projects, err := s.AddFolder(workspace, "Projects")
	if err != nil {
		return nil, fmt.Errorf("seeding the folder: %w", err)
	}
	if out.Orders, err = s.AddSheet(ordersSpec(out.Owner, workspace)); err != nil {
		return nil, fmt.Errorf("seeding the order book: %w", err)
	}
	if out.Relaunch, err = seedRelaunch(s, out.Owner, projects); err != nil {
		return nil, fmt.Errorf("seeding the project plan: %w", err)
	}
	for _, sheet := range []*Sheet{out.Orders, out.Relaunch} {
		if err := s.As(out.Owner).Share(sheet.ID, out.Viewer, AccessViewer); err != nil {
			return nil, fmt.Errorf("sharing %s: %w", sheet.Name, err)
		}
	}
	out.Editor = &Editor{server: s, by: out.Owner, orders: out.Orders.ID, relaunch: out.Relaunch.ID, status: out.Orders.Columns["Status"]}
	return out, nil
}

var managers = []string{"Olivia Berg", "Jonas Weber", "Mei Tanaka", "Lucas Ferreira"}

func addressOf(name string) string {
	switch name {
	case "Olivia Berg":
		return "olivia.berg@northwind-tools.example"
	case "Jonas Weber":
		return "jonas.weber@northwind-tools.example"
	case "Mei Tanaka":
		return "mei.tanaka@northwind-tools.example"
	}
	return "lucas.ferreira@northwind-tools.example"
}

func person(name string) Contact { return Contact{Email: addressOf(name), Name: name} }

var (
	orderStatuses = []string{"Draft", "Open", "In production", "Shipped", "Invoiced", "Cancelled"}
	orderTags     = []string{"Rush", "Export", "Repeat customer", "Fragile", "Partial delivery"}
	customers     = []string{
		"Harbor & Finch Ltd", "Lindqvist Möbler AB", "Casa Aranda S.L.", "Prairie Supply Co-op", "Atelier Moreau",
		"Kestrel Marine", "Blue Fjord Outdoor", "Sato Precision KK", "Tidewater Hotels", "Grünfeld Gartenbau GmbH",
	}
	products = []string{"Bench vise 125 mm", "Torque wrench set", "Workbench oak 2 m", "Clamp kit, 24 pcs", "Cordless planer"}
)

func ordersSpec(owner *User, in *Place) SheetSpec {
	spec := SheetSpec{Name: "Orders", Owner: owner, Place: in, Columns: []Column{
		{Title: "Order No", Primary: true},
		{Title: "Customer", Width: 220},
		{Title: "Product", Width: 200},
		{Title: "Status", Type: "PICKLIST", Options: orderStatuses, Validation: true},
		{Title: "Due Date", Type: "DATE"},
		{Title: "Qty"},
		{Title: "Price", Currency: "€"},
		{Title: "Done", Type: "CHECKBOX", Width: 60},
		{Title: "Account Manager", Type: "CONTACT_LIST"},
		{Title: "Tags", Type: "MULTI_PICKLIST", Options: orderTags},
		{Title: "Internal Margin Note", Width: 240},
		{Title: "Modified", Type: "DATETIME", SystemType: "MODIFIED_DATE"},
	}}
	for i := range 25 {
		spec.Rows = append(spec.Rows, Row{Lenient: i == 11, Cells: orderCells(i)})
	}
	return spec
}

// orderCells is the nth order; some leave cells empty and one has free text
// for a date, as order books do.
func orderCells(n int) Cells {
	status := orderStatuses[(n*7+1)%len(orderStatuses)]
	cells := Cells{
		"Order No": fmt.Sprintf("SO-%04d", 1040+n), "Customer": customers[n*3%len(customers)], "Product": products[n%len(products)],
		"Status": status, "Due Date": Date(fmt.Sprintf("2026-%02d-%02d", 11+n%2, 3+n)), "Qty": 1 + n*5%24, "Price": 39.5 + float64(n*n%17)*48.25,
		"Done": status == "Invoiced", "Account Manager": person(managers[n%len(managers)]),
	}
	if n%3 != 1 {
		cells["Tags"] = orderTags[n%3 : n%3+1+n%2]
	}
	if n%4 == 0 {
		cells["Internal Margin Note"] = fmt.Sprintf("floor at %d %%, ask before discount", 18+n%9)
	}
	switch n {
	case 11:
		cells["Due Date"] = "after the trade fair"
	case 17:
		delete(cells, "Due Date")
		delete(cells, "Price")
	}
	return cells
}

func relaunchSpec(owner *User, in *Place) SheetSpec {
	return SheetSpec{Name: "Website relaunch", Owner: owner, Place: in, Project: true, Columns: []Column{
		{Title: "Task Name", Primary: true, Width: 260},
		{Title: "Duration", Type: "DURATION"},
		{Title: "Start", Type: "ABSTRACT_DATETIME"},
		{Title: "Finish", Type: "ABSTRACT_DATETIME"},
		{Title: "Predecessors", Type: "PREDECESSOR"},
		{Title: "Assigned To", Type: "MULTI_CONTACT_LIST"},
		{Title: "Status", Type: "PICKLIST", Options: []string{"Not started", "In progress", "Blocked", "Complete"}, Validation: true},
		{Title: "% Complete", Percent: true},
		{Title: "Budget", Currency: "€"},
		{Title: "At Risk", Type: "CHECKBOX", Symbol: "FLAG"},
	}}
}

// relaunchPhases are the tasks of the plan under their phases.
var relaunchPhases = []struct {
	name  string
	tasks []string
}{
	{"Discovery", []string{"Stakeholder interviews", "Analytics review", "Content inventory"}},
	{"Design", []string{"Wireframes", "Visual design", "Usability test", "Design sign-off"}},
	{"Build", []string{"CMS set-up", "Templates", "Product catalogue import", "Search", "Accessibility fixes"}},
	{"Launch", []string{"Redirect map", "Load test", "Go live", "Hypercare"}},
}

func seedRelaunch(s *Server, owner *User, in *Place) (*Sheet, error) {
	sheet, err := s.AddSheet(relaunchSpec(owner, in))
	if err != nil {
		return nil, err
	}
	by, day, last := s.As(owner), 2, int64(0)
	for p, phase := range relaunchPhases {
		ids, err := by.AddRows(sheet.ID, Row{Cells: Cells{"Task Name": phase.name, "Budget": 8000 + 3500*p, "% Complete": max(0, 1-0.4*float64(p))}})
		if err != nil {
			return nil, err
		}
		sheet.Rows = append(sheet.Rows, ids...)
		for t, task := range phase.tasks {
			cells := taskCells(p, t, day)
			cells["Task Name"] = task
			if last != 0 {
				cells["Predecessors"] = []Predecessor{{RowID: last, Type: "FS"}}
			}
			added, err := by.AddRows(sheet.ID, Row{ParentID: ids[0], ToBottom: true, Cells: cells})
			if err != nil {
				return nil, err
			}
			sheet.Rows = append(sheet.Rows, added...)
			last = added[0]
			day += 2
		}
	}
	return sheet, nil
}

func taskCells(phase, task, day int) Cells {
	status, done := "Not started", 0.0
	switch {
	case phase == 0:
		status, done = "Complete", 1
	case phase == 1 && task < 2:
		status, done = "In progress", 0.25*float64(task+1)
	}
	team := []Contact{person(managers[(phase+task)%len(managers)])}
	if task%2 == 0 {
		team = append(team, person(managers[(phase+task+1)%len(managers)]))
	}
	date := func(day int, hour string) AbstractDateTime {
		return AbstractDateTime(fmt.Sprintf("2026-%02d-%02dT%s", 11+day/29, 1+day%28, hour))
	}
	return Cells{
		"Duration": Duration{Days: float64(1 + (phase+task)%3), Hours: float64(task % 2 * 4)}, "Start": date(day, "08:00:00"),
		"Finish": date(day+1, "16:59:59"), "Assigned To": team, "Status": status, "% Complete": done, "Budget": 900 + 450*task,
	}
}
