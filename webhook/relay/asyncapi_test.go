package relay_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/codegen"
	"github.com/sheetbridge/sheetbridge/events/codegen/codegentest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// What is published is what the contract's document says: each type of event
// there is, validated against its own schema.
func TestEventsAreWhatTheContractSays(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, withChildren())
	jane, row := w.Sim.As(w.Jane), w.Sheet.Rows[0]
	file, err := jane.AttachLink(w.Sheet.ID, row, "plan.pdf", "https://a.example/plan.pdf")
	webhooktest.Must(t, err)
	thread, _, err := jane.Discuss(w.Sheet.ID, row, "first")
	webhooktest.Must(t, err)
	comment, err := jane.Comment(w.Sheet.ID, thread, "second")
	webhooktest.Must(t, err)
	w.Settle()
	webhooktest.Must(t, jane.EditComment(w.Sheet.ID, comment, "second thought"))
	w.Edit(0, webhooktest.Cells{"Status": "Done", "Qty": 12})
	w.Settle()
	webhooktest.Must(t, jane.DeleteAttachment(w.Sheet.ID, file))
	webhooktest.Must(t, jane.DeleteComment(w.Sheet.ID, comment))
	w.Settle()
	webhooktest.Must(t, jane.DeleteRows(w.Sheet.ID, row))
	w.Settle()

	share := w.Registry.Share("acme", shareName(w)).Share
	text, err := events.AsyncAPI("acme", []events.Server{{Name: "nats", URL: w.Broker.URL()}}, []events.Share{share})
	webhooktest.Must(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	webhooktest.Must(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	webhooktest.Must(t, compiler.AddResource("contract.json", document))
	types, messages := map[string]bool{}, []string{}
	for _, m := range w.Stream("acme") {
		name := share.Sheet + "." + strings.TrimPrefix(m.Type, "sheetbridge.")
		schema, err := compiler.Compile("contract.json#/components/schemas/" + name)
		webhooktest.Must(t, err)
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Raw))
		webhooktest.Must(t, err)
		if err := schema.Validate(instance); err != nil {
			t.Errorf("message %d, %s: %v\n%s", m.Sequence, m.Type, err, m.Raw)
		}
		types[m.Type] = true
		messages = append(messages, string(m.Raw))
	}
	if len(types) != 10 {
		t.Errorf("got %d types of event, want all ten: %v", len(types), types)
	}
	source, err := codegen.Go(text)
	webhooktest.Must(t, err)
	codegentest.SameInGo(t, source, messages)
}

func shareName(w *webhooktest.World) string { return w.Registry.Shares(w.Reg.ID)[0].Sheet }
