package smartsheettest

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// Duration is working time (or calendar time if Elapsed) as a project sheet
// holds it: each part counts for itself and may be fractional.
type Duration struct {
	Weeks, Days, Hours, Minutes, Seconds, Milliseconds float64
	Negative, Elapsed                                  bool
}

func (d *Duration) parts() []struct {
	name, unit string
	n          *float64
} {
	return []struct {
		name, unit string
		n          *float64
	}{
		{"weeks", "w", &d.Weeks}, {"days", "d", &d.Days}, {"hours", "h", &d.Hours},
		{"minutes", "m", &d.Minutes}, {"seconds", "s", &d.Seconds}, {"milliseconds", "ms", &d.Milliseconds},
	}
}

// String is the text of a cell: "4d 6h 30m", "~3d" if elapsed, "-1d" if negative.
func (d Duration) String() string {
	var words []string
	for _, p := range d.parts() {
		if *p.n != 0 {
			words = append(words, strconv.FormatFloat(*p.n, 'f', -1, 64)+p.unit)
		}
	}
	text := cmp.Or(strings.Join(words, " "), "0")
	if d.Elapsed {
		text = "~" + text
	}
	if d.Negative {
		text = "-" + text
	}
	return text
}

func (d Duration) object() map[string]any {
	out := map[string]any{"objectType": "DURATION"}
	for _, p := range d.parts() {
		if *p.n != 0 {
			out[p.name] = *p.n
		}
	}
	if d.Negative {
		out["negative"] = true
	}
	if d.Elapsed {
		out["elapsed"] = true
	}
	return out
}

var (
	durationText = regexp.MustCompile(`^(-?)(~?)((?:[0-9]+(?:\.[0-9]+)?(?:ms|w|d|h|m|s) ?)+|0)$`)
	durationWord = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)(ms|w|d|h|m|s)`)
	predecessor  = regexp.MustCompile(`^([0-9]+)(FS|SS|FF|SF)?(?: ?([+-]) ?(.+))?$`)
)

func parseDuration(text string) (Duration, bool) {
	m := durationText.FindStringSubmatch(text)
	if m == nil {
		return Duration{}, false
	}
	d := Duration{Negative: m[1] != "", Elapsed: m[2] != ""}
	for _, word := range durationWord.FindAllStringSubmatch(m[3], -1) {
		for _, p := range d.parts() {
			if p.unit == word[2] {
				n, err := strconv.ParseFloat(word[1], 64)
				if err != nil {
					return Duration{}, false
				}
				*p.n += n
			}
		}
	}
	return d, true
}

func (p Predecessor) text(rowNumber int) string {
	text := strconv.Itoa(rowNumber)
	if p.Type != "FS" || p.Lag != nil {
		text += p.Type
	}
	if p.Lag != nil {
		lag, sign := *p.Lag, " +"
		if lag.Negative {
			lag.Negative, sign = false, " -"
		}
		text += sign + lag.String()
	}
	return text
}

// parsePredecessors reads "12FS +3d 4h, 14SS"; rowID finds the row of a number.
func parsePredecessors(text string, rowID func(int) int64) ([]Predecessor, bool) {
	var list []Predecessor
	for part := range strings.SplitSeq(text, ",") {
		m := predecessor.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, false
		}
		number, err := strconv.Atoi(m[1])
		if err != nil || rowID(number) == 0 {
			return nil, false
		}
		p := Predecessor{RowID: rowID(number), Type: cmp.Or(m[2], "FS")}
		if m[4] != "" {
			lag, ok := parseDuration(m[4])
			if !ok || lag.Negative {
				return nil, false
			}
			lag.Negative = m[3] == "-"
			p.Lag = &lag
		}
		list = append(list, p)
	}
	return list, true
}
