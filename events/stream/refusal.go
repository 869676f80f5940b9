package stream

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Codes by which a server refuses a message for want of space.
const (
	errCodeAccountExceeded       = 10002
	errCodeInsufficientResources = 10023
	errCodeStorageExceeded       = 10047
	errCodeStoreFailed           = 10077
)

// LostRace tells whether a server refused a message since another sequence than
// the expected one stands on its subject: somebody else was faster. One server
// answers with code 10071, a cluster with 10071 or 10164; nats.go's own errors know
// the first alone.
func LostRace(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// refusal says what a stream's refusal means to a Writer.
func refusal(e *jetstream.APIError) error {
	if LostRace(e) {
		return fmt.Errorf("%w: %w", ErrLostRace, e)
	}
	switch e.ErrorCode {
	case errCodeAccountExceeded, errCodeInsufficientResources, errCodeStorageExceeded, errCodeStoreFailed:
		return fmt.Errorf("%w: %w", ErrFull, e)
	}
	return e
}
