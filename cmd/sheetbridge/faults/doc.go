// Package faults is the fault harness: real `serve` processes, real NATS
// servers and a simulated Smartsheet are killed, stopped, cut off and lied to
// while a sheet is edited, and afterwards every partner's stream is checked
// against the sheet. Its tests are all named Faults…:
//
//	go test -race ./cmd/sheetbridge/faults -run Faults            the short form, mostly with the program as it is released
//	go test -race ./cmd/sheetbridge/faults -run Faults -long      for an hour or so, with the race detector in it
package faults
