package events

import (
	"maps"
	"slices"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// Kind is a kind of object that a share shows.
type Kind string

// The kinds of object.
const (
	KindRow        Kind = "row"
	KindAttachment Kind = "attachment"
	KindComment    Kind = "comment"
)

// Mask says how much of a field's value a partner gets.
type Mask string

// The masks, from the weakest to the strictest. Null stays null under each.
const (
	MaskNone   Mask = ""       // the value
	MaskHash   Mask = "hash"   // 32 hex digits that are equal when the values are
	MaskRedact Mask = "redact" // the word "redacted"
)

// strictness orders masks by how little they show.
func (m Mask) strictness() int {
	switch m {
	case MaskNone:
		return 0
	case MaskHash:
		return 1
	default:
		return 2
	}
}

// Field is one column as one partner sees it. Title and Type are those that
// the column had when the share was made; the id is what counts.
type Field struct {
	Name     string                `json:"as"`
	ColumnID int64                 `json:"columnId,string"`
	Title    string                `json:"title"`
	Type     smartsheet.ColumnType `json:"type"`
	Mask     Mask                  `json:"mask,omitempty"`
}

// BoundCell is a column that a filter names by title, in cells["Title"], and
// that was found once, when the share was made.
type BoundCell struct {
	ColumnID int64 `json:"columnId,string"`
}

// Share is what one partner may see of one registered sheet. It is stored as
// JSON, ids as strings. A Share is made by Request.Resolve and not changed
// afterwards, except for its revision, for what its columns are now and for what
// its partner's attributes are now.
type Share struct {
	Partner  string               `json:"partner"`
	Sheet    string               `json:"sheet"` // the partner's name for the sheet
	SheetID  int64                `json:"sheetId,string"`
	Region   smartsheet.Region    `json:"region"`
	Revision int64                `json:"revision"`
	Fields   []Field              `json:"fields"`
	Where    string               `json:"where,omitempty"` // CEL; empty: every row
	Cells    map[string]BoundCell `json:"cells,omitempty"` // by the title in Where
	Kinds    []Kind               `json:"kinds"`

	// Gone are columns of the share or its filter that were deleted at Smartsheet.
	// Their fields stay, null from then on, and are deprecated in the schema.
	Gone []int64 `json:"gone,omitempty"`

	// FilterTypes are the types that the columns in Where had when the share was
	// made, by id: what the filter was written for.
	FilterTypes map[int64]smartsheet.ColumnType `json:"filterTypes,omitempty"`

	// Attributes are those of the partner that Where names, with the values that they
	// had when the share was made or they were last changed.
	Attributes map[string]string `json:"attributes,omitempty"`

	// Write is what the partner may have changed through the share; nil: nothing.
	Write *WriteTerms `json:"write,omitempty"`
}

// Has tells whether the share shows objects of the kind.
func (s *Share) Has(k Kind) bool { return slices.Contains(s.Kinds, k) }

// ColumnIDs returns the ids of all columns that the share and its filter need and
// that are not gone, sorted, each once: nothing else has to be read from the sheet.
func (s *Share) ColumnIDs() []int64 {
	ids := make([]int64, 0, len(s.Fields)+len(s.Cells))
	for _, f := range s.Fields {
		ids = append(ids, f.ColumnID)
	}
	for _, c := range s.Cells {
		ids = append(ids, c.ColumnID)
	}
	ids = slices.DeleteFunc(ids, s.isGone)
	slices.Sort(ids)
	return slices.Clip(slices.Compact(ids))
}

// WithAttributes is the share with what its filter names of the partner's attributes
// as they are now, and whether they are as they were. One that the partner does not
// have any more, which an admin cannot take from it as long as a filter names it, stays.
func (s Share) WithAttributes(now map[string]string) (_ Share, same bool) {
	named := maps.Clone(s.Attributes)
	for name := range named {
		if value, ok := now[name]; ok {
			named[name] = value
		}
	}
	same = maps.Equal(named, s.Attributes)
	s.Attributes = named
	return s, same
}

// isGone tells whether a column of the share was deleted.
func (s *Share) isGone(column int64) bool { return slices.Contains(s.Gone, column) }
