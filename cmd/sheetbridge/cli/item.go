package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// item is one thing as the API shows it.
type item map[string]any

// items is how the API answers a list.
type items struct {
	Items []item `json:"items"`
}

// get returns the field at a path such as "limits.storage", nil where there is none.
func (it item) get(path string) any {
	var value any = map[string]any(it)
	for name := range strings.SplitSeq(path, ".") {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

// text returns a field for people; null and false are empty.
func (it item) text(path string) string { return plain(it.get(path), false) }

// whole returns a field that is a whole number, 0 where there is none.
func (it item) whole(path string) int64 {
	number, _ := it.get(path).(json.Number)
	n, err := number.Int64()
	if err != nil {
		return 0
	}
	return n
}

// list returns a field that is a list of things.
func (it item) list(path string) []item {
	values, _ := it.get(path).([]any)
	var list []item
	for _, v := range values {
		if fields, ok := v.(map[string]any); ok {
			list = append(list, fields)
		}
	}
	return list
}

// format writes the value of a field; full is without abbreviations.
type format func(value any, full bool) string

// plain writes text, numbers, lists separated by commas, and yes for true.
func plain(value any, _ bool) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "yes"
		}
		return ""
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = plain(part, true)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(value)
}

// when writes a time: how long ago, or in full.
func when(value any, full bool) string {
	text, _ := value.(string)
	t, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return ""
	case full:
		return terminal.Moment(t)
	}
	return terminal.Ago(t, time.Now())
}

// span writes a duration with days.
func span(value any, _ bool) string {
	text, _ := value.(string)
	d, err := terminal.ParseDuration(text)
	if err != nil {
		return text
	}
	return (*terminal.Duration)(&d).String()
}

// idLength is how much of an id of ours is shown: enough to name it.
const idLength = 8

// id writes an id of ours: its beginning, or in full.
func id(value any, full bool) string {
	text := plain(value, true)
	if !full && len(text) > idLength {
		return text[:idLength]
	}
	return text
}

// count writes how many a list has.
func count(value any, _ bool) string {
	list, _ := value.([]any)
	return fmt.Sprint(len(list))
}

// number writes a number with commas.
func number(value any, _ bool) string {
	n, ok := value.(json.Number)
	if !ok {
		return ""
	}
	whole, err := n.Int64()
	if err != nil {
		return n.String()
	}
	return terminal.Thousands(whole)
}

// lower writes text in lower case.
func lower(value any, full bool) string { return strings.ToLower(plain(value, full)) }

// attributes writes texts by name.
func attributes(value any, _ bool) string {
	fields, _ := value.(map[string]any)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		list = append(list, fmt.Sprintf("%s=%v", name, fields[name]))
	}
	return strings.Join(list, ", ")
}

// completeTo writes how far a stream is complete.
func completeTo(value any, full bool) string {
	fields, ok := value.(map[string]any)
	if !ok {
		return ""
	}
	it := item(fields)
	if full {
		return fmt.Sprintf("version %s, %s", it.text("version"), when(it["time"], true))
	}
	return fmt.Sprintf("v%s %s", it.text("version"), when(it["time"], false))
}

// position writes a place in a stream.
func position(value any, _ bool) string {
	fields, ok := value.(map[string]any)
	if !ok {
		return "nothing"
	}
	return number(fields["sequence"], false) + ", " + when(fields["time"], true)
}

// progress writes how far a load is.
func progress(value any, _ bool) string {
	fields, ok := value.(map[string]any)
	if !ok {
		return ""
	}
	return number(fields["done"], false) + " of " + number(fields["of"], false) + " rows"
}
