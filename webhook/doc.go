// Package webhook is the road from Smartsheet to the partners: the Receiver
// answers callbacks and stores a hint for each, the Relay takes hints, reads
// the sheet and publishes what differs, the Registrar makes and looks after the
// webhooks at Smartsheet.
//
// A hint says that a sheet may have changed, never what changed. Whoever gives
// one (a callback, the clock, an admin, a changed share) takes the same road, so
// what one of them misses the next makes up for.
package webhook
