package relay

import (
	"context"
	"sync"
	"time"
)

// paceFactor is how many times as long as the slowest of the others a share may take.
const paceFactor = 4

// pace is how long shares take for a step of a pass.
type pace struct {
	mu      sync.Mutex
	done    int
	slowest time.Duration // of those that are done
}

func (p *pace) finished(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.slowest = max(p.slowest, took)
}

// limit is how long another share may take: not longer than patience, nor than a
// few times what the others took, which are slow too where the machine is busy.
// There is none as long as nobody waits.
func (p *pace) limit(patience time.Duration) (limit time.Duration, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(patience, paceFactor*p.slowest), p.done > 0
}

// watch ends a step when it has taken longer than the pace of the others allows.
func (p *pace) watch(ctx context.Context, patience time.Duration, end func()) {
	startedAt, timer := time.Now(), time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		limit, waiting := p.limit(patience)
		left := limit - time.Since(startedAt)
		if waiting && left <= 0 {
			end()
			return
		}
		timer.Reset(max(left, patience/10))
	}
}
