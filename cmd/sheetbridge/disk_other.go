//go:build !linux && !darwin

package main

// diskOf cannot tell here.
func diskOf(string) (size, free float64, ok bool) { return 0, 0, false }
