package relay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var logFields = cmp.Options{cmp.AllowUnexported(comparedLog{}, comparedGroup{}), cmpopts.EquateEmpty()}

func TestComparedLog(t *testing.T) {
	l := comparedLog{from: 7}
	for i := range uint64(3) {
		l = l.with(comparedGroup{lock: 10 + i, version: int64(100 + i), objects: []int64{int64(i), childrenOf(5), everyChild}})
	}
	got, err := decodeLog(l.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, got, logFields); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	many := make([]int64, maxLogged-4)
	for _, tt := range []struct {
		add  int
		from uint64
		left int
	}{{len(many), 12, 2}, {maxLogged, 21, 1}, {maxLogged + 1, 21, 0}} {
		more := l.with(comparedGroup{lock: 20, version: 200, objects: make([]int64, tt.add)})
		if tt.add == maxLogged {
			tt.from = 13
		}
		if more.from != tt.from || len(more.groups) != tt.left {
			t.Errorf("with %d more: got %d groups since lock %d, want %d since %d", tt.add, len(more.groups), more.from, tt.left, tt.from)
		}
	}
}

func FuzzDecodeLog(f *testing.F) {
	l := comparedLog{from: 7, groups: []comparedGroup{{lock: 8, version: 9, objects: []int64{1, -2}}}}
	f.Add(l.encode())
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := decodeLog(data)
		if err != nil {
			return
		}
		again, err := decodeLog(l.encode())
		if diff := cmp.Diff(l, again, logFields); err != nil || diff != "" {
			t.Errorf("read back: error %v (-want +got):\n%s", err, diff)
		}
	})
}
