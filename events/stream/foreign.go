package stream

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// macHeader is the header in which a message carries its MAC, where others may
// write to the stream: HMAC-SHA256 over subject and body, base64 without padding.
const macHeader = "Sheetbridge-Mac"

// Foreign is a message that stood in a partner's stream and that the bridge did
// not make, or that cannot be read. It counts as absent and was purged, with what
// stood below it on its subject.
type Foreign struct {
	Subject    string
	Sequence   uint64
	Unreadable bool // else it carried no right MAC, or was sent a second time
}

// ForeignRecorder records each foreign message. It may be called from several
// goroutines.
type ForeignRecorder interface {
	RecordForeign(ctx context.Context, f Foreign)
}

// mac is the MAC of a message under a key.
func mac(key seal.Secret, subject string, body []byte) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(subject + "\n")) // no subject has a line end
	h.Write(body)
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil))
}

// sign gives a message its MAC, where the stream's messages have one.
func (s *Stream) sign(m *nats.Msg) {
	if key := s.options.Key; key != "" {
		m.Header.Set(macHeader, mac(key, m.Subject, m.Data))
	}
}

// genuine tells whether the bridge made the message.
func (s *Stream) genuine(m message) bool {
	key := s.options.Key
	if key == "" {
		return true // nobody else may write
	}
	return !m.replayed && hmac.Equal([]byte(m.mac), []byte(mac(key, m.subject, m.data)))
}

// withoutForeign removes messages that are not genuine from what was read, and
// from the stream.
func (s *Stream) withoutForeign(ctx context.Context, msgs map[string]message) (map[string]message, error) {
	if s.options.Key == "" {
		return msgs, nil
	}
	for subject, m := range msgs {
		if s.genuine(m) {
			continue
		}
		delete(msgs, subject)
		if err := s.removeForeign(ctx, m, false); err != nil {
			return nil, err
		}
	}
	return msgs, nil
}

// removeForeign purges a message that must not be there. What came after it on
// its subject stays.
func (s *Stream) removeForeign(ctx context.Context, m message, unreadable bool) error {
	if s.options.Foreign != nil {
		s.options.Foreign.RecordForeign(ctx, Foreign{Subject: m.subject, Sequence: m.sequence, Unreadable: unreadable})
	}
	if err := s.PurgeBelow(ctx, m.subject, m.sequence+1); err != nil {
		return fmt.Errorf("removing a foreign message: %w", err)
	}
	return nil
}
