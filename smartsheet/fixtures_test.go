package smartsheet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fixture reads a file of testdata, or the part of it that path leads to.
func fixture(t *testing.T, name string, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range path {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(data, &object); err != nil {
			t.Fatalf("%s: at %s: %v", name, key, err)
		}
		data = object[key]
	}
	if len(data) == 0 {
		t.Fatalf("%s has no %v", name, path)
	}
	return data
}

// number decodes JSON without rounding its numbers.
func number(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// lossless fails if a field of v differs from what the JSON has for it.
func lossless(t *testing.T, path string, v reflect.Value, want any) {
	t.Helper()
	switch got := v.Interface().(type) {
	case Time:
		checkTime(t, path, got, want)
		return
	case json.RawMessage:
		if diff := cmp.Diff(want, number(t, got)); diff != "" {
			t.Errorf("%s: raw JSON differs (-want +got):\n%s", path, diff)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		lossless(t, path, v.Elem(), want)
	case reflect.Slice:
		items := want.([]any)
		if v.Len() != len(items) {
			t.Fatalf("%s: got %d items, want %d", path, v.Len(), len(items))
		}
		for i, item := range items {
			lossless(t, fmt.Sprintf("%s[%d]", path, i), v.Index(i), item)
		}
	case reflect.Struct:
		losslessFields(t, path, v, want.(map[string]any))
	default:
		if n, ok := want.(json.Number); ok {
			want = n.String()
		}
		if got := fmt.Sprint(v.Interface()); got != fmt.Sprint(want) {
			t.Errorf("%s: got %s, want %v", path, got, want)
		}
	}
}

func losslessFields(t *testing.T, path string, v reflect.Value, object map[string]any) {
	t.Helper()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		want, ok := object[name]
		switch {
		case name == "", name == "-":
			t.Logf("%s: %s is not from JSON", path, v.Type().Field(i).Name)
		case ok:
			lossless(t, path+"."+name, v.Field(i), want)
		case !v.Field(i).IsZero():
			t.Errorf("%s.%s: got %v from nothing", path, name, v.Field(i))
		}
	}
}

func checkTime(t *testing.T, path string, got Time, want any) {
	t.Helper()
	text := strings.Replace(want.(string), "+0000", "Z", 1)
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil || !got.Equal(moment) {
		t.Errorf("%s: got %v, want %v", path, got, want)
	}
}

func TestFixturesDecodeWithoutLoss(t *testing.T) {
	inBody := []string{"response", "jsonBody"}
	inResult := []string{"response", "jsonBody", "result"}
	inData := []string{"response", "jsonBody", "data"}
	result, data := []string{"result"}, []string{"data"}
	tests := []struct {
		file string
		path []string
		into any
	}{
		{"synthetic-sheet-all-cell-types.json", nil, new(Sheet)},
		{"java-sdk/getSheet.json", nil, new(Sheet)},
		{"java-sdk/getRow.json", nil, new(Row)},
		{"java-sdk/getRowByID.json", nil, new(Row)},
		{"java-sdk/getCell.json", nil, new(Row)},
		{"java-sdk/insertRows.json", result, new([]Row)},
		{"java-sdk/updateRows.json", result, new([]Row)},
		{"java-sdk/partialRowUpdateRowResult.json", result, new([]Row)},
		{"java-sdk/getColumn.json", nil, new(Column)},
		{"java-sdk/listColumns.json", data, new([]Column)},
		{"java-sdk/listSheets.json", data, new([]SheetInfo)},
		{"java-sdk/listOrgSheets.json", data, new([]SheetInfo)},
		{"java-sdk/getCurrentUser.json", nil, new(User)},
		{"java-sdk/getAttachment.json", nil, new(Attachment)},
		{"java-sdk/listAssociatedAttachments.json", data, new([]Attachment)},
		{"java-sdk/getComment.json", nil, new(Comment)},
		{"java-sdk/getDiscussion.json", nil, new(Discussion)},
		{"java-sdk/getAllDiscussions.json", data, new([]Discussion)},
		{"java-sdk/getRowDiscussions.json", data, new([]Discussion)},
		{"sdk-tests/Assume_User_-_Can_Be_Set.json", inBody, new(Sheet)},
		{"sdk-tests/Change_Agent_Header_-_Can_Be_Passed.json", inResult, new(Sheet)},
		{"sdk-tests/Serialization_-_Sheet.json", inResult, new(Sheet)},
		{"sdk-tests/Serialization_-_Image.json", inBody, new(Row)},
		{"sdk-tests/Serialization_-_Rows.json", inResult, new([]Row)},
		{"sdk-tests/Serialization_-_Predecessor.json", inResult, new([]Row)},
		{"sdk-tests/Serialization_-_Cell_Link.json", inResult, new([]Row)},
		{"sdk-tests/Serialization_-_BulkFailure.json", inResult, new([]Row)},
		{"sdk-tests/Add_Rows_-_Assign_Formulae.json", inResult, new([]Row)},
		{"sdk-tests/Add_Rows_-_Assign_Object_Value_-_Predecessor_List.json", inResult, new([]Row)},
		{"sdk-tests/Update_Rows_-_Assign_Values_-_String.json", inResult, new([]Row)},
		{"sdk-tests/Serialization_-_Column.json", inResult, new([]Column)},
		{"sdk-tests/Serialization_-_Attachment.json", inResult, new(Attachment)},
		{"sdk-tests/Serialization_-_Discussion.json", inResult, new(Discussion)},
		{"sdk-tests/Serialization_-_UserProfile.json", inBody, new(User)},
		{"sdk-tests/Serialization_-_IndexResult.json", inData, new([]User)},
		{"sdk-tests/List_Sheets_-_No_Params.json", inData, new([]SheetInfo)},
		{"sdk-tests/List_Sheets_-_Include_Owner_Info.json", inData, new([]SheetInfo)},
		{"webhooks/create-webhook.request.official-docs.json", nil, new(WebhookSpec)},
		{"webhooks/create-webhook.response.official-docs.json", result, new(Webhook)},
		{"webhooks/create-webhook.response.UNCHANGED.captured-2022-prismatic.json", result, new(Webhook)},
		{"webhooks/list-webhooks.response.official-docs.json", data, new([]Webhook)},
		{"wiremock/create-plan-webhook.all.json", inResult, new(Webhook)},
		{"wiremock/create-sheet-webhook.all.json", inResult, new(Webhook)},
		{"wiremock/update-sheet-webhook.all.json", inResult, new(Webhook)},
		{"wiremock/list-webhooks.all.json", inData, new([]Webhook)},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			raw := fixture(t, tt.file, tt.path...)
			if err := json.Unmarshal(raw, tt.into); err != nil {
				t.Fatal(err)
			}
			lossless(t, "", reflect.ValueOf(tt.into), number(t, raw))
		})
	}
}

// Cells hold what the API sent to the last digit, whatever a float64 can hold.
func TestCellKeepsDigits(t *testing.T) {
	const value = "9007199254740993.10"
	var cell Cell
	if err := json.Unmarshal([]byte(`{"columnId":`+strconv.Itoa(1<<53+1)+`,"value":`+value+`}`), &cell); err != nil {
		t.Fatal(err)
	}
	if string(cell.Value) != value || cell.ColumnID != 1<<53+1 {
		t.Errorf("got %d %s, want %d %s", cell.ColumnID, cell.Value, 1<<53+1, value)
	}
}
