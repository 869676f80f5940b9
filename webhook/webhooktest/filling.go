package webhooktest

import (
	"net/url"
)

// WholeReads counts how often the sheet was read from its first page on while f ran.
func (w *World) WholeReads(f func()) int {
	before, n := len(w.Sim.Requests()), 0
	f()
	for _, r := range w.Sim.Requests()[before:] {
		if q, err := url.ParseQuery(r.Query); err == nil && q.Get("page") == "1" && q.Get("pageSize") != "0" && !q.Has("rowIds") {
			n++
		}
	}
	return n
}
