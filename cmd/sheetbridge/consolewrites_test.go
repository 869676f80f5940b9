package main

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
)

// What a partner may write is chosen by ticking, said in words before it is so, kept by
// every other change of the share, and shown wherever the share is; what it wrote is in
// the audit log in words.
func TestConsoleWriteTerms(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": sim.AddToken(jane)}, nil)
	var acme struct{ Credentials string }
	s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, &acme)
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	w.open(fmt.Sprintf("#/new?owner=ops&partner=acme&sheet=%d", sheet.ID))
	w.fill("Share No", "")
	w.fill("Share Status", "")
	w.see("acme may only read")
	w.fill("The partner may change the sheet", "")
	w.see("Nothing is allowed yet.")
	w.until(`[...document.querySelectorAll("button.primary")].some((b) => b.innerText === "Share with acme" && b.disabled)`)
	w.fill("status may be changed", "")
	w.see("acme will set status, in every row that it sees, with any value")
	w.see("jane@a.example")
	w.fill("Only if", "status in ['Open', 'Done'")
	w.until(`document.querySelector(".field.wrong .error")`)
	w.fill("Only if", "status in ['Open', 'Done']")
	w.until(`!document.querySelector(".field.wrong .error")`)
	w.fill("Mask of Status", "hash")
	w.see("it is masked: who does not see a value cannot write it")
	w.fill("Mask of Status", "")
	w.fill("no may be given in new rows", "")
	w.see("set status and add rows")
	w.see("3 of 3 rows leave")
	w.click("Share with acme")
	w.see("acme changes the sheet")
	w.until(`[...document.querySelectorAll(".card .state")].some((e) => e.innerText === "live")`)
	if terms := s.writeTerms(); terms == nil || len(terms.Update) != 1 || terms.Update[0] != "status" || terms.Create == nil || terms.Create.Key != "no" || terms.Check != "status in ['Open', 'Done']" {
		t.Fatalf("got %+v, want what was ticked", terms)
	}
	w.click("Change") // of anything else
	w.fill("Filter", "status != 'Draft'")
	w.see("2 of 3 rows leave")
	w.click("Change the share")
	w.see("status != 'Draft'")
	w.until(`!document.querySelector("form.define")`)
	if terms := s.writeTerms(); terms == nil || terms.Check == "" {
		t.Errorf("got %+v, want what the partner may write to be as it was", terms)
	}
	nc, err := nats.Connect(s.nats, nats.UserCredentialBytes([]byte(acme.Credentials)))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for id, set := range map[string]string{"po-1": "Done", "po-2": "Lost"} {
		order := fmt.Sprintf(`{"id":%q,"op":"update","row":"%d","expect":{"no":"SO-1"},"set":{"status":%q}}`, id, sheet.Rows[0], set)
		if _, err := nc.Request("write.acme.orders.default", []byte(order), tabTime); err != nil {
			t.Fatal(err)
		}
	}
	w.open("#/overview")
	w.see("writes: 1 field, new rows")
	w.open("#/partners/acme")
	w.see("writes: 1 field, new rows")
	w.until(`(() => { const text = document.querySelector("main").innerText; if (text.includes("refused: check failed")) return true; if (text.includes("Loading…")) return false; location.hash = location.hash.startsWith("#/audit") ? "#/keys" : "#/audit?on=write"; })()`)
	w.see(fmt.Sprintf("update row %d: status", sheet.Rows[0]))
	w.see("partner acme, credentials default")
}

// writeTerms are those of the one share.
func (s *running) writeTerms() *events.WriteTerms {
	var list struct {
		Items []struct {
			Shares []struct{ Write *events.WriteTerms }
		}
	}
	s.must("GET", "/v1/webhooks", nil, &list)
	return list.Items[0].Shares[0].Write
}
