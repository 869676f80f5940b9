package events

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

const (
	// DefaultPerMinute is how many writes a share takes in a minute unless its terms
	// say otherwise, and maxPerMinute the most that they can say.
	DefaultPerMinute = 60
	maxPerMinute     = 600
)

// WriteTerms say what a partner may have changed of the sheet through a share.
// What they do not name is read-only.
type WriteTerms struct {
	Update    []string     `json:"update,omitempty"`    // fields that may be set in rows that the partner sees
	Create    *CreateTerms `json:"create,omitempty"`    // nil: no rows are added
	Delete    bool         `json:"delete,omitempty"`    // whether rows that the partner sees may be deleted
	Check     string       `json:"check,omitempty"`     // CEL over the fields, unmasked, as they are after the write; empty: anything
	LeaveView bool         `json:"leaveView,omitempty"` // whether a row may leave the partner's view by the write
	PerMinute int          `json:"perMinute,omitempty"` // writes; 0: DefaultPerMinute
	Owner     string       `json:"owner,omitempty"`     // the writer; empty: the registration's owner
}

// CreateTerms say what rows a partner may add.
type CreateTerms struct {
	Columns []string `json:"columns"` // fields that may be set
	Key     string   `json:"key"`     // one of them, whose value no other row of the sheet has
}

// Rate is how many writes a share takes in a minute.
func (t *WriteTerms) Rate() int {
	if t.PerMinute == 0 {
		return DefaultPerMinute
	}
	return t.PerMinute
}

// Equal tells whether two shares allow the same. Nil allows nothing.
func (t *WriteTerms) Equal(other *WriteTerms) bool { return reflect.DeepEqual(t, other) }

// Fields are the names of all fields that the terms let the partner set, each once.
func (t *WriteTerms) Fields() []string {
	names := slices.Clone(t.Update)
	if t.Create != nil {
		names = append(names, t.Create.Columns...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// clone returns terms that have no memory in common with t.
func (t *WriteTerms) clone() *WriteTerms {
	if t == nil {
		return nil
	}
	c := *t
	c.Update = slices.Clone(t.Update)
	if t.Create != nil {
		create := CreateTerms{Columns: slices.Clone(t.Create.Columns), Key: t.Create.Key}
		c.Create = &create
	}
	return &c
}

// bindWrites gives the share the terms of a request, once they can hold: each
// field is shared as it is, and its column takes values.
func (s *Share) bindWrites(t *WriteTerms, columns []smartsheet.Column) error {
	if t == nil {
		return nil
	}
	t = t.clone()
	if len(t.Update) == 0 && t.Create == nil && !t.Delete {
		return refuse("write", `it allows nothing: name fields in "update", give "create" or "delete", or leave "write" out`)
	}
	if err := s.checkSettable("write.update", t.Update, columns); err != nil {
		return err
	}
	if err := s.checkCreate(t.Create, columns); err != nil {
		return err
	}
	if t.PerMinute < 0 || t.PerMinute > maxPerMinute {
		return refuse("write.perMinute", "%d writes a minute: use 1 to %d, or leave it out for %d", t.PerMinute, maxPerMinute, DefaultPerMinute)
	}
	if t.Owner != "" {
		if err := checkName("write.owner", t.Owner); err != nil {
			return err
		}
	}
	t.Check = strings.TrimSpace(t.Check)
	if _, err := compileCheck(t.Check, s.Fields); err != nil {
		var wrong *filterError
		if errors.As(err, &wrong) {
			return refuse("write.check", "%s", wrong.text)
		}
		return err
	}
	s.Write = t
	return nil
}

func (s *Share) checkCreate(c *CreateTerms, columns []smartsheet.Column) error {
	if c == nil {
		return nil
	}
	if len(c.Columns) == 0 {
		return refuse("write.create.columns", "name at least the field of the key")
	}
	if err := s.checkSettable("write.create.columns", c.Columns, columns); err != nil {
		return err
	}
	if !slices.Contains(c.Columns, c.Key) {
		return refuse("write.create.key", "%q is none of write.create.columns: a new row is recognised by the value of its key", clip(c.Key, maxFieldName))
	}
	field, _ := s.field(c.Key)
	if !isKeyType(field.Type) {
		return refuse("write.create.key", "field %q is of type %s: a key is text, a number, a choice or a date", c.Key, field.Type)
	}
	return nil
}

// isKeyType tells whether values of the type are compared easily enough for a key.
func isKeyType(t smartsheet.ColumnType) bool {
	switch t {
	case smartsheet.TextNumber, smartsheet.Picklist, smartsheet.Date, smartsheet.AbstractDateTime:
		return true
	}
	return false
}

// checkSettable refuses fields that nobody could set through the share.
func (s *Share) checkSettable(member string, names []string, columns []smartsheet.Column) error {
	for i, name := range names {
		place := fmt.Sprintf("%s[%d]", member, i)
		if slices.Contains(names[:i], name) {
			return refuse(place, "%q stands here twice: name each field once", name)
		}
		field, ok := s.field(name)
		if !ok {
			return refuse(place, "%q is no field of this share: share its column first", clip(name, maxFieldName))
		}
		if field.Mask != MaskNone {
			return refuse(place, "field %q is %s: who does not see a value cannot write it", name, field.Mask.word())
		}
		if why := unsettable(field, columns); why != "" {
			return refuse(place, "field %q cannot be written: %s", name, why)
		}
	}
	return nil
}

// unsettable says why the column of a field takes no values, empty if it does.
func unsettable(f Field, columns []smartsheet.Column) string {
	i := slices.IndexFunc(columns, func(c smartsheet.Column) bool { return c.ID == f.ColumnID })
	if i < 0 {
		return "its column is gone"
	}
	return ReadOnly(columns[i])
}

// ReadOnly says why no partner can set the values of a column, empty if one can.
func ReadOnly(c smartsheet.Column) string {
	switch {
	case c.SystemColumnType != "":
		return "Smartsheet itself fills its column (" + c.SystemColumnType + ")"
	case c.Formula != "":
		return "a formula fills its column"
	case c.Type == smartsheet.Predecessor:
		return "dependencies between rows are not written: one link moves the dates of other rows"
	case c.Type == smartsheet.DateTime:
		return "Smartsheet itself fills columns of type DATETIME"
	}
	return ""
}

// field finds a field by its name.
func (s *Share) field(name string) (Field, bool) {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return s.Fields[i], true
}

// compileCheck compiles a check over the fields; nil for none.
func compileCheck(check string, fields []Field) (*filter, error) {
	if check == "" {
		return nil, nil
	}
	f, err := compileFilter(check, fields)
	if err != nil {
		return nil, err
	}
	if len(f.attributes) > 0 {
		return nil, &filterError{"a check is over the share's fields: partner." + f.attributes[0] + " cannot be used in it"}
	}
	if len(f.titles) > 0 {
		return nil, &filterError{`a check is over the share's fields: cells["` + clip(f.titles[0], 100) + `"] cannot be used in it`}
	}
	return f, nil
}
