// Package webhook is what stands at both ends of the road from Smartsheet to the
// partners: the Receiver answers callbacks and stores a hint for each, the
// Registrar makes and looks after the webhooks at Smartsheet, Access asks
// Smartsheet in the owners' names, and Partners holds the connections to the
// partners' streams. Between them, package relay takes the hints, reads the sheets
// and publishes what differs.
//
// A hint says that a sheet may have changed, never what changed. Whoever gives
// one (a callback, the clock, an admin, a changed share) takes the same road, so
// what one of them misses the next makes up for.
package webhook
