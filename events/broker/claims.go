package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
)

// Readers and the stream live in different accounts. NATS checks the subject of
// a publish and never its reply subject, so that who may ask JetStream anything
// in the stream's account can have the answer stored in the stream. The partner's
// account therefore has no JetStream: it imports the calls that read, and what
// they answer with. Its mapping of stockAPI to readAPI lets stock clients ask
// under stock names; without it the server's own import would answer.
const (
	stockAPI = "$JS.API."
	readAPI  = "_READ.API." // in the partner's account: where its users' requests go
	// What the gate takes in the storage account, see [gate]. It comes there as
	// messages of streams and not as requests of services: for those the server keeps
	// where each answer goes, up to maxControlLine bytes, until it is answered.
	gateAPI  = "_GATE.API."
	pullCall = "CONSUMER.MSG.NEXT." + stream + "." // how a client asks a consumer for messages
	gatePull = "_GATE.PULL."
	gateAcks = "_GATE.JS." // acknowledgements
)

// How long the server remembers where an answer goes, where there is no gate. Pulls
// wait for messages; one that waits longer needs heartbeats, which clients ask for by
// themselves.
const (
	pullThreshold   = time.Minute
	answerThreshold = 10 * time.Second
)

// readingCall is a call of JetStream that a partner's users may make.
type readingCall struct {
	name  string // what follows stockAPI
	pulls bool   // it asks a consumer for messages
	many  bool   // with several answers
}

func readingCalls() []readingCall {
	return []readingCall{
		{name: "INFO"},
		{name: "STREAM.NAMES"},
		{name: "STREAM.LIST"},
		{name: "STREAM.INFO." + stream},
		{name: "STREAM.MSG.GET." + stream},
		{name: "CONSUMER.NAMES." + stream},
		{name: "CONSUMER.LIST." + stream},
		{name: "CONSUMER.CREATE." + stream},
		{name: "CONSUMER.CREATE." + stream + ".>"},
		{name: "CONSUMER.DURABLE.CREATE." + stream + ".>"},
		{name: "CONSUMER.INFO." + stream + ".>"},
		{name: "CONSUMER.DELETE." + stream + ".>"},
		{name: pullCall + ">", pulls: true, many: true},
		{name: "DIRECT.GET." + stream, many: true},
		{name: "DIRECT.GET." + stream + ".>"},
	}
}

// acknowledgements are what a reader says to a consumer: that it has a message,
// in both forms, and that it keeps up. All begin with saidPrefix.
func acknowledgements() []string {
	return []string{"$JS.ACK." + stream + ".>", "$JS.ACK.*.*." + stream + ".>", "$JS.FC." + stream + ".>", "$JS.FC.*.*." + stream + ".>"}
}

const ackPrefix = "$JS."

// deliveries are where the partner's account takes what the storage account
// publishes: live events, push consumers, copies by mirror and by source. Where
// there is a gate, what it was asked is answered there too.
func deliveries(partner string, gated bool) []string {
	list := []string{"smartsheet." + partner + ".>", inboxes + ">", "$JS.M.>", "$JS.S.>"}
	if gated {
		list = append(list, leafInboxes+">")
	}
	return list
}

func (c readingCall) threshold() time.Duration {
	if c.pulls {
		return pullThreshold
	}
	return answerThreshold
}

// passage is what the gate takes: a subject in the partner's account, and the one
// under which the storage account imports it.
type passage struct{ from, to string }

func passages() (list []passage) {
	for _, call := range readingCalls() {
		if call.pulls {
			list = append(list, passage{readAPI + call.name, gatePull + ">"})
			continue
		}
		list = append(list, passage{readAPI + call.name, gateAPI + call.name})
	}
	for _, kind := range []string{"ACK.>", "FC.>"} {
		list = append(list, passage{ackPrefix + kind, gateAcks + kind})
	}
	return list
}

// export exports from the storage account what the partner's account imports.
// No activation token is asked for: the operator alone makes accounts, and none
// other imports from here.
func export(c *jwt.AccountClaims, partner string, gated bool) {
	for _, subject := range deliveries(partner, gated) {
		c.Exports.Add(&jwt.Export{Subject: jwt.Subject(subject), Type: jwt.Stream})
	}
	if gated {
		return
	}
	for _, call := range readingCalls() {
		e := &jwt.Export{Subject: jwt.Subject(stockAPI + call.name), Type: jwt.Service, ResponseThreshold: call.threshold()}
		if call.many {
			e.ResponseType = jwt.ResponseTypeStream
		}
		c.Exports.Add(e)
	}
	for _, subject := range acknowledgements() {
		c.Exports.Add(&jwt.Export{Subject: jwt.Subject(subject), Type: jwt.Service, ResponseThreshold: answerThreshold})
	}
}

// importFrom has the partner's account import that, and map stock names to it.
func importFrom(c *jwt.AccountClaims, storage, partner string, gated bool) {
	for _, subject := range deliveries(partner, gated) {
		c.Imports.Add(&jwt.Import{Account: storage, Type: jwt.Stream, Subject: jwt.Subject(subject)})
	}
	for _, api := range []jwt.Subject{stockAPI, domainAPI} { // as clients name it, and as the partner's own servers do
		c.AddMapping(api+">", jwt.WeightedMapping{Subject: readAPI + ">", Weight: 100})
	}
	if gated {
		for _, p := range passages() {
			c.Exports.Add(&jwt.Export{Subject: jwt.Subject(p.from), Type: jwt.Stream})
		}
		return
	}
	for _, call := range readingCalls() {
		c.Imports.Add(&jwt.Import{
			Account: storage, Type: jwt.Service, Subject: jwt.Subject(stockAPI + call.name),
			LocalSubject: jwt.RenamingSubject(readAPI + call.name),
		})
	}
	for _, subject := range acknowledgements() {
		c.Imports.Add(&jwt.Import{Account: storage, Type: jwt.Service, Subject: jwt.Subject(subject)})
	}
}

// storageClaims describe to the server the account with the stream.
func (a Account) storageClaims(partner, gateKey string) (*jwt.AccountClaims, error) {
	public, err := publicKey(a.StorageSeed)
	if err != nil {
		return nil, err
	}
	if public != a.StorageKey {
		return nil, errors.New("seed of the storage account is of another account")
	}
	c := jwt.NewAccountClaims(a.StorageKey)
	c.Name = partner + storageSuffix
	c.Limits.AccountLimits.DisallowBearer = true
	c.Limits.JetStreamLimits = a.storageLimits()
	if gateKey != "" {
		c.SigningKeys.Add(gateKey)
		if c.Description, err = gateTerms(a); err != nil {
			return nil, err
		}
		for _, p := range passages() {
			c.Imports.Add(&jwt.Import{Account: a.PublicKey, Type: jwt.Stream, Subject: jwt.Subject(p.from), LocalSubject: jwt.RenamingSubject(p.to)})
		}
	}
	export(c, partner, gateKey != "")
	if a.Writes {
		exportWrites(c, partner)
	}
	return c, nil
}

// storageSuffix ends the name of a storage account; no partner's name has a dot.
const storageSuffix = ".storage"

// readerClaims describe to the server the account with the partner's
// users.
func (a Account) readerClaims(partner string, gated bool) (*jwt.AccountClaims, error) {
	if public, err := publicKey(a.Seed); err != nil {
		return nil, err
	} else if public != a.PublicKey {
		return nil, errors.New("account's seed is of another account")
	}
	signing, err := publicKey(a.SigningSeed)
	if err != nil {
		return nil, err
	}
	c := jwt.NewAccountClaims(a.PublicKey)
	c.Name = partner
	limits := a.Limits.Effective()
	c.Limits.AccountLimits = jwt.AccountLimits{
		Imports: jwt.NoLimit, Exports: jwt.NoLimit, WildcardExports: true,
		Conn: int64(limits.Connections), LeafNodeConn: int64(limits.LeafNodes), DisallowBearer: true,
	}
	scope := readerScope(partner, signing, a.Limits, a.Sources)
	if a.Writes {
		allowWrites(scope, partner)
	}
	c.SigningKeys.AddScopedSigner(scope)
	leaf, err := leafScope(a.Seed, a.Sources)
	if err != nil {
		return nil, err
	}
	c.SigningKeys.AddScopedSigner(leaf)
	importFrom(c, a.StorageKey, partner, gated)
	if a.Writes {
		importWrites(c, a.StorageKey, partner)
	}
	for user := range a.Revocations {
		// For ever, whatever the clock was when it was made: a key is of one user.
		c.RevokeAt(user, time.Unix(1<<40, 0))
	}
	return c, nil
}

// claims are those of the account with the stream, then those of the one with
// the readers, which refer to the first. GateKey is the public key that signs the
// gate's users; without one there is no gate.
func (a Account) claims(partner, gateKey string) ([]*jwt.AccountClaims, error) {
	if err := checkPartner(partner); err != nil {
		return nil, err
	}
	storage, err := a.storageClaims(partner, gateKey)
	if err != nil {
		return nil, err
	}
	readers, err := a.readerClaims(partner, gateKey != "")
	if err != nil {
		return nil, err
	}
	return []*jwt.AccountClaims{storage, readers}, nil
}

// readerPermissions are what a partner's users may do where the API is reached
// under the prefix: read the partner's subjects and the stream, by consumers of
// their own too, and nothing else. Permissions are judged after the account's
// mapping.
func readerPermissions(partner, api string) (p jwt.Permissions) {
	p.Sub.Allow.Add("smartsheet."+partner+".>", "_INBOX.>")
	for _, call := range readingCalls() {
		p.Pub.Allow.Add(api + call.name)
	}
	p.Pub.Allow.Add("$JS.ACK."+stream+".>", "$JS.ACK.*.*."+stream+".>", "$JS.FC."+stream+".>")
	return p
}

// readerScope is what users signed with the key may do, and from which networks;
// none are all. Nobody else lives in the
// account, so their consumers bother only themselves.
func readerScope(partner, key string, l Limits, sources []string) *jwt.UserScope {
	s := jwt.NewUserScope()
	s.Key = key
	s.Role = "partner"
	l = l.Effective()
	s.Template.Src.Add(sources...)
	s.Template.Subs = int64(l.Subscriptions)
	s.Template.Payload = l.Payload
	s.Template.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket)
	s.Template.Permissions = readerPermissions(partner, readAPI)
	return s
}

// ownAccount is one of the bridge's own two accounts, where only it connects.
func ownAccount(s string, name string, js jwt.JetStreamLimits) (*jwt.AccountClaims, error) {
	public, err := publicKey(seed(s))
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", name, err)
	}
	c := jwt.NewAccountClaims(public)
	c.Name = name
	c.Limits.JetStreamLimits = js
	return c, nil
}
