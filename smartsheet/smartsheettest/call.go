package smartsheettest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request to the API, from HTTP or from Go.
type call struct {
	method, path string
	route        route
	query        url.Values
	body         []byte
	contentType  string
	disposition  string
	agent        string
	base         string // URL at which the caller reached the server
	user         *User
	token        *token // nil when called from Go
	now          time.Time
	accept       string            // the kinds of content that the caller takes
	kind         string            // of the answer; empty: JSON
	ids          map[string]string // what the placeholders of the route matched

	// What those are.
	sheet      *sheet
	row        *row
	column     *Column
	attachment *attachment
	discussion *discussion
	comment    *comment
	webhook    *webhook
	place      *place
}

// decode reads the body as JSON; an attribute that v does not know is refused.
func (c *call) decode(v any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return failf(400, 1024, "The HTTP request body is required for this Method.")
	}
	return decodeStrict(c.body, v)
}

func decodeStrict[T string | []byte | json.RawMessage](text T, v any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	d.UseNumber()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			return errUnparsable("more than one value")
		}
		return nil
	}
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return errUnparsable("wrong type for " + wrongType.Field)
	}
	if field, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return errUnparsable("Unknown attribute " + field)
	}
	return errUnparsable("malformed JSON")
}

// decodeList reads the body as one object or a list of them.
func decodeList[T any](c *call) (list []T, single bool, err error) {
	if bytes.HasPrefix(bytes.TrimSpace(c.body), []byte("[")) {
		err = c.decode(&list)
		return list, false, err
	}
	var one T
	err = c.decode(&one)
	return []T{one}, true, err
}

// knownIncludes are those of the whole API: a misspelt one should be seen.
var knownIncludes = []string{
	"attachments", "attachmentFiles", "brokenLinks", "columnType", "columns", "comments", "crossSheetReferences", "discussions", "distributionLists",
	"favoriteFlag", "filters", "filterDefinitions", "format", "ganttConfig", "groups", "lastLogin", "objectValue", "ownerInfo", "parentObjectFavorite",
	"permalinks", "proofs", "rowPermalink", "rowWriterInfo", "rules", "ruleRecipients", "scope", "sheetVersion", "shares", "source", "sourceSheets",
	"summary", "templates", "workspaces", "writerInfo",
}

var knownExcludes = []string{"filteredOutRows", "linkInFromCellDetails", "linksOutToCellsDetails", "nonexistentCells"}

// checkQuery refuses query parameters whose value cannot be. Those that the API
// does not have are passed over, as the service does: real clients send them.
func (c *call) checkQuery() error {
	for _, name := range []string{"rowIds", "rowNumbers", "columnIds", "ids"} {
		for _, text := range splitList(c.query.Get(name)) {
			if _, err := strconv.ParseInt(text, 10, 64); err != nil {
				return errParameter(text, name)
			}
		}
	}
	for name, known := range map[string][]string{"include": knownIncludes, "exclude": knownExcludes} {
		for _, text := range splitList(c.query.Get(name)) {
			if !slices.Contains(known, text) {
				return errParameter(text, name)
			}
		}
	}
	for name, known := range map[string][]string{"level": {"0", "1", "2"}, "accessApiLevel": {"0", "1"}} {
		if value := c.query.Get(name); value != "" && !slices.Contains(known, value) {
			return errParameter(value, name)
		}
	}
	return nil
}

func (c *call) includes(what string) bool {
	return slices.Contains(splitList(c.query.Get("include")), what)
}

func (c *call) excludes(what string) bool {
	return slices.Contains(splitList(c.query.Get("exclude")), what)
}

func (c *call) flag(name string) bool { return strings.EqualFold(c.query.Get(name), "true") }

func (c *call) level() int {
	n, err := strconv.Atoi(c.query.Get("level"))
	if err != nil {
		return 0
	}
	return n
}

// idList is a query parameter as ids, nil if it is not there;
// checkQuery has looked at it.
func (c *call) idList(name string) []int64 {
	var ids []int64
	for _, text := range splitList(c.query.Get(name)) {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// page reads page and pageSize. ok is false if neither is given.
func (c *call) page() (number, size int, ok bool, err error) {
	number, size = 1, 100
	for name, n := range map[string]*int{"page": &number, "pageSize": &size} {
		text := c.query.Get(name)
		if text == "" {
			continue
		}
		ok = true
		if *n, err = strconv.Atoi(text); err != nil || *n < 1 {
			return 0, 0, false, errParameter(text, name)
		}
	}
	return number, min(size, 10_000), ok, nil
}

// paged answers one page of a list. A page beyond the last one is the last one.
func paged[T any](c *call, list []T) (any, error) {
	number, size, _, err := c.page()
	if err != nil {
		return nil, err
	}
	if c.flag("includeAll") {
		number, size = 1, max(len(list), 1)
	}
	pages := max((len(list)+size-1)/size, 1)
	number = min(number, pages)
	from := (number - 1) * size
	data := list[from:min(from+size, len(list))]
	if data == nil {
		data = []T{}
	}
	return map[string]any{
		"pageNumber": number, "pageSize": size, "totalPages": pages, "totalCount": len(list), "data": data,
	}, nil
}

func splitList(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// success is the envelope of every write.
func success(result any, version int64) map[string]any {
	out := map[string]any{"message": "SUCCESS", "resultCode": 0}
	if result != nil {
		out["result"] = result
	}
	if version > 0 {
		out["version"] = version
	}
	return out
}
