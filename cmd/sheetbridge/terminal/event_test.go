package terminal

import (
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	next := time.Date(2026, 11, 20, 10, 20, 0, 0, time.UTC).Local().Format(time.TimeOnly)
	for name, test := range map[string]struct{ event, want string }{
		"updated": {
			`{"type":"sheetbridge.row.updated","subject":"orders/row/7","data":{"before":{"status":"Open","qty":3},"after":{"status":"Done","qty":3},"changed":["status"],"origin":"callback","changeAgent":["erp"]}}`,
			"orders row/7 Done  updated  status Open → Done  (callback by erp)",
		},
		"several": {
			`{"type":"sheetbridge.row.updated","subject":"orders/row/7","data":{"before":{"a":null,"b":true},"after":{"a":"","b":false},"changed":["a","b"],"origin":"reconcile"}}`,
			"orders row/7  updated  a – → , b true → false  (reconcile)",
		},
		"created": {
			`{"type":"sheetbridge.row.created","subject":"orders/row/7","data":{"before":null,"after":{"no":"SO-1","who":{"email":"j@a.example","name":"Jane"},"team":[{"email":"k@a.example","name":null},"x"]},"changed":["no"],"origin":"callback"}}`,
			"orders row/7 SO-1  created  no SO-1, who Jane, team [k@a.example x]  (callback)",
		},
		"left the view": {
			`{"type":"sheetbridge.row.deleted","subject":"orders/row/7","data":{"before":{"no":"SO-1"},"after":null,"changed":["no"],"origin":"callback","reason":"left-view"}}`,
			"orders row/7 SO-1  deleted  no SO-1  (left-view, callback)",
		},
		"moved": {
			`{"type":"sheetbridge.row.updated","subject":"plan/row/7","data":{"before":{"no":"1"},"after":{"no":"1"},"changed":[],"origin":"callback"}}`,
			"plan row/7 1  updated  moved under another parent  (callback)",
		},
		"nothing known before": {
			`{"type":"sheetbridge.row.updated","subject":"plan/row/7","data":{"before":null,"after":{"no":"1"},"changed":["no"],"origin":"share"}}`,
			"plan row/7 1  updated  no 1  (share)",
		},
		"schema": {
			`{"type":"sheetbridge.schema.changed","subject":"orders/schema","data":{"revision":2,"reset":true,"schema":{"required":["no","qty"]}}}`,
			"orders schema  revision 2: no, qty (shows less than before: what stood before this message was removed)",
		},
		"status": {
			`{"type":"sheetbridge.status.changed","subject":"orders/status","data":{"state":"live","reason":"","mode":"webhook","completeTo":{"version":9},"nextBefore":"2026-11-20T10:20:00Z"}}`,
			"orders status  live, complete to version 9, next status before " + next + "  (webhook)",
		},
		"trouble": {
			`{"type":"sheetbridge.status.changed","subject":"orders/status","data":{"state":"stale","reason":"the owner cannot read the sheet","mode":"polling","completeTo":null,"nextBefore":null}}`,
			"orders status  stale: the owner cannot read the sheet  (polling)",
		},
		"by a write": {
			`{"type":"sheetbridge.row.updated","subject":"orders/row/7","data":{"row":{"id":"7"},"before":{"status":"Open"},"after":{"status":"Done"},"changed":["status"],"origin":"write","write":"po-1"}}`,
			"orders row/7 Done  updated  status Open → Done  (write po-1)",
		},
		"a write that is done": {
			`{"type":"sheetbridge.write.done","subject":"orders/write/po-1","data":{"id":"po-1","op":"update","row":"7","result":"done","version":913,"raced":true}}`,
			"orders write/po-1  done  update of row 7, version 913 of the sheet, others changed the sheet in the meantime",
		},
		"a write that is only checked": {
			`{"type":"sheetbridge.write.done","subject":"orders/write/po-1","data":{"id":"po-1","op":"create","row":null,"result":"done","dryRun":true}}`,
			"orders write/po-1  done  create, only checked",
		},
		"a write that is refused": {
			`{"type":"sheetbridge.write.refused","subject":"orders/write/po-1","data":{"id":"po-1","op":"update","row":"7","result":"refused","code":"conflict","field":"status","detail":"the row is not as expected","current":{"status":"Shipped","qty":null}}}`,
			"orders write/po-1  refused  update of row 7: conflict: status: the row is not as expected; it is now status Shipped, qty –",
		},
		"a write that is none": {
			`{"type":"sheetbridge.write.refused","subject":"orders/write/po-1","data":{"id":"po-1","row":null,"result":"refused","code":"invalid","field":"op","detail":"want \u001b"}}`,
			`orders write/po-1  refused  request: invalid: op: want \x1b`,
		},
		"a cell that would move the cursor": {
			`{"type":"sheetbridge.row.created","subject":"orders/row/7","data":{"before":null,"after":{"no":"\u001b[2J\u0007\u202eevil\n"},"changed":["no"],"origin":"callback"}}`,
			`orders row/7 \x1b[2J\a\u202eevil\n  created  no \x1b[2J\a\u202eevil\n  (callback)`,
		},
		"a long cell": {
			`{"type":"sheetbridge.row.created","subject":"orders/row/7","data":{"before":null,"after":{"no":"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"},"changed":["no"],"origin":"callback"}}`,
			"orders row/7 aaaaaaaaaabbbbbbbbbbcccc…  created  no aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeee…  (callback)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := ParseEvent([]byte(test.event))
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Line(false); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestRepeatedStatus prints a status once for each thing that it says.
func TestRepeatedStatus(t *testing.T) {
	const row = `{"type":"sheetbridge.row.created","subject":"orders/row/7","data":{"after":{"no":"1"}}}`
	status := func(sheet, state string) string {
		return `{"type":"sheetbridge.status.changed","subject":"` + sheet + `/status","data":{"state":"` + state + `"}}`
	}
	printed := Statuses{}
	for i, step := range []struct {
		event   string
		repeats bool
	}{
		{status("orders", "loading"), false}, {row, false}, {status("orders", "loading"), true}, {row, false},
		{status("orders", "live"), false}, {status("plan", "live"), false}, {status("orders", "live"), true}, {status("orders", "stale"), false},
		{status("orders", "live"), false},
	} {
		e, err := ParseEvent([]byte(step.event))
		if err != nil {
			t.Fatal(err)
		}
		if got := printed.Repeats(e); got != step.repeats {
			t.Errorf("event %d, %s: repeats is %v, want %v", i, step.event, got, step.repeats)
		}
	}
}

func TestColours(t *testing.T) {
	e, err := ParseEvent([]byte(`{"type":"sheetbridge.row.deleted","subject":"orders/row/7","data":{"before":{"no":"1"},"after":null,"origin":"callback","reason":"deleted"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "orders row/7 \x1b[1m1\x1b[0m  \x1b[31mdeleted\x1b[0m  \x1b[2mno 1\x1b[0m  \x1b[2m(deleted, callback)\x1b[0m"
	if got := e.Line(true); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
