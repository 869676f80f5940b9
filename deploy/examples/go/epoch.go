package main

import (
	"encoding/json"
	"errors"
	"log"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

var errRestored = errors.New("the stream was made again or restored")

// epochs are the last ones of each sheet, by the subject of its status. Keep
// them with what you store.
type epochs map[string]string

// changed tells whether the stream was made again or restored since an earlier
// status: what was read of it may never have been.
func (e epochs) changed(m jetstream.Msg) bool {
	if !strings.HasSuffix(m.Subject(), ".status") {
		return false
	}
	var status struct{ Data struct{ Epoch string } }
	_ = json.Unmarshal(m.Data(), &status) // the stream has nothing else
	was := e[m.Subject()]
	if was != "" && status.Data.Epoch != was {
		clear(e)
		return true
	}
	e[m.Subject()] = status.Data.Epoch
	return false
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
