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
	// returnEvery is how often memory that is not used is given back, returnOver how
	// much that must be at least, in bytes.
	returnEvery = 15 * time.Second
	returnOver  = 32 << 20
)

// setGC sets how often memory is collected, unless the environment says so.
func setGC() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// returnMemory gives memory back to the system that the process had for a load and
// does not use any more, until the context ends. The runtime does so by itself,
// over many minutes.
func returnMemory(ctx context.Context) error {
	tick := time.NewTicker(returnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if unused() > returnOver {
			debug.FreeOSMemory()
			debug.FreeOSMemory() // pools let go of what they keep at the second collection
		}
	}
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
