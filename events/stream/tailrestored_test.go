package stream_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/stream"
)

// backUp copies the store of the server, which is stopped for that.
func (s *tailed) backUp() (dir string) {
	s.t.Helper()
	dir = filepath.Join(s.t.TempDir(), "copy")
	s.stop()
	must(s.t, os.CopyFS(dir, os.DirFS(s.options.Dir)))
	s.start()
	return dir
}

// restore puts the copy in the place of the store. What is published before
// anybody can connect again is done by the function.
func (s *tailed) restore(dir string, before func()) {
	s.t.Helper()
	s.stop()
	must(s.t, os.RemoveAll(s.options.Dir))
	must(s.t, os.CopyFS(s.options.Dir, os.DirFS(dir)))
	known := s.options.Listen
	s.options.Listen = "127.0.0.1:0"
	s.start()
	before()
	s.stop()
	s.options.Listen = known
	s.start()
}

// A stream that was restored from an older copy is read again from its beginning,
// however long it is by then.
func TestTailOfRestoredStream(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from   string
		filter string
		before []string // published before the reader is back
		want   []string
	}{
		"shorter":          {stream.FromLastPerSubject, "", nil, []string{"orders.row.1 a", "orders.row.3 live"}},
		"shorter, all":     {stream.FromAll, "", []string{"e"}, []string{"orders.row.1 a", "orders.row.2 e", "orders.row.3 live"}},
		"as long":          {stream.FromAll, "", []string{"e", "f", "g"}, []string{"orders.row.1 a", "orders.row.2 e", "orders.row.2 f", "orders.row.2 g", "orders.row.3 live"}},
		"longer":           {stream.FromLastPerSubject, "", []string{"e", "f", "g", "h"}, []string{"orders.row.1 a", "orders.row.2 e", "orders.row.2 f", "orders.row.2 g", "orders.row.2 h", "orders.row.3 live"}},
		"longer, filtered": {stream.FromAll, "orders.row.2", []string{"e", "f", "g", "h"}, []string{"orders.row.2 e", "orders.row.2 f", "orders.row.2 g", "orders.row.2 h"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTailed(t)
			s.publish("orders.row.1", "a")
			dir := s.backUp()
			r := s.read(stream.TailOptions{From: test.from, Subject: test.filter})
			s.reading()
			for _, text := range []string{"b", "c", "d"} {
				s.publish("orders.row.2", text)
			}
			if test.filter == "" {
				r.want("orders.row.1 a")
			}
			r.want("orders.row.2 b", "orders.row.2 c", "orders.row.2 d")
			s.restore(dir, func() {
				for _, text := range test.before {
					s.publish("orders.row.2", text)
				}
			})
			s.publish("orders.row.3", "live")
			r.want(test.want...)
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A status with another epoch says so where nothing else does, once.
func TestTailOfAnotherEpoch(t *testing.T) {
	t.Parallel()
	const one, two = `{"data":{"epoch":"one"}}`, `{"data":{"epoch":"two"}}`
	s := newTailed(t)
	s.publish("orders.status", one)
	dir := s.backUp()
	r := s.read(stream.TailOptions{From: stream.FromAll})
	r.want("orders.status " + one)
	s.publish("orders.row.1", "b")
	r.want("orders.row.1 b")
	s.restore(dir, func() {
		s.publish("orders.row.2", "c")
		there, err := s.js.Stream(t.Context(), stream.Name)
		must(t, err)
		must(t, there.Purge(t.Context(), jetstream.WithPurgeSubject("smartsheet.acme.orders.row.2"))) // nothing stands where b stood
		s.publish("orders.row.3", "d")
	})
	r.want("orders.row.3 d")
	s.publish("orders.status", two)
	r.want("orders.status "+one, "orders.row.3 d", "orders.status "+two)
	s.stop()
	s.start()
	s.publish("orders.row.4", "e")
	r.want("orders.row.4 e")
	if err := r.end(); err != nil {
		t.Error(err)
	}
}
