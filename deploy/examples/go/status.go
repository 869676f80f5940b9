package main

import (
	"encoding/json"
	"errors"
	"log"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var errRestored = errors.New("the stream was made again or restored")

// status is how a sheet stands, as its last status event says.
type status struct {
	Epoch      string
	NextBefore time.Time // no newer status by then: the sheet is stale
}

// statuses are the last ones of each sheet, by their subject. Keep them with what you
// store.
type statuses map[string]status

// epochChanged tells whether the stream was made again or restored since an earlier
// status: what was read of it may never have been.
func (s statuses) epochChanged(m jetstream.Msg) bool {
	if !strings.HasSuffix(m.Subject(), ".status") {
		return false
	}
	var event struct{ Data status }
	_ = json.Unmarshal(m.Data(), &event) // the stream has nothing else
	was := s[m.Subject()]
	if was.Epoch != "" && event.Data.Epoch != was.Epoch {
		clear(s)
		return true
	}
	s[m.Subject()] = event.Data
	return false
}

// warnStale logs which sheets may be out of date, each once.
func (s statuses) warnStale() {
	for subject, now := range s {
		if !now.NextBefore.IsZero() && time.Now().After(now.NextBefore) {
			log.Printf("%s: stale, no status came by %v", subject, now.NextBefore)
			now.NextBefore = time.Time{}
			s[subject] = now
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
