package relay

import (
	"context"
	"iter"
)

// ahead reads one item further than the caller has come.
func ahead[T any](ctx context.Context, items func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return inOrder(ctx, []func(context.Context) iter.Seq2[T, error]{items}, 1)
}

// inOrder gives the items of all sequences, of one after the other. It reads up to
// atOnce sequences at the same time, each one item ahead of the caller; only the first
// one until that has given its first item. It begins with none after an error. When the
// caller has enough, the context of those that are being read ends.
func inOrder[T any](ctx context.Context, all []func(context.Context) iter.Seq2[T, error], atOnce int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		rest, running, most := all, []*started[T](nil), 1
		startMore := func() {
			for len(rest) > 0 && len(running) < most {
				running, rest = append(running, start(rest[0](ctx))), rest[1:]
			}
		}
		defer func() {
			cancel()
			for _, s := range running {
				s.end()
			}
		}()
		for startMore(); len(running) > 0; startMore() {
			for i := range running[0].items {
				if i.err == nil {
					most = atOnce
					startMore()
				}
				if !yield(i.value, i.err) || i.err != nil {
					return
				}
			}
			running = running[1:]
		}
	}
}

// started is a sequence that is read by a goroutine of its own.
type started[T any] struct {
	items chan item[T]
	stop  chan struct{}
}

type item[T any] struct {
	value T
	err   error
}

func start[T any](items iter.Seq2[T, error]) *started[T] {
	s := &started[T]{make(chan item[T]), make(chan struct{})}
	go func() {
		defer close(s.items)
		for v, err := range items {
			select {
			case s.items <- item[T]{v, err}:
			case <-s.stop:
				return
			}
		}
	}()
	return s
}

// end returns when the reader has ended.
func (s *started[T]) end() {
	close(s.stop)
	for range s.items {
	}
}
