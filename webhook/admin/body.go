package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxDepth is how deep a body may be nested. Those of the API are 4 deep.
const maxDepth = 16

// What is wrong at one place of a body; the place comes before it.
const (
	msgTwice = ": is given twice"
	msgNull  = ": is null: leave it out, or give a value"
	msgDeep  = ": is nested too deep"
)

// A name in another case is another name. Else one that was validated could be
// overridden by one that was not: encoding/json takes both for the same field.
func init() { huma.ValidateStrictCasing = true }

// strictJSON is JSON as the framework writes it, and read strictly: no name twice
// in an object, no null, nothing that is not UTF-8.
func strictJSON() huma.Format {
	f := huma.DefaultJSONFormat
	f.Unmarshal = func(data []byte, v any) error {
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
		if _, first := v.(*any); !first {
			return nil // the framework had it read before, to validate it
		}
		if !utf8.Valid(data) {
			return errors.New("is not UTF-8")
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		return readStrictly(d, "", 0)
	}
	return f
}

// readStrictly reads the next value of valid JSON. Its errors are the place of
// what is wrong and one of the messages above.
func readStrictly(d *json.Decoder, at string, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return errors.New(at + msgDeep)
	}
	switch token {
	case nil:
		if at != "" && !nullable(at) { // a whole body that is null is reported as the wrong type
			return errors.New(at + msgNull)
		}
	case json.Delim('['):
		for i := 0; d.More(); i++ {
			if err := readStrictly(d, fmt.Sprintf("%s[%d]", at, i), depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('{'):
		return readMembers(d, at, depth)
	}
	return err
}

// nullable tells whether null means something at a place: that there is to be none,
// and not what holds when it is left out.
func nullable(at string) bool { return at == "expiresAt" || at == "contact" }

// readMembers reads the rest of an object.
func readMembers(d *json.Decoder, at string, depth int) error {
	given := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		place := strings.TrimPrefix(at+"."+clip(name), ".")
		if given[name] {
			return errors.New(place + msgTwice)
		}
		given[name] = true
		if err := readStrictly(d, place, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
