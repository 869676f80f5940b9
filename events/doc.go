// Package events is what a partner gets: which part of a sheet a share shows
// (Share, Request), how a row looks through it (View, Object), which events lead
// from what the partner last saw to what is there now (Compare), and the one
// stream in which all of that stands (Stream).
//
// What a partner last saw is nowhere else than in its stream: one subject is
// one object, and the last message of a subject is its state. Publishing
// expects the sequence that was noted before Smartsheet was read, so that of
// several writers only one that saw the latest state succeeds.
//
// Tail is the partner's side, from credentials and an address alone.
package events
