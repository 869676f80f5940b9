package limits

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	linesBurst = 100
	linesEvery = 200 * time.Millisecond
)

// Lines bounds the lines of the log that strangers cause: 100 at once, and five a
// second from then on. The zero value is ready for use, and nil has no bound.
type Lines struct {
	// LeftOut is called for every line that is left out; nil: not called.
	LeftOut func()

	mu      sync.Mutex
	limiter *rate.Limiter
	left    int
}

// Next tells whether the next line may be written, and what it has to say of those
// before it that were not.
func (l *Lines) Next() ([]slog.Attr, bool) {
	if l == nil {
		return nil, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limiter == nil {
		l.limiter = rate.NewLimiter(rate.Every(linesEvery), linesBurst)
	}
	if !l.limiter.Allow() {
		l.left++
		if l.LeftOut != nil {
			l.LeftOut()
		}
		return nil, false
	}
	left := l.left
	l.left = 0
	if left == 0 {
		return nil, true
	}
	return []slog.Attr{slog.Int("leftOut", left)}, true
}
