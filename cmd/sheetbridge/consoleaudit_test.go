package main

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// The whole audit log is exported, not what the page has shown of it, and the chain can
// be followed in the file.
func TestConsoleExportsWholeAudit(t *testing.T) {
	sim, _, _ := ordersFor(t)
	s := startService(t, sim.URL())
	const calls = 255 // two entries each: more than the 500 of one answer
	for range calls {
		if err := s.refused("POST", "/v1/webhooks/none/reconcile", nil); err == nil {
			t.Fatal("a webhook that is not there was compared")
		}
	}
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	w.open("#/audit")
	w.eval(`(() => { const make = URL.createObjectURL; URL.createObjectURL = (b) => { window.exported = b; return make.call(URL, b); }; })()`, nil)
	w.click("Export everything")
	w.until(`document.querySelector("main .good")?.innerText.endsWith("entries saved")`)
	var text string
	w.eval(`window.exported.text()`, &text)
	var file struct{ Items []admin.AuditEntry }
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Items) < 2*calls {
		t.Fatalf("got %d entries, want all", len(file.Items))
	}
	for i, e := range file.Items {
		if e.Sequence != strconv.Itoa(len(file.Items)-i) {
			t.Fatalf("got entry %s at %d of %d, want each once, newest first", e.Sequence, i, len(file.Items))
		}
		if i > 0 && file.Items[i-1].Previous != e.Hash {
			t.Fatalf("entry %s is not the one before %s", e.Sequence, file.Items[i-1].Sequence)
		}
	}
}
