package admin

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Moment is a time in a request that may be left out, or null, which is never.
type Moment struct {
	At   time.Time
	Null bool
}

// IsZero tells whether the moment is left out.
func (m Moment) IsZero() bool { return !m.Null && m.At.IsZero() }

// MarshalJSON writes the time, or null.
func (m Moment) MarshalJSON() ([]byte, error) {
	if m.Null {
		return []byte("null"), nil
	}
	return json.Marshal(m.At)
}

// UnmarshalJSON reads a time, or null.
func (m *Moment) UnmarshalJSON(text []byte) error {
	*m = Moment{Null: string(text) == "null"}
	if m.Null {
		return nil
	}
	return json.Unmarshal(text, &m.At)
}

// Schema is the schema of a time that may be null.
func (Moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

// utc is a time as records keep it.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	at := t.UTC().Truncate(time.Second)
	return &at
}
