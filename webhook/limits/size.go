package limits

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// sizeUnit is one that a size may be given in.
type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits are those of sizes: binary ones, the largest first, then the others.
func sizeUnits() (binary, others []sizeUnit) {
	return []sizeUnit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}},
		[]sizeUnit{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}, {"", 1}}
}

// ParseSize reads a number of bytes such as 512KiB, 16MiB, 16MB or 1048576, which
// must be in the bounds. Its error names them.
func ParseSize(s string, least, most int64) (int64, error) {
	binary, others := sizeUnits()
	for _, unit := range append(binary, others...) {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n <= 0 || n > most/unit.bytes || n*unit.bytes < least {
			break
		}
		return n * unit.bytes, nil
	}
	return 0, errors.New("want a size from " + FormatSize(least) + " to " + FormatSize(most) + ", such as 512KiB or 1GiB")
}

// FormatSize writes a number of bytes as ParseSize reads it.
func FormatSize(n int64) string {
	binary, _ := sizeUnits()
	for _, unit := range binary {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", n/unit.bytes, unit.name)
		}
	}
	return strconv.FormatInt(n, 10)
}
