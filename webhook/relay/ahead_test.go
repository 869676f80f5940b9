package relay

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
)

// TestReadAhead: when the one who takes pages stops early, nothing goes on reading.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	for stopAt := range 4 {
		ended, made := false, 0
		for n := range ahead(t.Context(), sequence(func(yield func(int, error) bool) {
			defer func() { ended = true }()
			for made = range 3 {
				if !yield(made, nil) {
					return
				}
			}
		})) {
			if n == stopAt {
				break
			}
		}
		if !ended { // no race: it ends before ahead does
			t.Errorf("the reader goes on after its caller stopped at %d", stopAt)
		}
		if made > stopAt+1 {
			t.Errorf("%d items were made for a caller that stopped at %d", made+1, stopAt)
		}
	}
}

// TestInOrder: items come in the order of their sequences, of which only so many are
// read at once, and none is begun after an error; all have ended with the last item.
func TestInOrder(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, failing := range []int{-1, 0, 3, 6} {
		var running, most, begun atomic.Int64
		var all []func(context.Context) iter.Seq2[int, error]
		for n := range 7 {
			all = append(all, sequence(func(yield func(int, error) bool) {
				for now := running.Add(1); ; {
					if was := most.Load(); now <= was || most.CompareAndSwap(was, now) {
						break
					}
				}
				begun.Add(1)
				defer running.Add(-1)
				if n == failing {
					yield(0, broken)
					return
				}
				_ = yield(10*n, nil) && yield(10*n+1, nil)
			}))
		}
		var got []int
		var err error
		for v, e := range inOrder(t.Context(), all, 2) {
			if err = e; err == nil {
				got = append(got, v)
			}
		}
		var want []int
		complete := 7
		if failing >= 0 {
			complete = failing
		}
		for n := range complete {
			want = append(want, 10*n, 10*n+1)
		}
		if !slices.Equal(got, want) || (failing >= 0) != errors.Is(err, broken) {
			t.Errorf("number %d fails: got %v, %v, want %v", failing, got, err, want)
		}
		if most.Load() > 2 || running.Load() != 0 || begun.Load() > int64(complete)+2 {
			t.Errorf("number %d fails: %d were read at once, %d still are, %d of %d were begun", failing, most.Load(), running.Load(), begun.Load(), complete)
		}
	}
}

// TestInOrderBegins: nothing is begun with before the first item has come, and what is
// under way when the caller has enough is told so.
func TestInOrderBegins(t *testing.T) {
	t.Parallel()
	var came atomic.Bool
	told := make(chan bool, 1)
	all := []func(context.Context) iter.Seq2[int, error]{
		sequence(func(yield func(int, error) bool) {
			came.Store(true)
			yield(1, nil)
		}),
		func(ctx context.Context) iter.Seq2[int, error] {
			if !came.Load() {
				t.Error("the second sequence was begun before the first had given anything")
			}
			return func(func(int, error) bool) {
				<-ctx.Done()
				told <- true
			}
		},
	}
	for range inOrder(t.Context(), all, 2) {
		break
	}
	if len(told) != 1 {
		t.Error("the second sequence had not ended when the caller went on")
	}
}

func sequence(items iter.Seq2[int, error]) func(context.Context) iter.Seq2[int, error] {
	return func(context.Context) iter.Seq2[int, error] { return items }
}
