package limits_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/limits"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "512B": 512, "4KB": 4000, "4KiB": 4096, "16MiB": 16 << 20, "2 MB": 2e6, "1GiB": 1 << 30,
		"": 0, "0": 0, "-1": 0, "2GiB": 0, "much": 0, "1.5MiB": 0, "16mib": 0, "99999999999999999999": 0,
	} {
		got, err := limits.ParseSize(text, 1, 1<<30)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}
