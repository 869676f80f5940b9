package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
)

func TestTable(t *testing.T) {
	list := NewTable("NAME", "STATE", "REASON")
	list.Add("ops", "ok", "")
	list.Add("jane-of-accounts", "refused", "revoked\x1b[31m\nin May")
	noted := NewTable("SHARE", "STATE")
	noted.AddWithDetail("the partner's stream is full:\x1b[2J nothing more is published to it until its limit of storage is raised", "acme/orders", "stale")
	noted.Add("acme/plan", "live")
	for name, tc := range map[string]struct {
		table *Table
		want  string
	}{
		"rows":    {list, "NAME              STATE    REASON\nops               ok       -\njane-of-accounts  refused  revoked\\x1b[31m\\nin May\n"},
		"notes":   {noted, "SHARE        STATE\nacme/orders  stale\n    the partner's stream is full:\\x1b[2J nothing more is published to it until\n    its limit of storage is raised\nacme/plan    live\n"},
		"nothing": {NewTable("NAME"), "there is none\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := tc.table.Write(&b, 80, "there is none"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTableFits cuts the widest columns, of wide characters too, and nothing where
// there is no limit.
func TestTableFits(t *testing.T) {
	list := NewTable("ID", "SHEET", "REASON")
	list.Add("7129509179746180", strings.Repeat("受注", 40), strings.Repeat("b", 90))
	for _, width := range []int{80, 60, 0} {
		var b bytes.Buffer
		if err := list.Write(&b, width, ""); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if got := runewidth.StringWidth(strings.TrimSpace(line)); width > 0 && got > width {
				t.Errorf("got a line of %d characters, want at most %d: %s", got, width, line)
			}
		}
		if cut := strings.Contains(b.String(), "…"); cut != (width > 0) {
			t.Errorf("width %d: got\n%s", width, b.String())
		}
		if !strings.Contains(b.String(), "7129509179746180") {
			t.Errorf("width %d: the short column was cut:\n%s", width, b.String())
		}
	}
}

func TestFacts(t *testing.T) {
	var f Facts
	f.Add("owner", "ops")
	f.Add("reason", "")
	f.Add("warnings", strings.Repeat("a word ", 20))
	var b bytes.Buffer
	if err := f.Write(&b, 80); err != nil {
		t.Fatal(err)
	}
	want := "owner     ops\nwarnings  " + strings.TrimSpace(strings.Repeat("a word ", 10)) + "\n          " + strings.TrimSpace(strings.Repeat("a word ", 10)) + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour, "2160h": 2160 * time.Hour,
		"1.5h": 90 * time.Minute, "50ms": 50 * time.Millisecond, "0": 0, "-1s": -time.Second,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v, error %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "often", "90", "d", "12h1d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for want, d := range map[string]time.Duration{
		"0s ago": 0, "5s ago": 5 * time.Second, "1m ago": 90 * time.Second, "90m ago": 90 * time.Minute, "3h ago": 3 * time.Hour,
		"30h ago": 30 * time.Hour, "400d ago": 400 * 24 * time.Hour, "in 90d": -90*24*time.Hour + time.Minute, "in 2m": -119 * time.Second,
	} {
		if got := Ago(now.Add(-d), now); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	if got := Ago(time.Time{}, now); got != "" {
		t.Errorf("got %q for no time", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 5025: "5,025", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Thousands(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestBar(t *testing.T) {
	for want, of := range map[string][2]int64{"░░░░": {0, 5025}, "██░░": {3200, 5025}, "████": {5025, 5025}, "░░": {0, 0}} {
		if got := Bar(of[0], of[1], len([]rune(want))); got != want {
			t.Errorf("%v: got %s, want %s", of, got, want)
		}
	}
	if got := Bar(9, 5, 2); got != "██" {
		t.Errorf("got %s for more than all", got)
	}
}
