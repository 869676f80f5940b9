package relay

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// classifiedError says that a sheet bears a label with which it is not shared.
type classifiedError struct{ label smartsheet.Classification }

func (e *classifiedError) Error() string {
	return fmt.Sprintf("the sheet is classified as %s, and such sheets are not shared", e.label)
}

// versionOrDenied asks for the version of the sheet. A label moves no version, so
// where some are denied it asks for the sheet itself.
func (rd *reader) versionOrDenied(ctx context.Context) (int64, error) {
	if len(rd.deny) == 0 {
		return rd.sheetVersion(ctx)
	}
	columns, err := rd.named(ctx)
	if err != nil {
		return 0, err
	}
	sheet, err := rd.ask(ctx, smartsheet.SheetQuery{ColumnIDs: columns[:1], PageSize: 1})
	if err != nil {
		return 0, err
	}
	return sheet.Version, nil
}

// withhold suspends all shares of a sheet that is denied, and removes what was
// published of its rows. The next pass that finds the label gone loads it again.
func (r *Relay) withhold(ctx context.Context, shares []*shareSync, denied *classifiedError) error {
	var failed error
	for _, s := range shares {
		if err := s.withhold(ctx, denied.Error()); err != nil && ctx.Err() == nil {
			r.Log.LogAttrs(ctx, slog.LevelWarn, "a share of a sheet that is denied could not be suspended yet", slog.String("share", s.share.Key()), slog.Any("err", err))
			failed = err
		}
	}
	return failed
}

func (s *shareSync) withhold(ctx context.Context, reason string) error {
	t := s.target
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.leave()
	if err := s.use(ctx, t.stream); err != nil {
		return err
	}
	if err := s.current(); err != nil {
		return err
	}
	status := s.status(events.StateSuspended, reason)
	status.CompleteTo, status.ReadAt = nil, nil // nothing of it is there any more
	if err := s.underLock(ctx, func() error { return s.flushStatus(ctx, status) }); err != nil {
		return err
	}
	for _, kind := range []events.Kind{events.KindRow, events.KindAttachment, events.KindComment, "write"} {
		if err := t.stream.PurgeBelow(ctx, s.share.SubjectKind(kind), t.writer.Lock()); err != nil {
			return err
		}
	}
	return nil
}
