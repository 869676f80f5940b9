package smartsheet

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseCallback(t *testing.T) {
	const user = 9007194052434043
	at := func(s string) Time {
		moment, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return Time{moment.UTC()}
	}
	big := func(s string) string { return `{"webhookId":` + s + `}` }
	event := func(s string) string { return `{"webhookId":1,"events":[` + s + `]}` }
	row := CallbackEvent{ObjectType: "row", EventType: "created", ID: 7}
	tests := map[string]struct {
		body string
		want Callback
	}{
		"documented rows": {string(fixture(t, "callbacks/event-callback-row-created.official-docs.json")), Callback{
			Nonce: "4b2ed20d-6f00-4b0c-8fac-082182aa9aac", Timestamp: at("2015-10-27T17:04:23.795Z"),
			WebhookID: 4503604829677444, Scope: "sheet", ScopeObjectID: 4509506114742148,
			Events: []CallbackEvent{
				{ObjectType: ObjectSheet, EventType: EventUpdated, ID: 4509506114742148, UserID: user, Timestamp: at("2015-10-27T17:03:15Z")},
				{ObjectType: ObjectRow, EventType: EventCreated, ID: 7129509179746180, UserID: user, Timestamp: at("2015-10-27T17:03:15Z")},
			},
		}},
		"captured cell": {string(fixture(t, "callbacks/event-callback-row-created-cell-updated.captured-2022-prismatic.json")), Callback{
			Nonce: "1739a3a7-e2fb-43e6-8488-90ca2fcaa3b8", Timestamp: at("2022-06-27T21:34:24Z"),
			WebhookID: 8951687911106436, Scope: "sheet", ScopeObjectID: 285065612683140,
			Events: []CallbackEvent{
				{ObjectType: ObjectRow, EventType: EventCreated, ID: 3987537850460036, UserID: 789168465962884, Timestamp: at("2022-06-27T21:34:23Z")},
				{ObjectType: ObjectCell, EventType: EventUpdated, RowID: 3987537850460036, ColumnID: 2650235767940996, UserID: 789168465962884, Timestamp: at("2022-06-27T21:34:23Z")},
			},
		}},
		"access lost": {string(fixture(t, "callbacks/status-change-access-lost.official-docs.json")), Callback{
			Nonce: "20d4d741-6224-446f-b9c4-bf7802326192", Timestamp: at("2015-10-27T14:48:40.214Z"),
			WebhookID: 2674017481058180, Scope: "sheet", ScopeObjectID: 3407658024757124, NewWebhookStatus: WebhookScopeInaccessible,
		}},
		"misspelt status":          {`{"webhookId":1,"newWebHookStatus":"ENABLED"}`, Callback{WebhookID: 1, NewWebhookStatus: WebhookEnabled}},
		"unknown status":           {`{"newWebhookStatus":"DISABLED_X"}`, Callback{NewWebhookStatus: "DISABLED_X"}},
		"empty":                    {` {}`, Callback{}},
		"id above 2^53":            {big("9007199254740993"), Callback{WebhookID: 9007199254740993}},
		"largest id":               {big("9223372036854775807"), Callback{WebhookID: 9223372036854775807}},
		"id as string":             {big(`"9007199254740993"`), Callback{WebhookID: 9007199254740993}},
		"id null":                  {big("null"), Callback{}},
		"id too large":             {big("9223372036854775808"), Callback{Partial: true}},
		"id fraction":              {big("1.5"), Callback{Partial: true}},
		"id an object":             {big("{}"), Callback{Partial: true}},
		"id a word":                {big(`"x"`), Callback{Partial: true}},
		"timestamp odd":            {`{"timestamp":"soon","webhookId":1}`, Callback{WebhookID: 1}},
		"timestamp an object":      {`{"timestamp":{},"webhookId":1}`, Callback{WebhookID: 1}},
		"timestamp epoch":          {`{"timestamp":1445965463795}`, Callback{Timestamp: at("2015-10-27T17:04:23.795Z")}},
		"nonce a number":           {`{"nonce":5,"webhookId":1,"scope":"sheet"}`, Callback{WebhookID: 1, Scope: "sheet", Partial: true}},
		"unknown kinds":            {event(`{"objectType":"proof","eventType":"moved","id":7,"new":[1]}`), Callback{WebhookID: 1, Events: []CallbackEvent{{ObjectType: "proof", EventType: "moved", ID: 7}}}},
		"lower case ids":           {event(`{"objectType":"cell","eventType":"updated","rowid":7,"columnid":8,"userid":9}`), Callback{WebhookID: 1, Events: []CallbackEvent{{ObjectType: "cell", EventType: "updated", RowID: 7, ColumnID: 8, UserID: 9}}}},
		"event timestamp odd":      {event(`{"objectType":"row","eventType":"created","id":7,"timestamp":"2026-99-99"}`), Callback{WebhookID: 1, Events: []CallbackEvent{row}}},
		"event id odd":             {event(`{"objectType":"row","eventType":"created","id":true}`), Callback{WebhookID: 1, Partial: true, Events: []CallbackEvent{{ObjectType: "row", EventType: "created"}}}},
		"user id odd":              {event(`{"objectType":"row","eventType":"created","id":7,"userId":"anonymous"}`), Callback{WebhookID: 1, Events: []CallbackEvent{row}}},
		"event null":               {event(`null,{"objectType":"row","eventType":"created","id":7}`), Callback{WebhookID: 1, Partial: true, Events: []CallbackEvent{row}}},
		"event a number":           {event(`5,{"objectType":"row","eventType":"created","id":7}`), Callback{WebhookID: 1, Partial: true, Events: []CallbackEvent{row}}},
		"event of no type":         {event(`{"eventType":"created","id":7}`), Callback{WebhookID: 1, Partial: true, Events: []CallbackEvent{{EventType: "created", ID: 7}}}},
		"events an object":         {`{"webhookId":1,"events":{"a":1}}`, Callback{WebhookID: 1, Partial: true}},
		"change agent a list":      {event(`{"objectType":"row","eventType":"created","id":7,"changeAgent":["a"]}`), Callback{WebhookID: 1, Partial: true, Events: []CallbackEvent{row}}},
		"plan webhook is no error": {`{"webhookId":1,"scope":"plan"}`, Callback{WebhookID: 1, Scope: "plan"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCallback([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseCallbackRefuses(t *testing.T) {
	for _, body := range []string{"", " ", "null", "true", "7", `"x"`, "[]", `[{}]`, "{", `{"webhookId":1`, `{}{}`, `{"events":[{]}`, "<html>", strings.Repeat(`{"a":`, 20000)} {
		cb, err := ParseCallback([]byte(body))
		if err == nil {
			t.Errorf("%.20q: got %+v, want an error", body, cb)
		} else if strings.Contains(err.Error(), "html") {
			t.Errorf("error quotes the body: %v", err)
		}
	}
}

func TestParseCallbackAllObjectTypes(t *testing.T) {
	cb, err := ParseCallback(fixture(t, "callbacks/SYNTHETIC-all-object-types.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range cb.Events {
		got = append(got, e.ObjectType+"."+e.EventType)
	}
	want := strings.Fields("sheet.updated row.created row.updated row.deleted cell.updated column.updated attachment.created discussion.created comment.created")
	if diff := cmp.Diff(want, got); diff != "" || cb.Partial {
		t.Errorf("partial %v, -want +got:\n%s", cb.Partial, diff)
	}
	if diff := cmp.Diff([]string{"partner-x", "echo-bridge"}, cb.Events[4].ChangeAgents()); diff != "" {
		t.Errorf("change agents -want +got:\n%s", diff)
	}
}

func TestChangeAgents(t *testing.T) {
	tests := map[string][]string{"": nil, " , ": nil, "erp": {"erp"}, "erp, ,crm ,": {"erp", "crm"}}
	for in, want := range tests {
		if diff := cmp.Diff(want, CallbackEvent{ChangeAgent: in}.ChangeAgents()); diff != "" {
			t.Errorf("%q: -want +got:\n%s", in, diff)
		}
	}
}

func TestParseChallenge(t *testing.T) {
	official := fixture(t, "callbacks/verification-request.json", "request", "body")
	const value = "d78dd1d3-01ce-4481-81de-92b4f3aa5ab1"
	long := strings.Repeat("x", 12<<10)
	tests := map[string]struct {
		header []string
		body   string
		want   Challenge
	}{
		"documented":            {[]string{value}, string(official), Challenge{value, 2674017481058180}},
		"id as string":          {[]string{"a"}, `{"challenge":"a","webhookId":"9007199254740993"}`, Challenge{"a", 9007199254740993}},
		"no header":             {nil, string(official), Challenge{}},
		"another header":        {[]string{"b"}, `{"challenge":"a","webhookId":1}`, Challenge{}},
		"two headers":           {[]string{"a", "a"}, `{"challenge":"a","webhookId":1}`, Challenge{}},
		"empty":                 {[]string{""}, `{"challenge":"","webhookId":1}`, Challenge{}},
		"with events":           {[]string{"a"}, `{"challenge":"a","webhookId":1,"events":[]}`, Challenge{}},
		"with a status":         {[]string{"a"}, `{"challenge":"a","webhookId":1,"newWebhookStatus":"ENABLED"}`, Challenge{}},
		"no id":                 {[]string{"a"}, `{"challenge":"a"}`, Challenge{}},
		"something for the id":  {[]string{"a"}, `{"challenge":"a","events":[]}`, Challenge{}},
		"id zero":               {[]string{"a"}, `{"challenge":"a","webhookId":0}`, Challenge{}},
		"id null":               {[]string{"a"}, `{"challenge":"a","webhookId":null}`, Challenge{}},
		"id negative":           {[]string{"a"}, `{"challenge":"a","webhookId":-1}`, Challenge{}},
		"id odd":                {[]string{"a"}, `{"challenge":"a","webhookId":1.5}`, Challenge{}},
		"challenge a number":    {[]string{"1"}, `{"challenge":1,"webhookId":1}`, Challenge{}},
		"long":                  {[]string{long}, `{"challenge":"` + long + `","webhookId":1}`, Challenge{long, 1}},
		"body too long":         {[]string{"a"}, `{"challenge":"a","webhookId":1}` + strings.Repeat(" ", maxChallengeBody), Challenge{}},
		"not JSON":              {[]string{"a"}, `challenge=a`, Challenge{}},
		"a list":                {[]string{"a"}, `["a",1]`, Challenge{}},
		"null":                  {[]string{"a"}, `null`, Challenge{}},
		"an event callback too": {[]string{value}, string(fixture(t, "callbacks/event-callback-row-created.official-docs.json")), Challenge{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := ParseChallenge(http.Header{HeaderChallenge: tt.header}, []byte(tt.body))
			if got != tt.want || ok != (tt.want != Challenge{}) {
				t.Errorf("got %+v, %v, want %+v", got, ok, tt.want)
			}
		})
	}
}

func addCallbacks(f *testing.F, add func([]byte)) {
	f.Helper()
	files, err := filepath.Glob("testdata/callbacks/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no callbacks: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		add(data)
	}
}

func FuzzParseCallback(f *testing.F) {
	addCallbacks(f, func(data []byte) { f.Add(data) })
	for _, seed := range []string{`{}`, `null`, `{"events":[null,1,{}]}`, `{"webhookId":"1","events":[{"rowid":"2","timestamp":3}]}`, `{"newWebHookStatus":7}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		cb, err := ParseCallback(body)
		if valid := json.Valid(body) && isObject(body); (err == nil) != valid {
			t.Fatalf("got %v for a body that is an object: %v", err, valid)
		}
		if err == nil && cb == nil {
			t.Fatal("got neither callback nor error")
		}
	})
}

func FuzzParseChallenge(f *testing.F) {
	f.Add("a", []byte(`{"challenge":"a","webhookId":1}`))
	f.Add("a", []byte(`{"challenge":"a","webhookId":"1"}`))
	f.Add("", []byte(`{"challenge":"","webhookId":1}`))
	addCallbacks(f, func(data []byte) { f.Add("d78dd1d3-01ce-4481-81de-92b4f3aa5ab1", data) })
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		got, ok := ParseChallenge(http.Header{HeaderChallenge: {header}}, body)
		if !ok {
			return
		}
		if got.Value != header || header == "" || got.WebhookID <= 0 {
			t.Errorf("got %+v for header %q", got, header)
		}
		// Whatever is answered without a signature tells of no change.
		if cb, err := ParseCallback(body); err != nil || len(cb.Events) > 0 || cb.NewWebhookStatus != "" {
			t.Errorf("a challenge that is a callback too: %+v, %v", cb, err)
		}
	})
}
