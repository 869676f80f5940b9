package inbox

import "context"

// maxMessages is how many messages are held before what waits is stored again.
const maxMessages = 1024

// backing is what the hint that waits for a key was in.
type backing struct {
	task task
	from []*message
}

// compact stores what waits again, merged, and removes the messages that it was
// in. Else a few registrations that wait for long would hold on to every bundle
// with a hint of theirs, until no more may be handed out. What waits keeps its
// turn; the new bundle comes here like any other and is merged with it.
func (d *dispatcher) compact(ctx context.Context) {
	list := d.detach()
	hints := make([]*Hint, len(list))
	for i, b := range list {
		hints[i] = b.task.hint.clone()
	}
	err := d.in.storeBundles(ctx, hints)
	if err != nil && ctx.Err() == nil {
		d.workers.Log.Warn("inbox: cannot merge waiting hints", "err", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compacting = false
	for _, b := range list {
		if err == nil {
			d.done(b.from)
		} else {
			d.addTask(b.task, b.from...)
		}
	}
	d.compactAt = max(maxMessages, 2*len(d.held))
	d.dispatch(ctx)
}

// detach returns copies of the hints that wait, and the messages that they were
// in, which the hints here are no longer counted on.
func (d *dispatcher) detach() []backing {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []backing
	for k, it := range d.items {
		if it.hint != nil {
			list = append(list, backing{task{k, it.hint.clone()}, it.from})
			it.from = nil
		}
	}
	return list
}

// tooMany returns whether so many messages are held that their hints are to be
// stored again, merged. d.mu is held.
func (d *dispatcher) tooMany() bool { return !d.compacting && len(d.held) >= d.compactAt }
