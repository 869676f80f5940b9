package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Try does once what the bridge does with the stream all the time, and changes
// nothing in it: a publish that the stream must refuse for what it expects, a
// read of a subject without messages, a purge of nothing. Its error says what
// the connection's credentials do not allow. Only a publish shows that publishing
// is allowed: it reaches those who subscribe to smartsheet.<partner>.> without the
// stream, as an empty message on smartsheet.<partner>.check. A stream that was just made
// in a cluster has no leader for a moment, and nobody answers: then it tries again.
func (s *Stream) Try(ctx context.Context) error {
	subject := "smartsheet." + s.partner + ".check"
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m := nats.NewMsg(subject)
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(math.MaxInt64, 10))
	err := untilAnswered(ctx, func() error { _, err := s.request(ctx, m); return err })
	if !errors.Is(err, ErrLostRace) {
		return tried("publish smartsheet."+s.partner+".>", err)
	}
	request := struct {
		Last []string `json:"multi_last"`
	}{[]string{subject}}
	err = untilAnswered(ctx, func() error { _, err := s.directGet(ctx, request, 1, func(message) {}); return err })
	if err != nil && !errors.Is(err, errNone) {
		return tried("publish $JS.API.DIRECT.GET."+Name, err)
	}
	if err := untilAnswered(ctx, func() error { return s.PurgeBelow(ctx, subject, 1) }); err != nil {
		return tried("publish $JS.API.STREAM.PURGE."+Name, err)
	}
	return nil
}

// answerPause is how long to wait before somebody is asked again who was not there.
const answerPause = 100 * time.Millisecond

// untilAnswered tries as long as nobody is there who answers.
func untilAnswered(ctx context.Context, try func() error) error {
	for {
		err := try()
		if !errors.Is(err, nats.ErrNoResponders) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(answerPause):
		}
	}
}

// tried tells what the credentials must allow where a try was not answered, and
// the server's words where it was.
func tried(must string, err error) error {
	if err == nil {
		return errors.New("trying the stream: it stores what it must refuse")
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
		return fmt.Errorf("trying the stream: no answer; the credentials must allow to %s: %w", must, err)
	}
	return fmt.Errorf("trying the stream: %w", err)
}
