package broker

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

const (
	accountsDir = "accounts" // in Dir: the claims of all accounts
	claimsExt   = ".jwt"     // of a file there
)

// gateRecord is what a gate needs to know. It stands in the claims of the storage
// account, so that gates open with the server, before anybody puts the accounts.
type gateRecord struct {
	Account string `json:"account"` // public key of the partner's account
	Limits  Limits `json:"limits"`
}

func gateTerms(a Account) (string, error) {
	text, err := json.Marshal(gateRecord{a.PublicKey, a.Limits})
	return string(text), err
}

// gateSigner signs the gate's users in a storage account. It follows from the
// operator's key, so that nothing has to be kept, or be open, to use it.
func (b *Broker) gateSigner(storage string) (nkeys.KeyPair, error) {
	own, err := b.operator.Seed()
	if err != nil {
		return nil, fmt.Errorf("read operator's key: %w", err)
	}
	mac := hmac.New(sha256.New, own)
	mac.Write([]byte("sheetbridge gate v1 " + storage))
	return nkeys.FromRawSeed(nkeys.PrefixByteAccount, mac.Sum(nil))
}

// gateKey is the public key of gateSigner.
func (b *Broker) gateKey(storage string) (string, error) {
	signer, err := b.gateSigner(storage)
	if err != nil {
		return "", err
	}
	defer signer.Wipe()
	return signer.PublicKey()
}

// openGates opens the gates of all partners that the server knows.
func (b *Broker) openGates(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(b.dir, accountsDir, "*"+claimsExt))
	if err != nil {
		return fmt.Errorf("find accounts: %w", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read account: %w", err)
		}
		claims, err := jwt.DecodeAccountClaims(string(text))
		if err != nil {
			return fmt.Errorf("read account %s: %w", filepath.Base(file), err)
		}
		partner, ok := strings.CutSuffix(claims.Name, storageSuffix)
		if !ok {
			continue
		}
		var r gateRecord
		err = json.Unmarshal([]byte(claims.Description), &r)
		if err == nil {
			err = b.openGate(ctx, partner, claims.Subject, r)
		}
		if err != nil { // the others must not wait for it
			b.log.Error("a partner cannot read: its account is not open", "partner", partner, "err", err)
		}
	}
	return nil
}

// openGate opens the gate of a partner, or has an open one keep other limits.
func (b *Broker) openGate(ctx context.Context, partner, storage string, r gateRecord) error {
	b.mu.Lock()
	g := b.gates[storage]
	b.mu.Unlock()
	if g != nil && !g.nc.IsClosed() {
		g.setLimits(r.Limits)
		return nil
	}
	signer, err := b.gateSigner(storage)
	if err != nil {
		return err
	}
	defer signer.Wipe()
	name := "sheetbridge gate of " + partner
	status, err := b.newStatusConn(name+", statuses", storage, signer)
	if err != nil {
		return fmt.Errorf("open gate of partner %s: %w", partner, err)
	}
	nc, err := b.connectSigned(ctx, name, storage, signer, jwt.Permissions{})
	if err != nil {
		return fmt.Errorf("open gate of partner %s: %w", partner, err)
	}
	g = newGate(b, partner, storage, r, nc)
	g.status = status
	if err := g.listen(ctx); err != nil {
		g.close()
		return fmt.Errorf("open gate of partner %s: %w", partner, err)
	}
	old, err := b.setGate(storage, g)
	if err != nil {
		g.close()
		return err
	}
	if old != nil {
		old.close()
	}
	return nil
}

// setGate makes g the gate of the partner, and returns the one before: its connection
// is closed, the rest of it is not.
func (b *Broker) setGate(storage string, g *gate) (old *gate, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errors.New("the server is being closed")
	}
	old = b.gates[storage]
	if old != nil && !old.nc.IsClosed() {
		return nil, errors.New("account is put twice at once")
	}
	b.gates[storage] = g
	return old, nil
}

func (b *Broker) closeGate(storage string) {
	b.mu.Lock()
	g := b.gates[storage]
	delete(b.gates, storage)
	b.mu.Unlock()
	if g != nil {
		g.close()
	}
}

func (g *gate) close() {
	g.stop()
	g.nc.Close()
	g.status.close()
}
