package stream_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// BenchmarkPublishRow publishes one row in a share of 1,000 rows and in one of
// 100,000, at an embedded server that encrypts, and syncs every write: a publish
// under the lock, a pass (acquire, read, publish), and as the baseline a publish
// that expects the last sequence of the whole share. It says what each costs and
// how many times more in the large share.
func BenchmarkPublishRow(b *testing.B) {
	s := newStream(b, "acme")
	small, large := fill(b, s, "small", 1_000), fill(b, s, "large", 100_000)
	for name, publish := range map[string]func(*filled){
		"lock": (*filled).underLock, "pass": (*filled).pass, "wildcard": (*filled).underWildcard,
	} {
		b.Run(name, func(b *testing.B) {
			for _, f := range []*filled{small, large} {
				f.last = f.lastSequence()
			}
			var of [2]cost
			for b.Loop() {
				of[0].add(func() { publish(small) })
				of[1].add(func() { publish(large) })
			}
			for i, rows := range []string{"1k", "100k"} {
				b.ReportMetric(float64(of[i].wall.Microseconds())/float64(b.N), "µs/"+rows)
				b.ReportMetric(float64(of[i].cpu.Microseconds())/float64(b.N), "cpu-µs/"+rows)
			}
			b.ReportMetric(float64(of[1].wall)/float64(of[0].wall), "time-ratio")
			b.ReportMetric(float64(of[1].cpu)/float64(of[0].cpu), "cpu-ratio")
		})
	}
}

// cost is the time and the processor time of the whole process, server included.
type cost struct{ wall, cpu time.Duration }

func (c *cost) add(f func()) {
	began, used := time.Now(), processorTime()
	f()
	c.wall += time.Since(began)
	c.cpu += processorTime() - used
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail with these arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filled is a share with rows in the stream.
type filled struct {
	b      testing.TB
	stream *stream.Stream
	share  *events.Share
	writer *stream.Writer
	rows   int64
	n      int64
	last   uint64 // sequence of the share
}

func fill(b testing.TB, s *stream.Stream, name string, rows int64) *filled {
	f := &filled{b: b, stream: s, share: testShare(name), rows: rows}
	f.writer = begin(b, s, f.share)
	for row := range rows {
		must(b, f.writer.Add(rowEvent(b, f.share, row+1)))
	}
	_, err := f.writer.Flush(f.b.Context(), time.Now(), events.StatusData{})
	must(b, err)
	return f
}

// lastSequence makes the share's last message that of its writer.
func (f *filled) lastSequence() uint64 {
	f.underLock()
	return f.writer.Since()
}

// row is another one each time, from all over the sheet.
func (f *filled) row() int64 {
	f.n++
	return f.n*7919%f.rows + 1
}

func (f *filled) underLock() {
	must(f.b, f.writer.Add(rowEvent(f.b, f.share, f.row())))
	_, err := f.writer.Flush(f.b.Context(), time.Now(), events.StatusData{})
	must(f.b, err)
}

func (f *filled) pass() {
	must(f.b, f.writer.Acquire(f.b.Context(), time.Now(), events.StatusData{}))
	row := f.row()
	_, err := f.stream.Last(f.b.Context(), f.share, []string{f.share.SubjectOf(events.KindRow, row)}, f.writer.Since())
	must(f.b, err)
	must(f.b, f.writer.Add(rowEvent(f.b, f.share, row)))
	_, err = f.writer.Flush(f.b.Context(), time.Now(), events.StatusData{})
	must(f.b, err)
}

// underWildcard expects the last sequence of the share, as was done before.
func (f *filled) underWildcard() {
	js, err := jetstream.New(f.stream.Conn(), jetstream.WithDefaultTimeout(eventstest.Patience))
	must(f.b, err)
	m := nats.NewMsg(f.share.SubjectOf(events.KindRow, f.row()))
	m.Data = []byte(`{"data":{}}`)
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(f.last, 10))
	m.Header.Set("Nats-Expected-Last-Subject-Sequence-Subject", f.share.SubjectAll())
	ack, err := js.PublishMsg(f.b.Context(), m)
	must(f.b, err)
	f.last = ack.Sequence
}
