package admin

import (
	"reflect"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

// FuzzBody: what was validated is what is used.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"name":"ops","region":"us","token":"a-token-of-jane"}`,
		`{"name":"ops","region":"us","token":"a-token-of-jane","REGION":"mars"}`,
		`{"Name":"Bad Name!","name":"ops","region":"us","token":"a-token-of-jane"}`,
		`{"name":"ops","region":"us","token":"a-token-of-jane","region":"eu"}`,
		`{"name":"ops","region":"us","token":"a-token-of-jane","to\u212aen":"x"}`,
		`{"name":"ops","region":"us","token":"a-token-of-jane","\u0072egion":"eu"}`,
		`{"name":"ops","region":"us","token":"a-token-of-jane","kind":null}`,
		`[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]`, `null`, `"`, "{\"name\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	format := strictJSON()
	known := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := known.Schema(reflect.TypeFor[NewOwner](), true, "")
	f.Fuzz(func(t *testing.T, body []byte) {
		var validated any
		if format.Unmarshal(body, &validated) != nil {
			return
		}
		var wrong huma.ValidateResult
		huma.Validate(known, schema, huma.NewPathBuffer([]byte("body"), 4), huma.ModeWriteToServer, validated, &wrong)
		if len(wrong.Errors) > 0 {
			return
		}
		var used NewOwner
		if err := format.Unmarshal(body, &used); err != nil {
			t.Fatalf("valid, and yet: %v", err)
		}
		want := map[string]any{"name": "", "region": "", "token": "", "kind": "", "assumeUser": ""}
		for name, value := range validated.(map[string]any) {
			want[name] = value
		}
		got := map[string]any{"name": used.Name, "region": used.Region, "token": string(used.Token), "kind": used.Kind, "assumeUser": used.AssumeUser}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-validated +used):\n%s", body, diff)
		}
	})
}
