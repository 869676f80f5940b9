package broker

import "github.com/nats-io/jwt/v2"

// WritesStorage is how many bytes a partner's writes may take while they wait, beside
// the stream of its events.
const WritesStorage = 16 << 20

// writesRoom is what the account sets aside for them: the server counts more for a
// message than its bytes.
const writesRoom = WritesStorage + 4<<20

// writeSubjects cover all that a partner's users may publish to have something
// written.
func writeSubjects(partner string) string { return "write." + partner + ".>" }

// storageLimits are those of the account with the partner's streams.
func (a Account) storageLimits() jwt.JetStreamLimits {
	limits := a.Limits.Effective()
	js := jwt.JetStreamLimits{DiskStorage: limits.Storage, Consumer: int64(limits.Consumers), Streams: 1}
	if !a.Writes {
		return js
	}
	js.Streams++
	if js.DiskStorage > 0 {
		js.DiskStorage += writesRoom
	}
	if js.Consumer > 0 {
		js.Consumer++ // the bridge's
	}
	return js
}

// exportWrites lets what is published to the write subjects in the partner's account
// into the account with the stream, and the stream's acknowledgement out. It is a
// service: the server itself makes up the subject of the answer, so that whatever
// the publisher names as reply is a subject in the partner's account, never in that
// of the streams.
func exportWrites(c *jwt.AccountClaims, partner string) {
	c.Exports.Add(&jwt.Export{Subject: jwt.Subject(writeSubjects(partner)), Type: jwt.Service, ResponseThreshold: answerThreshold})
}

func importWrites(c *jwt.AccountClaims, storage, partner string) {
	c.Imports.Add(&jwt.Import{Account: storage, Type: jwt.Service, Subject: jwt.Subject(writeSubjects(partner))})
}

// allowWrites lets each user that the scope is for publish writes under its own
// name: the server puts that in when the user connects.
func allowWrites(s *jwt.UserScope, partner string) {
	s.Template.Permissions.Pub.Allow.Add("write." + partner + ".*.{{name()}}")
}
