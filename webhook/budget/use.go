package budget

import (
	"context"
	"encoding/binary"
	"time"
)

// use is the value of one token: its theoretical arrival time and its penalty,
// which the limits follow from, and what people like to know.
type use struct {
	arrival time.Time
	penalty time.Time // until then nobody uses the token; in whole seconds; zero: none
	last    time.Time // when a request was last taken; zero: never
	minute  int64     // the minute since 1970 that taken is about
	counted uint32
}

// count counts n requests that are taken now.
func (s *use) count(n int, interval time.Duration, now time.Time) {
	s.arrival = s.arrival.Add(time.Duration(n) * interval)
	if minute := now.Unix() / 60; minute != s.minute {
		s.minute, s.counted = minute, 0
	}
	s.counted += uint32(n)
	s.last = now
}

const useSize = 8 + 8 + 4 + 4 + 4

// bytes encodes the value: two times in nanoseconds, the end of the penalty in seconds,
// the minute, and the requests counted in it.
func (s *use) bytes() []byte {
	b := make([]byte, 0, useSize)
	b = binary.BigEndian.AppendUint64(b, uint64(s.arrival.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.last.UnixNano()))
	b = binary.BigEndian.AppendUint32(b, penaltySeconds(s.penalty))
	b = binary.BigEndian.AppendUint32(b, uint32(s.minute))
	return binary.BigEndian.AppendUint32(b, s.counted)
}

// penaltySeconds is a penalty's end in seconds since 1970, rounded up; 0 for none.
func penaltySeconds(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(t.Add(time.Second - 1).Unix())
}

// parseUse reads a value; what is none is unused.
func parseUse(b []byte) use {
	if len(b) != useSize {
		return use{}
	}
	s := use{
		arrival: time.Unix(0, int64(binary.BigEndian.Uint64(b))),
		last:    time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))),
		minute:  int64(binary.BigEndian.Uint32(b[20:])),
		counted: binary.BigEndian.Uint32(b[24:]),
	}
	if seconds := binary.BigEndian.Uint32(b[16:]); seconds > 0 {
		s.penalty = time.Unix(int64(seconds), 0)
	}
	return s
}

// Usage tells, over all replicas, when the token was last used, zero for not
// within an hour, and how many requests were taken for it in this minute of the
// clock.
func (b *Budget) Usage(ctx context.Context, token string) (last time.Time, minute int, err error) {
	if token == "" {
		return time.Time{}, 0, nil
	}
	s, _, err := b.get(ctx, token)
	if err != nil || s.counted == 0 {
		return time.Time{}, 0, err
	}
	if s.minute == b.now().Unix()/60 {
		minute = int(s.counted)
	}
	return s.last, minute, nil
}
