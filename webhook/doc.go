// Package webhook receives Smartsheet's callbacks: the [Receiver] checks each
// callback, stores a hint for it, and answers once the hint is stored.
//
// A hint says that a sheet may have changed, never what changed. Callbacks, the
// reconcile clock, admins and changed shares all give hints, and package relay
// works them off; so what one of them misses, the next one finds.
package webhook
