package budget

import (
	"context"
	"encoding/binary"
	"time"
)

// use is the value of one token: its theoretical arrival time, which the limits
// follow from, and what people like to know.
type use struct {
	arrival time.Time
	last    time.Time // when a request was last taken; zero: never
	minute  int64     // the minute since 1970 that taken is about
	taken   uint32
}

func (s *use) count(now time.Time) {
	if minute := now.Unix() / 60; minute != s.minute {
		s.minute, s.taken = minute, 0
	}
	s.taken++
	s.last = now
}

const useSize = 8 + 8 + 8 + 4

func (s *use) bytes() []byte {
	b := make([]byte, 0, useSize)
	b = binary.BigEndian.AppendUint64(b, uint64(s.arrival.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.last.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.minute))
	return binary.BigEndian.AppendUint32(b, s.taken)
}

// parseUse reads a value; what is none is unused.
func parseUse(b []byte) use {
	if len(b) != useSize {
		return use{}
	}
	return use{
		arrival: time.Unix(0, int64(binary.BigEndian.Uint64(b))),
		last:    time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))),
		minute:  int64(binary.BigEndian.Uint64(b[16:])),
		taken:   binary.BigEndian.Uint32(b[24:]),
	}
}

// Usage tells, over all replicas, when the token was last used, zero for not
// within an hour, and how many requests were sent with it in this minute of the
// clock.
func (b *Budget) Usage(ctx context.Context, token string) (last time.Time, minute int, err error) {
	if token == "" {
		return time.Time{}, 0, nil
	}
	s, _, err := b.get(ctx, token)
	if err != nil || s.taken == 0 {
		return time.Time{}, 0, err
	}
	if s.minute == b.now().Unix()/60 {
		minute = int(s.taken)
	}
	return s.last, minute, nil
}
