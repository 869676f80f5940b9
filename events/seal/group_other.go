//go:build !unix

package seal

import "io/fs"

// mountedForGroup is of systems where files belong to groups.
func mountedForGroup(fs.FileInfo) bool { return false }
