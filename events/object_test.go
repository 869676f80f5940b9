package events

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// An object comes back as it was, in its order, through any writer of JSON.
func TestObjectRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, row := shareAndRow(t)
		want, _ := newView(t, s).Row(row, nil)
		raw, err := json.Marshal(map[string]any{"after": want}) // escapes <, > and &
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ After Object }
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(want, got.After) || !want.Equal(got.After) {
			t.Fatalf("got %s, want %s", got.After, want)
		}
	})
}

func TestObjectOfHTML(t *testing.T) {
	want := Object{{Name: "a", JSON: jsonString("<&>\u2028")}}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Object
	if err := json.Unmarshal(raw, &got); err != nil || !got.Equal(want) {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestObjectUnmarshalRefuses(t *testing.T) {
	for _, in := range []string{`[]`, `1`, `"x"`, `{"a":`} {
		var o Object
		if err := json.Unmarshal([]byte(in), &o); err == nil {
			t.Errorf("%s: got %v, want an error", in, o)
		}
	}
	o := Object{{Name: "a", JSON: null()}}
	if err := json.Unmarshal([]byte(`null`), &o); err != nil || o != nil {
		t.Errorf("null: got %v, %v, want none", o, err)
	}
}

func TestObjectEqual(t *testing.T) {
	o := func(s string) Object {
		var o Object
		if err := json.Unmarshal([]byte(s), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, test := range []struct {
		before, after string
		equal         bool
		changed       []string
	}{
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true, []string{}},
		{`{"a":1,"b":2}`, `{"a":1.0,"b":3}`, false, []string{"b"}},
		{`{"a":1,"c":2}`, `{"b":null,"a":2}`, false, []string{"b", "a", "c"}},
		{`null`, `{}`, false, []string{}},
		{`null`, `null`, true, []string{}},
		{`{"a":1}`, `null`, false, []string{"a"}},
	} {
		before, after := o(test.before), o(test.after)
		if got := before.Equal(after); got != test.equal {
			t.Errorf("%s, %s: got equal %v", test.before, test.after, got)
		}
		if diff := cmp.Diff(test.changed, Changed(before, after)); diff != "" {
			t.Errorf("%s, %s: changed: (-want +got)\n%s", test.before, test.after, diff)
		}
	}
}
