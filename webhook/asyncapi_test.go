package webhook_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sheetbridge/sheetbridge/events"
)

// What is published is what the contract's document says: each type of event
// there is, validated against its own schema.
func TestEventsAreWhatTheContractSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, withChildren())
	jane, row := w.sim.As(w.jane), w.sheet.Rows[0]
	file, err := jane.AttachLink(w.sheet.ID, row, "plan.pdf", "https://a.example/plan.pdf")
	must(t, err)
	thread, _, err := jane.Discuss(w.sheet.ID, row, "first")
	must(t, err)
	comment, err := jane.Comment(w.sheet.ID, thread, "second")
	must(t, err)
	w.settle()
	must(t, jane.EditComment(w.sheet.ID, comment, "second thought"))
	w.edit(0, cells{"Status": "Done", "Qty": 12})
	w.settle()
	must(t, jane.DeleteAttachment(w.sheet.ID, file))
	must(t, jane.DeleteComment(w.sheet.ID, comment))
	w.settle()
	must(t, jane.DeleteRows(w.sheet.ID, row))
	w.settle()

	share := w.registry.Share("acme", shareName(w)).Share
	text, err := events.AsyncAPI("acme", []events.Server{{Name: "nats", URL: w.broker.URL()}}, []events.Share{share})
	must(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	must(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	must(t, compiler.AddResource("contract.json", document))
	types := map[string]bool{}
	for _, m := range w.stream("acme") {
		name := share.Sheet + "." + strings.TrimPrefix(m.Type, "sheetbridge.")
		schema, err := compiler.Compile("contract.json#/components/schemas/" + name)
		must(t, err)
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Raw))
		must(t, err)
		if err := schema.Validate(instance); err != nil {
			t.Errorf("message %d, %s: %v\n%s", m.Sequence, m.Type, err, m.Raw)
		}
		types[m.Type] = true
	}
	if len(types) != 10 {
		t.Errorf("got %d types of event, want all ten: %v", len(types), types)
	}
}

func shareName(w *world) string { return w.registry.Shares(w.reg.ID)[0].Sheet }
