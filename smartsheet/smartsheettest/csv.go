package smartsheettest

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
)

// Kinds of content that a sheet can be read as.
const (
	kindJSON = "application/json"
	kindCSV  = "text/csv"
)

// wants is the kind of content that the call asks for: JSON unless it names one of
// the others that the service has.
func (c *call) wants() string {
	for item := range strings.SplitSeq(c.accept, ",") {
		kind, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(item)), ";")
		if slices.Contains([]string{kindCSV, "application/pdf", "application/vnd.ms-excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}, kind) {
			return kind
		}
		if kind == kindJSON || kind == "*/*" {
			break
		}
	}
	return kindJSON
}

// sheetCSV is a sheet as text: a line of titles, then one for each row, as shown.
func (s *Server) sheetCSV(c *call, sh *sheet, rows []*row) (any, error) {
	v := c.view()
	shown := slices.DeleteFunc(slices.Clone(sh.columns), func(col *Column) bool { return !v.shows(col.ID) })
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	line := make([]string, len(shown))
	for i, col := range shown {
		line[i] = col.Title
	}
	err := w.Write(line)
	for _, r := range rows {
		for i, col := range shown {
			line[i] = s.text(sh, r, col)
		}
		if err == nil {
			err = w.Write(line)
		}
	}
	w.Flush()
	return plainText{kindCSV + ";charset=UTF-8", b.Bytes()}, err
}

// text is what a person sees in a cell.
func (s *Server) text(sh *sheet, r *row, col *Column) string {
	var out cellJSON
	value := s.content(r, col)
	s.show(sh, col, view{level: 2}, value, &out)
	if out.DisplayValue != nil {
		return *out.DisplayValue
	}
	return plain(value, sh.rowNumber)
}
