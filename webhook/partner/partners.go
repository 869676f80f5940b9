package partner

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// dialTimeout bounds the connection to a partner's NATS.
	dialTimeout = 3 * time.Second
	// circuitOpenTime is how long a partner that failed is left alone before it is tried
	// again, which nobody waits for.
	circuitOpenTime = 5 * time.Second
)

// ErrNoBroker says that an account cannot be minted since NATS is not ours.
var ErrNoBroker = errors.New("NATS is external: the partner's account must be given with url and credentials")

// Partners holds the bridge's connection to each partner's stream.
type Partners struct {
	Registry *registry.Registry
	Broker   *broker.Broker // nil: NATS is external
	Replicas int
	Store    string      // names the embedded server's store, see broker.StoreID
	TLS      *tls.Config // to accounts at another NATS; nil trusts the system's authorities
	Audit    *audit.Log  // has an entry for what others wrote to a partner's stream; nil: none
	Log      *slog.Logger
	Changed  chan<- struct{} // signalled when a partner begins or stops to fail; nil: nobody listens

	NotReadingAfter time.Duration // how long a partner may read nothing although there is something; 0: for ever

	mu       sync.Mutex
	open     map[string]*partnerStream
	failures map[string]shareFailure     // by share
	loads    map[string]Progress         // by share
	foreign  map[string]*foreignMessages // by partner
}

// partnerStream is one partner's stream, opened when it is first needed.
type partnerStream struct {
	health
	epoch knownEpoch

	mu     sync.Mutex // held while it is opened
	from   string     // what the connection was made from
	stream *stream.Stream
	close  func()

	purging  sync.Mutex // over what is below
	purgedTo uint64     // sequence where the next sweep goes on; 0: at the beginning
	purgedAt time.Time  // when all of the stream was looked at
}

// Stream returns the partner's stream. A partner that cannot be reached costs
// its own callers a few seconds once, and nobody else; until it is back they are
// told ErrCircuitOpen at once.
func (p *Partners) Stream(ctx context.Context, partner *registry.Partner) (*stream.Stream, error) {
	ps := p.slot(partner.Name)
	from := partner.Account.ID() + partner.External.ID()
	if err := p.circuitOpen(ctx, partner, ps, from); err != nil {
		return nil, err
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if err := p.circuitOpen(ctx, partner, ps, from); err != nil { // it failed for another
		return nil, err
	}
	st, err := p.stream(ctx, partner, ps, from)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) { // who asked hung up, which tells nothing of the partner
		return nil, err
	}
	if ps.health.record(from, err) {
		p.notify()
	}
	return st, err
}

func (p *Partners) stream(ctx context.Context, partner *registry.Partner, ps *partnerStream, from string) (*stream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	options, err := p.streamOptions(partner)
	if err != nil {
		return nil, err
	}
	if ps.stream != nil && ps.from == from {
		if err := ps.stream.Connected(); err != nil {
			return nil, err
		}
		if !ps.health.takeStale() && ps.stream.Options() == options {
			return ps.stream, nil
		}
		st, err := ps.stream.Reopen(ctx, options)
		if err != nil {
			ps.health.setStale()
			return nil, err
		}
		ps.stream = st
		return st, nil
	}
	ps.drop()
	st, closing, err := p.Dial(ctx, partner)
	if err != nil {
		return nil, err
	}
	ps.from, ps.stream, ps.close = from, st, closing
	return st, nil
}

func (p *Partners) slot(name string) *partnerStream {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[string]*partnerStream{}
	}
	ps := p.open[name]
	if ps == nil {
		ps = &partnerStream{}
		p.open[name] = ps
	}
	return ps
}

func (ps *partnerStream) drop() {
	if ps.close != nil {
		ps.close()
	}
	ps.stream, ps.close, ps.from = nil, nil, ""
	ps.health.forget()
}

// streamOptions say how the partner's stream is to be kept. Where its NATS is not
// ours others may write to it, so messages carry a MAC there.
func (p *Partners) streamOptions(partner *registry.Partner) (stream.Options, error) {
	o := stream.Options{Replicas: p.Replicas, History: partner.History, Foreign: p.foreignOf(partner.Name)}
	if partner.Account != nil {
		o.Storage = partner.Limits.Effective().Storage
		return o, nil
	}
	key, err := p.Registry.Sealer().Open(partner.MaskKey, partner.SealName("maskKey"))
	if err != nil {
		return o, fmt.Errorf("opening the key of partner %s: %w", partner.Name, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("sheetbridge event mac v1"))
	o.Key = seal.Secret(mac.Sum(nil))
	return o, nil
}

// epochTime is how long the epoch of a stream is taken to go on without looking.
const epochTime = 10 * time.Second

// Epoch names the incarnation of the partner's stream. Lock is the sequence of a
// share's last status: where it is lower than one that was seen before, the stream
// was restored from an older copy.
func (p *Partners) Epoch(ctx context.Context, partner string, s *stream.Stream, lock uint64) (string, error) {
	known := &p.slot(partner).epoch
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.stream == s && lock >= known.lock && time.Since(known.at) < epochTime {
		return known.name, nil
	}
	at := time.Now()
	name, err := p.Registry.Epoch(ctx, partner, func(ctx context.Context) (registry.Sighting, error) {
		sequence, err := s.LastSequence(ctx)
		seen := registry.Sighting{Created: s.Created(), Sequence: sequence}
		if record := p.Registry.Partner(partner); record != nil && record.External == nil {
			seen.Store = p.Store
		}
		return seen, err
	})
	if err != nil {
		return "", err
	}
	known.stream, known.name, known.at, known.lock = s, name, at, lock
	return name, nil
}

// knownEpoch is the epoch of a stream as it was when that was last looked at.
type knownEpoch struct {
	mu     sync.Mutex
	stream *stream.Stream
	name   string
	at     time.Time
	lock   uint64 // highest sequence of a status then
}

// Forget closes the connection to the partner.
func (p *Partners) Forget(name string) {
	ps := p.slot(name)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.drop()
}

// forgetRemoved closes the connections to partners that are not there any more,
// and forgets the failures of their shares: another replica may have removed them.
func (p *Partners) forgetRemoved() {
	p.mu.Lock()
	names := slices.Collect(maps.Keys(p.open))
	p.mu.Unlock()
	for _, name := range names {
		if p.Registry.Partner(name) == nil {
			p.Forget(name)
		}
	}
	shares := map[string]bool{}
	for _, s := range p.Registry.AllShares() {
		shares[s.Key()] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.foreign, func(partner string, _ *foreignMessages) bool { return p.Registry.Partner(partner) == nil })
	maps.DeleteFunc(p.failures, func(share string, _ shareFailure) bool { return !shares[share] })
	maps.DeleteFunc(p.loads, func(share string, _ Progress) bool { return !shares[share] })
}

// Close closes all connections.
func (p *Partners) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ps := range p.open {
		ps.health.stop()
		ps.mu.Lock()
		ps.drop()
		ps.mu.Unlock()
	}
}

// Dial connects to the partner's account and opens the stream there.
func (p *Partners) Dial(ctx context.Context, partner *registry.Partner) (*stream.Stream, func(), error) {
	if partner.External != nil {
		return p.dialExternal(ctx, partner)
	}
	if p.Broker == nil || partner.Account == nil {
		return nil, nil, fmt.Errorf("partner %s: %w", partner.Name, ErrNoBroker)
	}
	account, err := p.Account(partner)
	if err != nil {
		return nil, nil, err
	}
	nc, err := p.Broker.Connect(ctx, partner.Name, account)
	if err != nil {
		return nil, nil, err
	}
	return p.openStream(ctx, nc, partner)
}

// openStream opens the partner's stream over a connection, which it closes where
// that fails.
func (p *Partners) openStream(ctx context.Context, nc *broker.Conn, partner *registry.Partner) (*stream.Stream, func(), error) {
	options, err := p.streamOptions(partner)
	var st *stream.Stream
	if err == nil {
		st, err = stream.Open(ctx, nc, partner.Name, options)
	}
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return st, nc.Close, nil
}

func (p *Partners) dialExternal(ctx context.Context, partner *registry.Partner) (*stream.Stream, func(), error) {
	creds, err := p.Registry.Sealer().OpenString(partner.External.Credentials, partner.SealName("credentials"))
	if err != nil {
		return nil, nil, err
	}
	nc, err := broker.Dial(ctx, broker.ExternalOptions{
		URL: partner.External.URL, Creds: seal.Secret(creds), Name: "sheetbridge to " + partner.Name, TLS: p.TLS, Log: p.Log,
	})
	if err != nil {
		return nil, nil, err
	}
	return p.openStream(ctx, nc, partner)
}

// Account returns the partner's account with its keys open.
func (p *Partners) Account(partner *registry.Partner) (broker.Account, error) {
	account := broker.Account{
		PublicKey: partner.Account.PublicKey, StorageKey: partner.Account.StorageKey,
		Limits: partner.Limits, Sources: partner.Sources, Revocations: map[string]bool{},
		Writes: p.TakesWrites(partner.Name),
	}
	for _, f := range sealedSeeds(partner.Account, &account) {
		text, err := p.Registry.Sealer().OpenString(*f.sealed, partner.SealName(f.name))
		if err != nil {
			return broker.Account{}, fmt.Errorf("opening the account of partner %s: %w", partner.Name, err)
		}
		*f.seed = seal.Secret(text)
	}
	for user := range partner.Revoked {
		account.Revocations[user] = true
	}
	return account, nil
}

// sealedSeed is a seed of an account, sealed in a record and open.
type sealedSeed struct {
	name   string // under which it is sealed
	sealed *seal.Sealed
	seed   *seal.Secret
}

func sealedSeeds(record *registry.Account, account *broker.Account) []sealedSeed {
	return []sealedSeed{
		{"seed", &record.Seed, &account.Seed},
		{"signingSeed", &record.SigningSeed, &account.SigningSeed},
		{"storageSeed", &record.StorageSeed, &account.StorageSeed},
	}
}

// PutAccounts makes the accounts of all partners known to the embedded server,
// which may have been restored from an older copy.
func (p *Partners) PutAccounts(ctx context.Context) error {
	if p.Broker == nil {
		return nil
	}
	for _, partner := range p.Registry.Partners() {
		if partner.Account == nil {
			continue
		}
		account, err := p.Account(partner)
		if err == nil {
			err = p.Broker.PutAccount(ctx, partner.Name, account)
		}
		if err != nil { // concerns this partner alone, and is reported by each of its passes
			p.Log.Error("cannot set up a partner's NATS account", "partner", partner.Name, "err", err)
		}
	}
	return nil
}
