package events_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// contractShares are two shares with every type of column and kind of object.
func contractShares() []events.Share {
	orders := events.Share{Partner: "acme", Sheet: "orders", SheetID: 7, Region: "us", Revision: 1,
		Kinds: []events.Kind{events.KindRow, events.KindAttachment, events.KindComment}}
	for i, t := range []smartsheet.ColumnType{
		smartsheet.TextNumber, smartsheet.Checkbox, smartsheet.Date, smartsheet.DateTime, smartsheet.AbstractDateTime,
		smartsheet.ContactList, smartsheet.MultiContactList, smartsheet.Picklist, smartsheet.MultiPicklist,
		smartsheet.Duration, smartsheet.Predecessor,
	} {
		name := strings.ToLower(string(t))
		orders.Fields = append(orders.Fields, events.Field{Name: name, ColumnID: int64(i + 1), Title: "hidden " + name, Type: t})
	}
	orders.Fields = append(orders.Fields,
		events.Field{Name: "customer", ColumnID: 98, Title: "Customer", Type: smartsheet.TextNumber, Mask: events.MaskHash},
		events.Field{Name: "secret", ColumnID: 99, Title: "Secret", Type: smartsheet.Date, Mask: events.MaskRedact})
	orders.Where = "text_number != 'planted-filter'"
	orders.Write = &events.WriteTerms{
		Update: []string{"checkbox", "date", "abstract_datetime", "contact_list", "multi_contact_list", "multi_picklist", "duration"},
		Create: &events.CreateTerms{Columns: []string{"text_number", "picklist"}, Key: "text_number"}, Delete: true, Check: "picklist != 'planted-check'", Owner: "planted-owner",
	}
	plan := *testShare("plan")
	return []events.Share{plan, orders}
}

func testShare(name string) *events.Share {
	return &events.Share{Partner: "acme", Sheet: name, SheetID: 7, Region: "us", Revision: 1,
		Fields: []events.Field{{Name: "v", ColumnID: 1, Type: "TEXT_NUMBER"}}, Kinds: []events.Kind{events.KindRow}}
}

func contractServers() []events.Server {
	return []events.Server{
		{Name: "nats", URL: "tls://nats.a.example:4222", Title: "NATS"},
		{Name: "websocket", URL: "wss://nats.a.example:443", Title: "NATS over WebSocket"},
	}
}

// TestAsyncAPI lets the official parser read the document.
func TestAsyncAPI(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "asyncapi"))); err != nil {
		t.Fatal(err)
	}
	eventstest.NodeModules(t, dir)
	rows := []any{"sheetbridge.row.created", "sheetbridge.row.deleted", "sheetbridge.row.updated"}
	schema, status := []any{"sheetbridge.schema.changed"}, []any{"sheetbridge.status.changed"}
	for name, test := range map[string]struct {
		shares   []events.Share
		channels map[string]any
	}{
		"no share yet": {nil, map[string]any{}},
		"two shares": {contractShares(), map[string]any{
			"smartsheet.acme.plan.row.{rowId}":                 rows,
			"smartsheet.acme.plan.schema":                      schema,
			"smartsheet.acme.plan.status":                      status,
			"smartsheet.acme.orders.row.{rowId}":               rows,
			"smartsheet.acme.orders.attachment.{attachmentId}": []any{"sheetbridge.attachment.created", "sheetbridge.attachment.deleted"},
			"smartsheet.acme.orders.comment.{commentId}":       []any{"sheetbridge.comment.created", "sheetbridge.comment.deleted", "sheetbridge.comment.updated"},
			"smartsheet.acme.orders.schema":                    schema,
			"smartsheet.acme.orders.status":                    status,
			"smartsheet.acme.orders.write.{writeId}":           []any{"sheetbridge.write.done", "sheetbridge.write.refused"},
			"write.acme.orders.{credential}":                   []any{"sheetbridge.write.request"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			document, err := events.AsyncAPI("acme", contractServers(), test.shares)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(command(t, dir, document, "node", "check.js"), &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"errors": []any{}, "warnings": []any{}, "channels": test.channels,
				"servers": []any{"nats://nats.a.example:4222", "wss://nats.a.example:443"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what the parser reads (-want +got):\n%s", diff)
			}
		})
	}
	var broken map[string]any
	if err := json.Unmarshal(command(t, dir, []byte(`{"asyncapi":"3.0.0","info":{}}`), "node", "check.js"), &broken); err != nil {
		t.Fatal(err)
	}
	if errs, _ := broken["errors"].([]any); len(errs) == 0 {
		t.Error("the parser accepts anything")
	}
}

func command(t *testing.T, dir string, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
	}
	return out
}

// The document tells what is shared and nothing else: no title, no filter.
func TestAsyncAPIHides(t *testing.T) {
	document, err := events.AsyncAPI("acme", contractServers(), contractShares())
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"hidden ", "Customer", "Secret", "planted-filter", "planted-check", "planted-owner", "$schema"} {
		if bytes.Contains(document, []byte(hidden)) {
			t.Errorf("document tells of %q", hidden)
		}
	}
	again, err := events.AsyncAPI("acme", contractServers(), contractShares())
	if err != nil || !bytes.Equal(document, again) {
		t.Errorf("got another document from the same shares, error %v", err)
	}
	if _, err := events.AsyncAPI("acme", []events.Server{{Name: "nats", URL: "nowhere"}}, nil); err == nil {
		t.Error("described a server without an address")
	}
}
