package main

import (
	"context"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	// gcPercent makes the heap grow by half of what is live before it is collected:
	// the embedded NATS server works with large buffers that live for moments only.
	gcPercent = 50
	// startGCPercent lets the heap grow while the process starts: what is read then
	// stays, and there is little else.
	startGCPercent = 800
	// returnEvery is how often memory that is not used is given back, returnOver how
	// much that must be at least while the process works, in bytes.
	returnEvery = 5 * time.Second
	returnOver  = 32 << 20
	// settleFor is how many times all is collected once the process has become quiet:
	// the embedded NATS server lets go of its buffers some 10 s after it used them.
	settleFor = 4
)

// setGC sets how much the heap may grow before memory is collected, unless the
// environment says so.
func setGC(percent int) {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(percent)
	}
}

// returnMemory gives memory back to the system that the process had for a load and
// does not use any more, until the context ends. The runtime does so by itself,
// over many minutes, and collects nothing for two minutes when it has nothing to do.
func returnMemory(ctx context.Context) error {
	tick := time.NewTicker(returnEvery)
	defer tick.Stop()
	known := collections() // that were seen, or were made here
	settled := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		working := collections() != known
		switch {
		case working:
			settled = 0
		case settled < settleFor:
			settled++
		default:
			continue
		}
		if !working || unused() > returnOver {
			collect()
		}
		known = collections()
	}
}

// collect collects all and gives it back. What a cache keeps weakly goes to a pool
// at the first collection, and pools let go of what they keep at the second one after.
func collect() {
	for range 3 {
		debug.FreeOSMemory()
	}
}

// collections is how often the heap has been collected so far.
func collections() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	runtimemetrics.Read(sample)
	return sample[0].Value.Uint64()
}

// unused is how much memory the process has that holds nothing it needs now: free
// pages and objects that nothing refers to, in bytes.
func unused() uint64 {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	runtimemetrics.Read(samples)
	n := samples[0].Value.Uint64() + samples[1].Value.Uint64()
	if objects, live := samples[2].Value.Uint64(), samples[3].Value.Uint64(); objects > live {
		n += objects - live
	}
	return n
}
