package smartsheettest

import (
	"encoding/json"
	"net/mail"
	"slices"
	"strings"
	"time"
)

const maxCellText = 4000

// valueIn reads cell.value of a write. Nil means that the cell becomes empty.
func (sh *sheet) valueIn(col *Column, raw json.RawMessage, strict, override bool) (any, error) {
	var v any
	if err := decodeStrict(raw, &v); err != nil {
		return nil, err
	}
	switch t := v.(type) {
	case nil:
		return nil, nil
	case string:
		switch {
		case t == "" && col.Type == "CHECKBOX":
			return false, nil // a box that was touched is not empty again
		case t == "":
			return nil, nil
		}
		if runes := []rune(t); len(runes) > maxCellText {
			v = string(runes[:maxCellText])
		}
	case json.Number:
		if f, err := t.Float64(); err != nil || f > float64(maxSafe) || f < -float64(maxSafe) {
			return nil, failf(400, 1148, "Numeric cell values must be between %d and %d.", -maxSafe, maxSafe)
		}
	case bool:
	default:
		return nil, failf(400, 1038, "Invalid Cell value. Must be numeric or a string.")
	}
	if col.version() > 0 {
		return nil, failf(400, 5536, "Value is not supported for this column type. Use objectValue instead.")
	}
	if !strict {
		out := sh.lenient(col, v)
		if !override && col.Validation && !sh.valid(col, out) {
			return nil, errNonconforming(col, v)
		}
		return out, nil
	}
	out, ok := sh.strict(col, v)
	if !ok || col.Validation && !override && !sh.valid(col, out) {
		return nil, errNonconforming(col, v)
	}
	return out, nil
}

func errNonconforming(col *Column, v any) *Error {
	return failf(400, 1042, "The value for cell in column %d, %v, did not conform to the strict requirements for type %s.", col.ID, v, col.Type)
}

// valid reports whether a value holds to the restriction of its column.
func (sh *sheet) valid(col *Column, v any) bool {
	switch col.Type {
	case "CHECKBOX":
		_, ok := v.(bool)
		return ok
	case "DATE":
		_, ok := v.(Date)
		return ok
	case "CONTACT_LIST":
		contact, ok := v.(Contact)
		return ok && (len(col.Contacts) == 0 || col.offers(contact))
	case "MULTI_CONTACT_LIST":
		people, ok := v.([]Contact)
		return ok && (len(col.Contacts) == 0 || !slices.ContainsFunc(people, func(c Contact) bool { return !col.offers(c) }))
	case "PICKLIST":
		return len(col.Options) == 0 || slices.Contains(col.Options, plain(v, sh.rowNumber))
	case "MULTI_PICKLIST":
		choices, ok := v.([]string)
		return ok && (len(col.Options) == 0 || !slices.ContainsFunc(choices, func(c string) bool { return !slices.Contains(col.Options, c) }))
	}
	return true
}

// offers reports whether the contact is one of those that the column offers.
func (col *Column) offers(contact Contact) bool {
	return slices.ContainsFunc(col.Contacts, func(c Contact) bool { return strings.EqualFold(c.Email, contact.Email) })
}

// strict reads a value that must be what its column's type wants.
func (sh *sheet) strict(col *Column, v any) (any, bool) {
	text, isText := v.(string)
	switch col.Type {
	case "CHECKBOX":
		on, ok := v.(bool)
		return on, ok
	case "TEXT_NUMBER", "PICKLIST":
		if on, isBool := v.(bool); isBool {
			return on, col.Type == "TEXT_NUMBER"
		}
		return v, true
	}
	if !isText {
		return nil, false
	}
	out := sh.typed(col, text)
	_, stillText := out.(string)
	return out, !stillText
}

// typed reads text as its column's type says, and leaves it text if it cannot.
func (sh *sheet) typed(col *Column, text string) any {
	switch col.Type {
	case "DATE":
		if _, err := time.Parse(time.DateOnly, text); err == nil {
			return Date(text)
		}
	case "ABSTRACT_DATETIME":
		for _, layout := range []string{"2006-01-02T15:04:05", time.DateOnly} {
			if t, err := time.Parse(layout, text); err == nil {
				return AbstractDateTime(t.Format("2006-01-02T15:04:05"))
			}
		}
	case "CONTACT_LIST":
		if isEmail(text) {
			return sh.contact(text)
		}
	case "MULTI_CONTACT_LIST":
		if isEmail(text) {
			return []Contact{sh.contact(text)}
		}
	case "MULTI_PICKLIST":
		if slices.Contains(col.Options, text) {
			return []string{text}
		}
	case "DURATION":
		if d, ok := parseDuration(text); ok {
			return d
		}
	case "PREDECESSOR":
		if list, ok := parsePredecessors(text, sh.rowID); ok {
			return list
		}
	}
	return text
}

// contact is the person of an address, with the name if it is a user's.
func (sh *sheet) contact(email string) Contact {
	if u := sh.server.userByEmail(email); u != nil {
		return Contact{Email: email, Name: u.Name}
	}
	return Contact{Email: email}
}

func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

// lenient reads a value as well as its column's type allows: booleans and
// dates in other spellings too, numbers in text, and free text for the rest.
func (sh *sheet) lenient(col *Column, v any) any {
	if out, ok := sh.strict(col, v); ok && col.Type != "TEXT_NUMBER" && col.Type != "PICKLIST" {
		return out
	}
	text := plain(v, nil)
	switch col.Type {
	case "CHECKBOX":
		switch strings.ToLower(text) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
	case "DATE":
		for _, layout := range []string{"01/02/2006", "1/2/2006", "01/02/06", "2 Jan 2006", "Jan 2, 2006", "2006/01/02", "2006-01-02T15:04:05Z"} {
			if t, err := time.Parse(layout, text); err == nil {
				return Date(t.Format(time.DateOnly))
			}
		}
	case "TEXT_NUMBER", "PICKLIST":
		if _, isText := v.(string); !isText {
			return v
		}
		if n, isNumber := numberIn(text); isNumber && col.Type == "TEXT_NUMBER" {
			return n
		}
	}
	return text
}

// numberIn reads text that is a JSON number.
func numberIn(text string) (json.Number, bool) {
	var n json.Number
	if text == "" || strings.HasPrefix(text, `"`) || text == "null" {
		return "", false
	}
	err := json.Unmarshal([]byte(text), &n)
	return n, err == nil
}
