package stream

import (
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// place is where a reader is in a stream, and what tells it that the stream was
// restored from an older copy. Such a stream has the creation time that it had,
// and may be longer by now than it was when it was read.
type place struct {
	created time.Time         // of the stream; zero: none was read yet
	next    uint64            // sequence to go on with; 0: begin as the options say
	taken   time.Time         // when the message before next was stored; zero: it was not read
	epochs  map[string]string // last one of each status subject
}

// startOver goes back to the beginning.
func (p *place) startOver() { *p = place{created: p.created, next: 1} }

// begin is the sequence to begin a session with: the message that was taken last
// comes again, and shows whether it is still the same.
func (p *place) begin() uint64 {
	if p.taken.IsZero() {
		return p.next
	}
	return p.next - 1
}

// replaced tells whether another message stands where one was taken.
func (p *place) replaced(sequence uint64, stored time.Time) bool {
	return sequence+1 == p.next && !p.taken.IsZero() && !stored.Equal(p.taken)
}

// took goes on behind a message.
func (p *place) took(sequence uint64, stored time.Time, subject string, data []byte) {
	p.next, p.taken = sequence+1, stored
	if epoch := epochOf(subject, data); epoch != "" {
		if p.epochs == nil {
			p.epochs = map[string]string{}
		}
		p.epochs[subject] = epoch
	}
}

// epochsSoFar are the epochs that were read in earlier sessions. One that begins
// within a session is part of the history that is read from its beginning, and
// no reason to begin again: a restore ends the session.
func (p *place) epochsSoFar() map[string]string { return maps.Clone(p.epochs) }

// changesEpoch tells whether a status has another epoch than its share had before.
func changesEpoch(before map[string]string, subject string, data []byte) bool {
	was, is := before[subject], epochOf(subject, data)
	return was != "" && is != "" && is != was
}

// epochOf is the epoch in a status event, empty for any other message.
func epochOf(subject string, data []byte) string {
	if tokens := strings.Split(subject, "."); len(tokens) != 4 || tokens[3] != "status" {
		return ""
	}
	var e struct {
		Data struct {
			Epoch string `json:"epoch"`
		} `json:"data"`
	}
	if json.Unmarshal(data, &e) != nil {
		return "" // not ours to judge
	}
	return e.Data.Epoch
}
