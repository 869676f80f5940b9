// Package limits bounds what strangers can use up: connections, wrong tokens and
// lines of the log. What it counts by is the address that a connection comes
// from; what a request says about itself is not believed.
package limits
