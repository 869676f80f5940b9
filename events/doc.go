// Package events is what a partner gets: which part of a sheet a share shows
// (Share, Request), how a row looks through it (View, Object), and which events
// lead from what the partner last saw to what is there now (Compare). The stream in
// which all of that stands is package stream's.
//
// What a partner last saw is nowhere else than in its stream: one subject is
// one object, and the last message of a subject is its state.
package events
