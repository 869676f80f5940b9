package admin

import (
	"github.com/sheetbridge/sheetbridge/events"
)

// WriteTerms are what a share lets its partner change.
type WriteTerms struct {
	Update    []string     `json:"update,omitempty" nullable:"false" maxItems:"400" doc:"Fields that may be set in rows that the partner sees" example:"[\"status\"]"`
	Create    *CreateTerms `json:"create,omitempty" doc:"Which rows may be added; default: none"`
	Delete    bool         `json:"delete,omitempty" doc:"Rows that the partner sees may be deleted"`
	Check     string       `json:"check,omitempty" maxLength:"4096" doc:"CEL over the fields, unmasked, as they are after the write; default: anything" example:"status in ['Open', 'Done']"`
	LeaveView bool         `json:"leaveView,omitempty" doc:"A row may leave the partner's view by a write"`
	PerMinute int          `json:"perMinute,omitempty" minimum:"0" maximum:"600" doc:"Writes in a minute; default: 60"`
	Owner     string       `json:"owner,omitempty" maxLength:"32" doc:"In whose name is written; default: the registration's owner"`
}

// CreateTerms are what rows a partner may add.
type CreateTerms struct {
	Columns []string `json:"columns" nullable:"false" minItems:"1" maxItems:"400" doc:"Fields that may be set"`
	Key     string   `json:"key" maxLength:"64" doc:"One of them, whose value no other row of the sheet has"`
}

func (t *WriteTerms) terms() *events.WriteTerms {
	if t == nil {
		return nil
	}
	return &events.WriteTerms{
		Update: t.Update, Create: (*events.CreateTerms)(t.Create), Delete: t.Delete, Check: t.Check,
		LeaveView: t.LeaveView, PerMinute: t.PerMinute, Owner: t.Owner,
	}
}

func writeTermsOf(t *events.WriteTerms) *WriteTerms {
	if t == nil {
		return nil
	}
	return &WriteTerms{
		Update: t.Update, Create: (*CreateTerms)(t.Create), Delete: t.Delete, Check: t.Check,
		LeaveView: t.LeaveView, PerMinute: t.PerMinute, Owner: t.Owner,
	}
}
