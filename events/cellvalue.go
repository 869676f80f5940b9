package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

const (
	maxWholeNumber = 1 << 53 // beyond it numbers lose digits at Smartsheet
	maxEmail       = 254     // bytes
	abstractForm   = "2006-01-02T15:04:05"
)

// CellWrite returns the cell by which a column takes a value in the form that
// events have it. The value comes back in events as it is: what the column would
// change, or hold as free text, is refused. Null empties the cell. The error is for
// the partner; it tells no value and none of a picklist's options.
func CellWrite(column smartsheet.Column, value json.RawMessage) (smartsheet.CellWrite, error) {
	w := smartsheet.CellWrite{ColumnID: column.ID}
	if string(value) == "null" {
		w.Value = ""
		return w, nil
	}
	var err error
	switch column.Type {
	case smartsheet.Checkbox:
		w.Value, err = checkboxValue(value)
	case smartsheet.Date:
		w.Value, err = timeValue(value, time.DateOnly, "a date like 2026-11-30")
	case smartsheet.AbstractDateTime:
		w.Value, err = timeValue(value, abstractForm, "a time without zone like 2026-11-30T08:00:00")
	case smartsheet.ContactList:
		w.ObjectValue, err = contactValue(value)
	case smartsheet.MultiContactList:
		w.ObjectValue, err = contactsValue(value)
	case smartsheet.Picklist:
		w.Value, err = optionValue(column, value)
	case smartsheet.MultiPicklist:
		w.ObjectValue, err = optionsValue(column, value)
	case smartsheet.Duration:
		w.ObjectValue, err = durationValue(value)
	case smartsheet.Predecessor:
		err = fmt.Errorf("dependencies between rows cannot be written")
	case smartsheet.DateTime:
		err = fmt.Errorf("the column is filled by Smartsheet itself")
	default:
		w.Value, err = textOrNumber(value)
	}
	if err != nil {
		return smartsheet.CellWrite{}, err
	}
	held := CellAfter(w)
	if !sameForm(fieldValue(&held, column.Type), value) {
		return smartsheet.CellWrite{}, fmt.Errorf("the column cannot hold it in that form: write it as events have it")
	}
	return w, nil
}

// CellAfter is a cell as it is read once it was written so.
func CellAfter(w smartsheet.CellWrite) smartsheet.Cell {
	cell := smartsheet.Cell{ColumnID: w.ColumnID}
	switch {
	case w.ObjectValue != nil:
		cell.ObjectValue, _ = json.Marshal(w.ObjectValue) // of our own types: they cannot fail
	case w.Value != nil && w.Value != "":
		cell.Value, _ = json.Marshal(w.Value)
	}
	return cell
}

// stringValue reads a text that a cell can hold whole.
func stringValue(value json.RawMessage) (string, error) {
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return "", fmt.Errorf("want a string")
	}
	return s, checkText(s)
}

func checkText(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("an empty text empties the cell: write null")
	case len(utf16.Encode([]rune(s))) > maxCellText:
		return fmt.Errorf("a cell holds %d characters at most", maxCellText)
	case strings.ContainsRune(s, 0):
		return fmt.Errorf("a cell holds no character 0")
	}
	return nil
}

func textOrNumber(value json.RawMessage) (any, error) {
	if len(value) > 0 && value[0] == '"' {
		return stringValue(value)
	}
	if len(value) == 0 || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return nil, fmt.Errorf("want a string or a number")
	}
	digits, exp, _ := decimal(string(value))
	if !exp.IsInt64() || len(digits) > 17 || exp.Int64() > 20 || exp.Int64() < -340 {
		return nil, errNumber
	}
	exact, ok := new(big.Rat).SetString(string(value))
	if !ok || new(big.Rat).Abs(exact).Cmp(big.NewRat(maxWholeNumber, 1)) > 0 {
		return nil, errNumber
	}
	near, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !bytes.Equal(Canonical(strconv.AppendFloat(nil, near, 'g', -1, 64)), Canonical(value)) {
		return nil, errNumber
	}
	return json.RawMessage(Canonical(value)), nil
}

var errNumber = fmt.Errorf("a number beyond 2^53, or of more digits than Smartsheet keeps: write it as a string")

func checkboxValue(value json.RawMessage) (any, error) {
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, fmt.Errorf("want true or false")
}

func timeValue(value json.RawMessage, layout, want string) (any, error) {
	text, err := stringValue(value)
	if err == nil {
		var at time.Time
		if at, err = time.Parse(layout, text); err == nil && at.Format(layout) == text && at.Year() > 0 {
			return text, nil
		}
	}
	return nil, fmt.Errorf("want %s", want)
}

// personIn is a person in the form of events.
type personIn struct {
	email, name string
}

// readPerson reads {"email","name"}, the name null or left out where there is none.
func readPerson(value json.RawMessage) (personIn, error) {
	var p personIn
	o, refusal := writeObject("", value)
	if refusal != nil {
		return p, fmt.Errorf(`want {"email","name"}`)
	}
	for _, m := range o {
		switch {
		case m.Name != "email" && m.Name != "name":
			return p, fmt.Errorf(`want {"email","name"} and nothing else`)
		case string(m.JSON) == "null" && m.Name == "name":
			continue
		}
		text, err := stringValue(m.JSON)
		if err != nil {
			return p, fmt.Errorf("%s: %w", m.Name, err)
		}
		if m.Name == "email" {
			p.email = text
		} else {
			p.name = text
		}
	}
	if address, err := mail.ParseAddress(p.email); err != nil || address.Address != p.email || len(p.email) > maxEmail {
		return p, fmt.Errorf("email: want an address like jane@example.com")
	}
	return p, nil
}

func contactValue(value json.RawMessage) (any, error) {
	p, err := readPerson(value)
	if err != nil {
		return nil, err
	}
	return smartsheet.ContactObject(p.email, p.name), nil
}

// listValue reads a list that is not empty.
func listValue(value json.RawMessage) ([]json.RawMessage, error) {
	var list []json.RawMessage
	if len(value) == 0 || value[0] != '[' || json.Unmarshal(value, &list) != nil {
		return nil, fmt.Errorf("want a list")
	}
	switch {
	case len(list) == 0:
		return nil, fmt.Errorf("an empty list empties the cell: write null")
	case len(list) > maxCellText:
		return nil, fmt.Errorf("a cell does not hold so many")
	}
	return list, nil
}

func contactsValue(value json.RawMessage) (any, error) {
	list, err := listValue(value)
	if err != nil {
		return nil, err
	}
	people := make([]smartsheet.ObjectValue, len(list))
	for i, raw := range list {
		p, err := readPerson(raw)
		if err != nil {
			return nil, fmt.Errorf("person %d: %w", i+1, err)
		}
		people[i] = smartsheet.ContactObject(p.email, p.name)
	}
	return smartsheet.MultiContactObject(people...), nil
}

var errOption = fmt.Errorf("it is none of the column's choices")

func optionValue(column smartsheet.Column, value json.RawMessage) (any, error) {
	text, err := stringValue(value)
	if err != nil {
		return nil, err
	}
	if column.Validation && len(column.Options) > 0 && !slices.Contains(column.Options, text) {
		return nil, errOption
	}
	return text, nil
}

func optionsValue(column smartsheet.Column, value json.RawMessage) (any, error) {
	list, err := listValue(value)
	if err != nil {
		return nil, err
	}
	choices := make([]string, len(list))
	for i, raw := range list {
		option, err := optionValue(column, raw)
		if err != nil {
			return nil, fmt.Errorf("choice %d: %w", i+1, err)
		}
		choices[i] = option.(string)
		if slices.Contains(choices[:i], choices[i]) {
			return nil, fmt.Errorf("choice %d stands there twice", i+1)
		}
	}
	return smartsheet.MultiPicklistObject(choices...), nil
}

// durationForm is an ISO 8601 duration as events have it: days and times.
var durationForm = regexp.MustCompile(`^(-?)P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

func durationValue(value json.RawMessage) (any, error) {
	text, err := stringValue(value)
	if err != nil {
		return nil, err
	}
	parts := durationForm.FindStringSubmatch(text)
	if parts == nil || len(text) > 60 {
		return nil, fmt.Errorf("want an ISO 8601 duration like P4DT6H, days as D")
	}
	number := func(s string) json.Number { return json.Number(Canonical(json.RawMessage(orZero(s)))) }
	return smartsheet.DurationObject{
		Days: number(parts[2]), Hours: number(parts[3]), Minutes: number(parts[4]), Seconds: number(parts[5]),
		Negative: parts[1] != "",
	}, nil
}

// orZero is a number, or 0 for none. Zeros that JSON does not have are cut off.
func orZero(s string) string {
	s = strings.TrimLeft(s, "0")
	if s == "" || s[0] == '.' {
		return "0" + s
	}
	return s
}
