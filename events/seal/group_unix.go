//go:build unix

package seal

import (
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// mountedForGroup tells whether the file belongs to another user, who gave it to a
// group of this process: who owns a file can give it a better mode.
func mountedForGroup(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return false
	}
	groups, err := os.Getgroups()
	return int(stat.Gid) == os.Getegid() || err == nil && slices.Contains(groups, int(stat.Gid))
}
