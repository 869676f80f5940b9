package relay

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// maxLogged is how many objects a log keeps: those that were compared last.
	maxLogged = 256
	// logPadding is to how many bytes a log is filled up: how many objects were
	// changed that a partner does not see is not the partner's business.
	logPadding = 256
)

// comparedLog is what a status tells other processes: what was compared lately, by
// any of them. Each status carries on what the one before it had, so that the last
// one is enough.
type comparedLog struct {
	from   uint64 // what was compared under this lock and later ones is here
	groups []comparedGroup
}

// comparedGroup are objects that were compared together.
type comparedGroup struct {
	lock    uint64 // that they were compared under
	version int64  // of the sheet
	objects []int64
}

// with is the log with a group more, and without the oldest ones that are too many.
func (l comparedLog) with(g comparedGroup) comparedLog {
	groups := append(append([]comparedGroup(nil), l.groups...), g)
	size := 0
	for i := len(groups) - 1; i >= 0; i-- {
		if size += len(groups[i].objects); size > maxLogged {
			return comparedLog{groups[i].lock + 1, groups[i+1:]}
		}
	}
	return comparedLog{l.from, groups}
}

var errNoLog = errors.New("no list of compared objects")

// encode writes the log as varints, ids in eight bytes.
func (l comparedLog) encode() []byte {
	data := binary.AppendUvarint(nil, l.from)
	data = binary.AppendUvarint(data, uint64(len(l.groups)))
	for _, g := range l.groups {
		data = binary.AppendUvarint(data, g.lock)
		data = binary.AppendVarint(data, g.version)
		data = binary.AppendUvarint(data, uint64(len(g.objects)))
		for _, id := range g.objects {
			data = binary.BigEndian.AppendUint64(data, uint64(id))
		}
	}
	return append(data, make([]byte, logPadding-len(data)%logPadding)...)
}

// logReader reads what encode wrote. After an error it reads zeros.
type logReader struct {
	data []byte
	err  error
}

func (r *logReader) take(n int) {
	if n <= 0 || n > len(r.data) {
		r.data, r.err = nil, errNoLog
		return
	}
	r.data = r.data[n:]
}

func (r *logReader) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	r.take(n)
	return v
}

func (r *logReader) int() int64 {
	v, n := binary.Varint(r.data)
	r.take(n)
	return v
}

// length reads how many things of at least so many bytes follow.
func (r *logReader) length(size int) int {
	n := r.uint()
	if n > uint64(len(r.data)/size) {
		r.err, n = errNoLog, 0
	}
	return int(n)
}

func decodeLog(data []byte) (comparedLog, error) {
	r := &logReader{data: data}
	l := comparedLog{from: r.uint()}
	for range r.length(3) {
		g := comparedGroup{lock: r.uint(), version: r.int()}
		for range r.length(8) {
			g.objects = append(g.objects, int64(binary.BigEndian.Uint64(r.data)))
			r.take(8)
		}
		l.groups = append(l.groups, g)
	}
	return l, r.err
}

// sealLog is the log as a header of a status, which only the bridge can read: rows
// that the partner must not know of are in it.
func (s *shareSync) sealLog(l comparedLog) (string, error) {
	sealed, err := s.relay.Registry.Sealer().Seal(l.encode(), s.logName())
	if err != nil {
		return "", fmt.Errorf("sealing what was compared of share %s: %w", s.share.Key(), err)
	}
	return base64.RawStdEncoding.EncodeToString(sealed), nil
}

func (s *shareSync) openLog(text string) (comparedLog, error) {
	sealed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || text == "" {
		return comparedLog{}, errNoLog
	}
	data, err := s.relay.Registry.Sealer().Open(sealed, s.logName())
	if err != nil {
		return comparedLog{}, err
	}
	return decodeLog(data)
}

func (s *shareSync) logName() string { return "compared/" + s.share.Key() }
