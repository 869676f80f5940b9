package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// filterFields are what the filters of these tests can name.
func filterFields() []Field {
	return []Field{
		{Name: "qty", Type: smartsheet.TextNumber}, {Name: "price", Type: smartsheet.TextNumber},
		{Name: "status", Type: smartsheet.Picklist}, {Name: "due", Type: smartsheet.Date},
		{Name: "done", Type: smartsheet.Checkbox}, {Name: "owner", Type: smartsheet.ContactList},
		{Name: "team", Type: smartsheet.MultiContactList}, {Name: "tags", Type: smartsheet.MultiPicklist},
		{Name: "nothing", Type: smartsheet.TextNumber}, {Name: "big", Type: smartsheet.TextNumber},
		{Name: "huge", Type: smartsheet.TextNumber}, {Name: "type", Type: smartsheet.TextNumber},
		{Name: "duration", Type: smartsheet.Duration},
	}
}

func filterValue(name string) json.RawMessage {
	return json.RawMessage(map[string]string{
		"qty": `3`, "price": `2.5`, "status": `"Open <1>"`, "due": `"2026-11-30"`, "done": `true`,
		"owner": `{"email":"a@example.com","name":null}`,
		"team":  `[{"email":"a@example.com","name":"Ann"},{"email":"b@example.com","name":null}]`,
		"tags":  `["A","B"]`, "nothing": `null`, "big": `9007199254740993`, "huge": `1e999`, "type": `"x"`, "duration": `"P1D"`,
		"Any Column": `7`,
	}[name])
}

func TestFilter(t *testing.T) {
	attributes := map[string]string{"region": "A", "tier": "3"}
	for where, want := range map[string]bool{
		`true`:                                        true,
		`qty == 3`:                                    true,
		`qty == 3.0`:                                  true,
		`qty > 2.5 && price < 3`:                      true,
		`price >= 2.5`:                                true,
		`price == 3`:                                  false,
		`size(tags) >= 1.5`:                           true,
		`qty in [1, 2, 3]`:                            true,
		`qty % 2 == 1`:                                true,
		`big == 9007199254740993`:                     true,
		`big == 9007199254740992`:                     false,
		`huge > 9.0e300`:                              true,
		`status != 'Draft'`:                           true,
		`nothing != 'Draft'`:                          true,
		`nothing == null`:                             true,
		`nothing > 3`:                                 false, // fails: hidden
		`!(nothing > 3)`:                              false, // fails too
		`nothing > 3 || qty == 3`:                     true,
		`due < '2026-12-01'`:                          true,
		`done`:                                        true,
		`!done`:                                       false,
		`qty`:                                         false, // no bool: hidden
		`owner.email.endsWith('@example.com')`:        true,
		`owner.name == null`:                          true,
		`owner.phone == 1`:                            false,
		`has(owner.phone)`:                            false,
		`status.email == 'x'`:                         false,
		`team.exists(p, p.name == 'Ann')`:             true,
		`team.all(p, p.name == 'Ann')`:                false,
		`'B' in tags`:                                 true,
		`'B' in nothing`:                              false,
		`tags.join('+') == 'A+B'`:                     true,
		`status.lowerAscii().startsWith('op')`:        true,
		`status.matches('^Open <[0-9]>$')`:            true,
		`status.split(' ')[0] == 'Open'`:              true,
		`cells["Any Column"] == qty + 4`:              true,
		`has(cells.qty)`:                              true, // bound, so it is there, if only as null
		`type == 'x' && duration == 'P1D'`:            true,
		`partner.region == 'A'`:                       true,
		`partner.region in tags`:                      true,
		`tags.exists(t, t == partner.region)`:         true,
		`string(qty) == partner.tier`:                 true,
		`qty == partner.tier`:                         false, // attributes are text
		`has(partner.region)`:                         true,
		`partner.gone == 'A'`:                         false, // fails
		`partner.gone != 'A'`:                         false, // fails too
		`team.exists(partner, partner.name == 'Ann')`: true,  // a loop's own
		`type(qty) == int`:                            true,
		`timestamp(due + 'T00:00:00Z') > timestamp('2026-11-29T00:00:00Z')`: true,
	} {
		f, err := compileFilter(where, filterFields())
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		if got := f.shows(filterValue, filterValue, attributes); got != want {
			t.Errorf("%s: got %v, want %v", where, got, want)
		}
	}
}

// A row that makes a filter cost too much is hidden, and does not hold up others.
func TestFilterCostIsBounded(t *testing.T) {
	f, err := compileFilter(`team.all(a, team.all(b, a == b || true))`, filterFields())
	if err != nil {
		t.Fatal(err)
	}
	for people, want := range map[int]bool{10: true, 2000: false} {
		one := `{"email":"a@example.com","name":"Ann"}`
		list := json.RawMessage("[" + strings.Repeat(one+",", people-1) + one + "]")
		if got := f.shows(func(string) json.RawMessage { return list }, filterValue, nil); got != want {
			t.Errorf("%d people: got %v, want %v", people, got, want)
		}
	}
}

func TestFilterIsSafeForConcurrentUse(t *testing.T) {
	f, err := compileFilter(`qty == 7 || cells["N"] == 7`, filterFields())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				n := (i + j) % 14
				value := func(string) json.RawMessage { return json.RawMessage(fmt.Sprint(n)) }
				if got := f.shows(value, value, nil); got != (n == 7) {
					t.Errorf("%d: got %v", n, got)
				}
			}
		})
	}
	group.Wait()
}

func FuzzWhere(f *testing.F) {
	for _, seed := range []string{
		`qty == 3 && status != "x"`, `cells["A"].exists(x, x in tags)`, `team.map(a, team.map(b, a.email + b.email)).size() > 3`,
		`status.replace("a", "aaaaaaaa") == "b"`, `status.matches(due)`, `"%s %d".format([status, qty]) == due`,
		`{"a": qty}["a"] == 1 ? true : done`, `timestamp(due) - timestamp("2026-01-01T00:00:00Z") > duration("1h")`, `cells.A[cells.B]`,
		`partner.region == status || has(partner.x)`, `partner[status]`, `partner.all(p, p == "x")`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, where string) {
		filter, err := compileFilter(where, filterFields())
		if err != nil {
			if wrong := new(filterError); !errors.As(err, &wrong) || wrong.text == "" {
				t.Fatalf("%q: got %v, want a filterError", where, err)
			}
			return
		}
		filter.shows(filterValue, func(string) json.RawMessage { return json.RawMessage(`["A","B"]`) }, map[string]string{"region": "EMEA"})
	})
}
