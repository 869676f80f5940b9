//go:build linux || darwin

package main

import "syscall"

// diskOf returns the size of the disk that the directory is on, and what is free
// of it for us, in bytes.
func diskOf(dir string) (size, free float64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, false
	}
	return float64(s.Blocks) * float64(s.Bsize), float64(s.Bavail) * float64(s.Bsize), true
}
