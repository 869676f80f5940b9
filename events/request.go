package events

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// maxColumns is how many columns a sheet can have.
const maxColumns = 400

// RequestColumn is one column of a Request, found by its title or its id.
type RequestColumn struct {
	Title    string `json:"title,omitempty"`
	ColumnID string `json:"columnId,omitempty"`
	As       string `json:"as,omitempty"` // default: a slug of the title
	Mask     string `json:"mask,omitempty"`
}

// Request is a share as an admin writes it.
type Request struct {
	Partner string          `json:"partner,omitempty"`
	Sheet   string          `json:"sheet,omitempty"` // default: a slug of the sheet's name
	Columns []RequestColumn `json:"columns"`
	Where   string          `json:"where,omitempty"`
	Kinds   []string        `json:"kinds,omitempty"` // default: rows
	Write   *WriteTerms     `json:"write,omitempty"` // default: the partner only reads

	// FilterMayFail consents to a filter that cannot be evaluated on any row.
	FilterMayFail bool       `json:"filterMayFail,omitempty"`
	Until         *time.Time `json:"until,omitempty"` // when the share ends by itself; nil: never

	// Attributes are the partner's, which Where may name.
	Attributes map[string]string `json:"-"`

	// Was is the share that is changed, nil for a new one. The columns that it has
	// keep their meaning: those that were deleted at Smartsheet may still be named, and
	// a title in Where is the column that it was when the share was made.
	Was *Share `json:"-"`
}

// RequestError says what an admin has to change in a Request. Its detail may
// hold titles of columns that are not shared: it is for admins, not partners.
type RequestError struct {
	Field  string // such as columns[2].title
	Detail string // what is wrong and what to do
}

func (e *RequestError) Error() string { return "share: " + e.Field + ": " + e.Detail }

func refuse(field, format string, args ...any) error {
	return &RequestError{Field: field, Detail: fmt.Sprintf(format, args...)}
}

// Resolve binds a request to a sheet, of which it needs id, name and columns.
// The share has no region and no revision yet. Whatever is wrong with the
// request is a *RequestError.
func (r Request) Resolve(sheet smartsheet.Sheet) (Share, error) {
	s := Share{Partner: r.Partner, Sheet: r.Sheet, SheetID: sheet.ID, Where: strings.TrimSpace(r.Where)}
	if s.Sheet == "" {
		s.Sheet = SlugSheet(sheet.Name)
	}
	err := checkName("partner", s.Partner)
	if err != nil {
		return Share{}, err
	}
	if err := checkName("sheet", s.Sheet); err != nil {
		return Share{}, err
	}
	if s.Fields, err = r.fields(sheet.Columns); err != nil {
		return Share{}, err
	}
	if s.Kinds, err = r.kinds(); err != nil {
		return Share{}, err
	}
	if err := s.bind(sheet.Columns, r.Attributes, r.Was); err != nil {
		return Share{}, err
	}
	if r.Was != nil {
		s.Gone = r.Was.stillGone(&s, sheet.Columns)
	}
	if err := s.bindWrites(r.Write, slices.Concat(sheet.Columns, s.goneColumns())); err != nil {
		return Share{}, err
	}
	return s, nil
}

func checkName(field, name string) error {
	if ValidName(name) {
		return nil
	}
	return refuse(field, `%q is no name: use 1 to 32 of a-z, 0-9 and "-", with no "-" at either end`, clip(name, 2*maxName))
}

// kinds returns the kinds of object, each once, rows first.
func (r Request) kinds() ([]Kind, error) {
	all := []Kind{KindRow, KindAttachment, KindComment}
	if len(r.Kinds) == 0 {
		return all[:1:1], nil
	}
	for i, k := range r.Kinds {
		field := fmt.Sprintf("kinds[%d]", i)
		if !slices.Contains(all, Kind(k)) {
			return nil, refuse(field, `%q is no kind of object: use "row", "attachment" or "comment"`, clip(k, maxName))
		}
		if slices.Contains(r.Kinds[:i], k) {
			return nil, refuse(field, "%q stands here twice: name each kind once", k)
		}
	}
	if !slices.Contains(r.Kinds, string(KindRow)) {
		return nil, refuse("kinds", `attachments and comments are seen only while their row is: add "row"`)
	}
	return slices.DeleteFunc(all, func(k Kind) bool { return !slices.Contains(r.Kinds, string(k)) }), nil
}

// fields finds the columns and gives each its name: those that the admin wrote
// first, so that no slug can take one of them.
func (r Request) fields(columns []smartsheet.Column) ([]Field, error) {
	if len(r.Columns) == 0 {
		return nil, refuse("columns", "a share is a list of columns: name at least one, by title or columnId")
	}
	if len(r.Columns) > maxColumns {
		return nil, refuse("columns", "%d columns: a sheet has %d at most", len(r.Columns), maxColumns)
	}
	fields := make([]Field, len(r.Columns))
	byID, byName := map[int64]int{}, map[string]int{}
	for i, rc := range r.Columns {
		c, err := rc.find(columns, i)
		if err != nil {
			var gone bool
			if c, gone = r.gone(rc); !gone {
				return nil, err
			}
		}
		if first, twice := byID[c.ID]; twice {
			return nil, refuse(rc.place(i), "column %q is columns[%d] already: share each column once", c.Title, first)
		}
		byID[c.ID] = i
		mask := Mask(rc.Mask)
		if mask != MaskNone && mask != MaskHash && mask != MaskRedact {
			return nil, refuse(fmt.Sprintf("columns[%d].mask", i), `%q is no mask: use "hash" or "redact", or leave it out`, clip(rc.Mask, maxName))
		}
		fields[i] = Field{Name: rc.As, ColumnID: c.ID, Title: c.Title, Type: c.Type, Mask: mask}
		if rc.As == "" {
			continue
		}
		if err := checkAs(rc.As, i, byName); err != nil {
			return nil, err
		}
		byName[rc.As] = i
	}
	for i := range fields {
		if fields[i].Name == "" {
			fields[i].Name = freeName(SlugField(fields[i].Title), byName)
			byName[fields[i].Name] = i
		}
	}
	return fields, nil
}

func checkAs(as string, i int, taken map[string]int) error {
	field := fmt.Sprintf("columns[%d].as", i)
	if filterWord(as) {
		return refuse(field, "%q means something else in a filter: choose another name", as)
	}
	if !ValidFieldName(as) {
		return refuse(field, `%q is no field's name: use a letter a-z, then a-z, 0-9 and "_", at most %d in all`, clip(as, 2*maxFieldName), maxFieldName)
	}
	if first, twice := taken[as]; twice {
		return refuse(field, "%q is the name of columns[%d] already: choose another", as, first)
	}
	return nil
}

// freeName numbers a slug that is taken, or that a filter could not use, from 2.
func freeName(slug string, taken map[string]int) string {
	name := slug
	for n := 2; ; n++ {
		if _, used := taken[name]; !used && ValidFieldName(name) {
			return name
		}
		end := "_" + strconv.Itoa(n)
		name = clip(slug, maxFieldName-len(end)) + end
	}
}

// place is the member by which the i-th column of a request is found.
func (rc RequestColumn) place(i int) string {
	if rc.Title != "" || rc.ColumnID == "" {
		return fmt.Sprintf("columns[%d].title", i)
	}
	return fmt.Sprintf("columns[%d].columnId", i)
}

// find returns the column that the i-th column of a request means.
func (rc RequestColumn) find(columns []smartsheet.Column, i int) (smartsheet.Column, error) {
	var none smartsheet.Column
	if rc.Title == "" && rc.ColumnID == "" {
		return none, refuse(rc.place(i), "a column needs its title or its columnId; %s", titlesOf(columns))
	}
	if rc.ColumnID == "" {
		c, err := byTitle(columns, rc.Title)
		if err != nil {
			return none, refuse(rc.place(i), "%s", err)
		}
		return c, nil
	}
	field := fmt.Sprintf("columns[%d].columnId", i)
	id, err := strconv.ParseInt(rc.ColumnID, 10, 64)
	if err != nil {
		return none, refuse(field, "%q is no id: an id is a whole number, in a string", clip(rc.ColumnID, maxName))
	}
	at := slices.IndexFunc(columns, func(c smartsheet.Column) bool { return c.ID == id })
	if at < 0 {
		return none, refuse(field, "this sheet has no column with the id %d; %s", id, titlesOf(columns))
	}
	if rc.Title != "" && columns[at].Title != rc.Title {
		return none, refuse(field, "column %d is %q, not %q: leave out the title or the columnId", id, columns[at].Title, clip(rc.Title, 100))
	}
	return columns[at], nil
}

// byTitle finds the one column with a title; its error is for the admin.
func byTitle(columns []smartsheet.Column, title string) (smartsheet.Column, error) {
	found, near := -1, -1
	for i, c := range columns {
		switch {
		case c.Title == title && found >= 0:
			return smartsheet.Column{}, fmt.Errorf("this sheet has more than one column %q: use the columnId", title)
		case c.Title == title:
			found = i
		case strings.EqualFold(strings.TrimSpace(c.Title), strings.TrimSpace(title)):
			near = i
		}
	}
	switch {
	case found >= 0:
		return columns[found], nil
	case near >= 0:
		return smartsheet.Column{}, fmt.Errorf("this sheet has no column %q, did you mean %q?", clip(title, 100), columns[near].Title)
	}
	return smartsheet.Column{}, fmt.Errorf("this sheet has no column %q; %s", clip(title, 100), titlesOf(columns))
}

// titlesOf lists what columns there are, as far as that helps.
func titlesOf(columns []smartsheet.Column) string {
	const most = 30
	titles := make([]string, 0, most+1)
	for i, c := range columns {
		if i == most {
			titles = append(titles, "…")
			break
		}
		titles = append(titles, strconv.Quote(c.Title))
	}
	return "its columns are " + strings.Join(titles, ", ")
}

// bind compiles the filter, if there is one, and binds what it names to columns
// and to the partner's attributes as they are now. Was is the share that is changed.
func (s *Share) bind(columns []smartsheet.Column, attributes map[string]string, was *Share) error {
	if s.Where == "" {
		return nil
	}
	f, err := compileFilter(s.Where, s.Fields)
	var wrong *filterError
	if errors.As(err, &wrong) {
		return refuse("where", "%s", wrong.text)
	}
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(s.Fields, func(field Field) bool { return field.Name == f.only }); i >= 0 && s.Fields[i].Type != smartsheet.Checkbox {
		return refuse("where", "it is the field %s, which is not true or false: compare it with something, as in %s != null", f.only, f.only)
	}
	for _, name := range f.attributes {
		value, ok := attributes[name]
		if !ok {
			return refuse("where", "partner.%s: the partner has no attribute %s, %s", name, name, attributesOf(attributes))
		}
		if s.Attributes == nil {
			s.Attributes = map[string]string{}
		}
		s.Attributes[name] = value
	}
	s.FilterTypes = s.filterTypes(f)
	for _, title := range f.titles {
		c, err := s.filterColumn(columns, title, was)
		if err != nil {
			return refuse("where", "cells[%q]: %s", clip(title, 100), err)
		}
		if s.Cells == nil {
			s.Cells = map[string]BoundCell{}
		}
		s.Cells[title] = BoundCell{ColumnID: c.ID}
		s.FilterTypes[c.ID] = c.Type
	}
	return nil
}

// attributesOf says what attributes a partner has.
func attributesOf(attributes map[string]string) string {
	if len(attributes) == 0 {
		return "and none at all: give it one first"
	}
	return "only " + strings.Join(slices.Sorted(maps.Keys(attributes)), ", ") + ": give it that one first, or name one of these"
}
