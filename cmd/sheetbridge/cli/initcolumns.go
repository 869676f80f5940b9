package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// samplesOf are a column's sample values as people write them.
func samplesOf(column item) string {
	values, _ := column.get("samples").([]any) // nil where there are none
	texts := make([]string, len(values))
	for i, value := range values {
		switch v := value.(type) {
		case bool:
			texts[i] = strconv.FormatBool(v)
		case map[string]any: // a contact
			texts[i] = cmp.Or(item(v).text("name"), item(v).text("email"))
		default:
			texts[i] = plain(v, false)
		}
	}
	return strings.Join(texts, ", ")
}

// columns are those that are ticked. None is at first: what is not ticked is not shared.
func (d *firstDay) columns(owner string, sheet item) ([]item, error) {
	var all items
	if err := d.c.get("/v1/owners/"+url.PathEscape(owner)+"/sheets/"+url.PathEscape(sheet.text("id"))+"/columns", &all); err != nil {
		return nil, err
	}
	ticked := make([]bool, len(all.Items))
	for {
		d.printf("\nColumns of %s; only ticked ones are shared:", terminal.Clean(sheet.text("name"), 100))
		var chosen []item
		for i, column := range all.Items {
			mark := " "
			if ticked[i] {
				mark, chosen = "x", append(chosen, column)
			}
			d.printf("  [%s] %2d  %-24s %-14s %s", mark, i+1, terminal.Clean(column.text("title"), 40), strings.ToLower(strings.ReplaceAll(column.text("type"), "_", " ")), terminal.Clean(samplesOf(column), 30))
		}
		answer, err := d.ask("Numbers to tick or untick, such as 1 3 5-7, or all; Enter when done", "")
		if err != nil {
			return nil, err
		}
		if answer == "" && len(chosen) > 0 {
			return chosen, nil
		}
		numbers, err := numbersOf(answer, len(ticked))
		if err != nil || answer == "" {
			d.printf("  %v", cmp.Or(err, errors.New("tick at least one column")))
		}
		for _, n := range numbers {
			ticked[n-1] = !ticked[n-1]
		}
	}
}

// numbersOf reads numbers from 1 to most: "1 3 5-7", or all.
func numbersOf(text string, most int) ([]int, error) {
	if text == "all" {
		text = fmt.Sprintf("1-%d", most)
	}
	var list []int
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if errors.Join(err, err2) != nil || first < 1 || last > most || first > last {
			return nil, fmt.Errorf("%q is not one of the numbers from 1 to %d", terminal.Clean(part, 20), most)
		}
		for n := first; n <= last; n++ {
			list = append(list, n)
		}
	}
	return list, nil
}

// masks are the chosen columns as the partner gets them. None is masked at first.
func (d *firstDay) masks(chosen []item, partner string) ([]admin.NewColumn, error) {
	columns := make([]admin.NewColumn, len(chosen))
	for i, column := range chosen {
		columns[i] = admin.NewColumn{ColumnID: column.text("id"), As: column.text("as")}
	}
	d.printf("\nA mask keeps the values of a column from %s: hash gives the same text for the same value,\nredact tells only that there is a value.", partner)
	for {
		for i, column := range chosen {
			d.printf("  %2d  %-24s %s", i+1, terminal.Clean(column.text("title"), 40), cmp.Or(columns[i].Mask, "as it is"))
		}
		answer, err := d.ask("Masks, such as hash 2 or redact 3 4, or none 2; Enter when done", "")
		if err != nil || answer == "" {
			return columns, err
		}
		mask, rest, _ := strings.Cut(answer, " ")
		numbers, err := numbersOf(rest, len(columns))
		if !slices.Contains([]string{"hash", "redact", "none"}, mask) || len(numbers) == 0 {
			d.printf("  %v", cmp.Or(err, errors.New("say hash, redact or none, and then numbers of columns")))
			continue
		}
		for _, n := range numbers {
			columns[n-1].Mask = strings.TrimPrefix(mask, "none")
		}
	}
}
