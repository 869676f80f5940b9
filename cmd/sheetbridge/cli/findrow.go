package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// rowID reads the id of a row, or the link to it that Smartsheet gives. An empty text
// has none.
func rowID(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	id := text
	if strings.Contains(text, "://") {
		link, err := url.Parse(text)
		if err != nil || link.Query().Get("rowId") == "" {
			return "", &UsageError{errors.New("--row: this link names no row: in Smartsheet, right-click the row's number and choose Copy link to row, which gives one with ?rowId=…")}
		}
		id = link.Query().Get("rowId")
	}
	if n, err := strconv.ParseInt(id, 10, 64); err != nil || n <= 0 {
		return "", Usagef("--row %q is not a row's id: want its digits, as in the subject and in data.row.id of events, or a link to it", terminal.Clean(id, 64))
	}
	return id, nil
}

// theShare returns the one share that is left when a partner or a sheet are named.
func (c *call) theShare(shares *resource, partner, sheet string) (item, error) {
	for what, name := range map[string]string{"a partner (--partner)": partner, "a sheet (--sheet)": sheet} {
		if name != "" {
			if err := checkName(what, name); err != nil {
				return nil, err
			}
		}
	}
	var list items
	if err := c.get(shares.path, &list); err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(sharesOf(list.Items), func(s item) bool {
		return partner != "" && s.text("partner") != partner || sheet != "" && s.text("sheet") != sheet
	})
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, errors.New("there is no such share: sheetbridge shares lists what there is")
	}
	var known []string
	for _, s := range found[:min(len(found), 10)] {
		known = append(known, s.text("share"))
	}
	return nil, Usagef("which share? Add --partner and --sheet: %s", either(known))
}

// rowsWhere finds rows of a share's sheet by the value of a field, those that the
// share hides too. It has the API preview a share with the same columns and that
// value as its filter.
func (c *call) rowsWhere(share item, where string) ([]item, error) {
	field, value, ok := strings.Cut(where, "=")
	columns := share.list("columns")
	if !ok || !slices.ContainsFunc(columns, func(col item) bool { return col.text("as") == field }) {
		var fields []string
		for _, col := range columns {
			fields = append(fields, col.text("as"))
		}
		return nil, Usagef("--where %q: want FIELD=VALUE, where FIELD is %s", terminal.Clean(where, 64), either(fields))
	}
	var asked []map[string]string
	for _, col := range columns {
		asked = append(asked, map[string]string{"columnId": col.text("columnId"), "as": col.text("as")})
	}
	body := map[string]any{"owner": share.text("webhook.owner"), "sheetId": share.text("webhook.sheetId"), "shares": []any{map[string]any{
		"partner": share.text("partner"), "sheet": "explain-" + strings.ToLower(rand.Text()[:12]), "columns": asked, "where": equals(field, value),
	}}}
	var answer item
	if err := c.send(http.MethodPost, "/v1/webhooks?dryRun=true", body, &answer, "Smartsheet's answer with the rows of the sheet"); err != nil {
		return nil, err
	}
	var found []item
	for _, preview := range answer.list("shares") {
		for _, e := range preview.list("events") {
			found = append(found, item{"row": e.get("data.row.id"), "number": e.get("data.row.number")})
		}
	}
	return found, nil
}

// equals is a CEL expression that is true where a field has a value, which may be
// text or something else that is written so.
func equals(field, value string) string {
	text := field + " == " + strconv.Quote(value)
	if _, err := strconv.ParseFloat(value, 64); err == nil || value == "true" || value == "false" || value == "null" {
		return text + " || " + field + " == " + value
	}
	return text
}

// listFound lists rows of which one is to be chosen.
func (c *call) listFound(found []item, where string) error {
	if len(found) == 0 {
		return fmt.Errorf("no row of the sheet has %s, as far as it was read", terminal.Clean(where, 64))
	}
	if c.json() {
		return c.print(items{found})
	}
	if _, err := fmt.Fprintf(c.out, "Several rows have %s. Explain one of them with --row:\n\n", terminal.Clean(where, 64)); err != nil {
		return err
	}
	return c.table([]column{{name: "ROW", field: "row"}, {name: "NUMBER", field: "number"}}, found, "")
}
