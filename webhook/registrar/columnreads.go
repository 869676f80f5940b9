package registrar

import (
	"context"

	"golang.org/x/sync/singleflight"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// columnReads has the columns of a sheet read once for many callers who ask at the same
// time. A caller who asks while they are read waits for the next reading, so that an
// answer is never older than the question.
type columnReads struct {
	reading singleflight.Group
	busy    keyedMutex // by sheet, of the reading under way
}

// read returns the sheet as the function reads it after this call. The result is
// shared and must not be changed.
func (c *columnReads) read(ctx context.Context, key string, read func(context.Context) (*smartsheet.Sheet, error)) (*smartsheet.Sheet, error) {
	result := c.reading.DoChan(key, func() (any, error) {
		ctx := context.WithoutCancel(ctx) // others may wait for it when this caller has hung up
		done, err := c.busy.lock(ctx, key)
		if err != nil {
			return nil, err
		}
		defer done()
		c.reading.Forget(key) // from now on callers get the next reading
		ctx, cancel := context.WithTimeout(ctx, cleanupTime)
		defer cancel()
		return read(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		sheet, _ := r.Val.(*smartsheet.Sheet)
		return sheet, r.Err
	}
}
