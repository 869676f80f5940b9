package smartsheet

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTimeForms(t *testing.T) {
	day := func(h, m, s, ms int) time.Time {
		return time.Date(2026, 11, 20, h, m, s, ms*int(time.Millisecond), time.UTC)
	}
	tests := map[string]time.Time{
		`"2026-11-20T10:00:05Z"`:          day(10, 0, 5, 0),
		`"2026-11-20T10:00:05.123Z"`:      day(10, 0, 5, 123),
		`"2026-11-20T10:00:05.123+00:00"`: day(10, 0, 5, 123),
		`"2026-11-20T10:00:05.123+0000"`:  day(10, 0, 5, 123),
		`"2026-11-20T10:00:05+0000"`:      day(10, 0, 5, 0),
		`"2026-11-20T02:00:05-08:00"`:     day(10, 0, 5, 0),
		`"2026-11-20T02:00:05-0800"`:      day(10, 0, 5, 0),
		`"2026-11-20T10:00:05"`:           day(10, 0, 5, 0),
		`"2026-11-20"`:                    day(0, 0, 0, 0),
		`1795168805123`:                   day(10, 0, 5, 123),
		`0`:                               time.UnixMilli(0),
		`null`:                            {},
		`""`:                              {},
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			var got Time
			if err := json.Unmarshal([]byte(in), &got); err != nil {
				t.Fatal(err)
			}
			if !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("got %v, want %v", got, want.UTC())
			}
		})
	}
}

func TestTimeRefuses(t *testing.T) {
	for _, in := range []string{`"next week"`, `"2026-13-01T00:00:00Z"`, `1.5`, `{}`, `[]`, `true`, `99999999999999999999`, `9223372036854775807`} {
		got := Time{time.Unix(1, 0)}
		err := json.Unmarshal([]byte(in), &got)
		if err == nil {
			t.Errorf("%s: got %v, want an error", in, got)
		}
	}
}

func TestTimeMarshal(t *testing.T) {
	east := time.FixedZone("", 3600)
	tests := map[string]Time{
		`null`:                       {},
		`"2026-11-20T10:00:05Z"`:     {time.Date(2026, 11, 20, 11, 0, 5, 0, east)},
		`"2026-11-20T10:00:05.123Z"`: {time.Date(2026, 11, 20, 10, 0, 5, 123e6, time.UTC)},
	}
	for want, in := range tests {
		got, err := json.Marshal(in)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{`"2026-11-20T10:00:05.123+0000"`, `"2015-10-27T17:04:23Z"`, `1795168805123`, `-1`, `null`, `"\u0032"`, `"0000-01-01"`, `"9999-12-31T23:59:59-2359"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second Time
		if first.UnmarshalJSON(data) != nil {
			return
		}
		out, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if err := json.Unmarshal(out, &second); err != nil || !first.Equal(second.Time) {
			t.Errorf("%s: read as %v, written as %s, read again as %v, %v", data, first, out, second, err)
		}
	})
}
