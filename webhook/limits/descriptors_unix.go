//go:build unix

package limits

import "golang.org/x/sys/unix"

// Descriptors returns how many files and connections the process may have open,
// 0 if that is not known.
func Descriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<30))
}
