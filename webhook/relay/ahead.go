package relay

import "iter"

// ahead reads one item further than the caller has come.
func ahead[T any](items iter.Seq2[T, error]) iter.Seq2[T, error] {
	return inOrder([]iter.Seq2[T, error]{items}, 1)
}

// inOrder gives the items of all sequences, of one after the other. Of so many
// sequences at once it reads one item further than the caller has come. After an error
// it begins with no other.
func inOrder[T any](all []iter.Seq2[T, error], atOnce int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var running []*started[T]
		defer func() {
			for _, s := range running {
				s.end()
			}
		}()
		for len(all) > 0 || len(running) > 0 {
			for len(all) > 0 && len(running) < atOnce {
				running, all = append(running, start(all[0])), all[1:]
			}
			for i := range running[0].items {
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
