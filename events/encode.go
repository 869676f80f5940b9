package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// AppendJSON appends the event to b as encoding/json writes it, but that nothing
// is escaped for HTML: no page embeds an event, and long texts would become six
// times as long. An object whose data is Truncated is written without what was
// before. The error is of a value that is no JSON, or a time that has none.
func (e Event) AppendJSON(b []byte) ([]byte, error) {
	b = appendText(append(b, `{"specversion":`...), e.SpecVersion)
	b = appendText(append(b, `,"id":`...), e.ID)
	b = appendText(append(b, `,"source":`...), e.Source)
	b = appendText(append(b, `,"type":`...), e.Type)
	b = appendText(append(b, `,"subject":`...), e.Subject)
	b, err := e.Time.AppendText(append(b, `,"time":"`...))
	if err != nil {
		return nil, fmt.Errorf("encoding the time of an event: %w", err)
	}
	b = appendText(append(b, `","datacontenttype":`...), e.DataContentType)
	if e.TraceParent != "" {
		b = appendText(append(b, `,"traceparent":`...), e.TraceParent)
	}
	b = append(b, `,"data":`...)
	if d, ok := e.Data.(ObjectData); ok {
		b, err = d.appendJSON(b)
	} else {
		b, err = appendAny(b, e.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding the data of an event: %w", err)
	}
	return append(b, '}'), nil
}

func (d *ObjectData) appendJSON(b []byte) ([]byte, error) {
	b = appendQuotedInt(append(b, `{"sheet":{"id":`...), d.Sheet.ID)
	b = appendText(append(b, `,"name":`...), d.Sheet.Name)
	b = strconv.AppendInt(append(b, `,"version":`...), d.Sheet.Version, 10)
	b = append(b, '}')
	var err error
	if d.Row != nil {
		if b, err = d.Row.appendJSON(append(b, `,"row":`...)); err != nil {
			return nil, err
		}
	}
	b = appendChild(b, "attachment", d.Attachment)
	b = appendChild(b, "comment", d.Comment)
	if !d.Truncated {
		if b, err = d.Before.appendJSON(append(b, `,"before":`...)); err != nil {
			return nil, err
		}
	}
	if b, err = d.After.appendJSON(append(b, `,"after":`...)); err != nil {
		return nil, err
	}
	b = appendTexts(append(b, `,"changed":`...), d.Changed)
	b = appendText(append(b, `,"origin":`...), string(d.Origin))
	if d.Reason != "" {
		b = appendText(append(b, `,"reason":`...), string(d.Reason))
	}
	if d.Write != "" {
		b = appendText(append(b, `,"write":`...), d.Write)
	}
	if len(d.ChangeAgent) > 0 {
		b = appendTexts(append(b, `,"changeAgent":`...), d.ChangeAgent)
	}
	if d.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	return append(b, '}'), nil
}

func (r *RowRef) appendJSON(b []byte) ([]byte, error) {
	b = appendQuotedInt(append(b, `{"id":`...), r.ID)
	b = strconv.AppendInt(append(b, `,"number":`...), int64(r.Number), 10)
	b = append(b, `,"parentId":`...)
	if r.ParentID == nil {
		b = append(b, "null"...)
	} else {
		b = appendText(b, *r.ParentID)
	}
	b = append(b, `,"modifiedAt":`...)
	if r.ModifiedAt == nil || r.ModifiedAt.IsZero() {
		return append(b, "null}"...), nil
	}
	b, err := r.ModifiedAt.UTC().AppendText(append(b, '"'))
	return append(b, `"}`...), err
}

func appendChild(b []byte, name string, c *ChildRef) []byte {
	if c == nil {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":{"id":`...)
	return append(appendQuotedInt(b, c.ID), '}')
}

func appendQuotedInt(b []byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, '"'), n, 10), '"')
}

// appendJSON appends the object, null for none.
func (o Object) appendJSON(b []byte) ([]byte, error) {
	if o == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '{')
	for i, v := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendName(b, v.Name), ':')
		var err error
		if b, err = appendCompact(b, v.JSON); err != nil {
			return nil, fmt.Errorf("field %s: %w", v.Name, err)
		}
	}
	return append(b, '}'), nil
}

// appendName appends the name of a field, which is escaped for HTML as well.
func appendName(b []byte, name string) []byte {
	if asItIs(name) && !strings.ContainsAny(name, "<>&") {
		return append(append(append(b, '"'), name...), '"')
	}
	escaped, _ := json.Marshal(name) // a string cannot fail
	return append(b, escaped...)
}

// appendCompact appends a JSON value without its spaces.
func appendCompact(b []byte, v json.RawMessage) ([]byte, error) {
	if isCanonical(v) {
		return append(b, v...), nil
	}
	var buf bytes.Buffer
	if err := json.Compact(&buf, v); err != nil {
		return nil, err
	}
	return append(b, buf.Bytes()...), nil
}

// appendText appends a string as JSON.
func appendText(b []byte, s string) []byte {
	if asItIs(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	b, _ = appendAny(b, s) // a string cannot fail
	return b
}

// appendTexts appends a list of strings as JSON, null for nil.
func appendTexts(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// appendAny appends a value as encoding/json writes it, not escaped for HTML.
func appendAny(b []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
