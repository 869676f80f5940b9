package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// secretKey begins the keys of secrets that the bridge made for itself.
const secretKey = "secret."

// secret is such a secret.
type secret struct {
	Name  string      `json:"name"`
	Value seal.Sealed `json:"value"`
}

func (s *secret) fields() []field { return []field{{&s.Value, s.SealName("value")}} }

// SealName is the name under which a field of the secret is sealed.
func (s *secret) SealName(field string) string { return "secret/" + s.Name + "/" + field }

func idsOf(masters []seal.MasterKey) []string {
	ids := make([]string, len(masters))
	for i, m := range masters {
		ids[i] = m.ID()
	}
	return ids
}

// Secret returns 32 bytes that stay the same when the master key is changed. At
// first they are what the master key gives for the purpose.
func (r *Registry) Secret(ctx context.Context, name, purpose string) ([]byte, error) {
	s := &secret{Name: name}
	for range attempts {
		value, _, err := r.fresh(ctx, secretKey+name)
		if err == nil {
			if err := json.Unmarshal(value, s); err != nil {
				return nil, fmt.Errorf("reading secret %s: %w", name, err)
			}
			return r.Sealer().Open(s.Value, s.SealName("value"))
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err := r.makeSecret(ctx, s, purpose); err != nil && !errors.Is(err, ErrExists) && !errors.Is(err, ErrConflict) {
			return nil, fmt.Errorf("making secret %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("making secret %s: %w", name, ErrConflict)
}

func (r *Registry) makeSecret(ctx context.Context, s *secret, purpose string) error {
	keyset, _, err := r.fresh(ctx, keysetKey)
	if err != nil {
		return err
	}
	master, err := r.keys.masterOf(keyset)
	if err != nil {
		return err
	}
	if s.Value, err = r.Sealer().Seal(master.Derive(purpose, 32), s.SealName("value")); err != nil {
		return err
	}
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = r.put(ctx, secretKey+s.Name, value, 0)
	return err
}

// ErrOneMaster says that the keyset is under the one master key that there is.
var ErrOneMaster = errors.New("there is no old master key, and the keyset is under the one there is")

// RotateMaster brings the keyset from the old master key under the new one, as soon
// as every replica has both, and returns their number. Nothing is unreadable at any
// moment: the keyset is one record, and until it changes the old key opens it. Where
// it is under the new one already, nothing is done; ErrOneMaster says that nothing
// was to be done.
func (r *Registry) RotateMaster(ctx context.Context) (replicas int, err error) {
	if len(r.keys.masters) == 1 {
		return 0, ErrOneMaster
	}
	if replicas, err = r.awaitMaster(ctx, r.keys.masters[0].ID()); err != nil {
		return 0, err
	}
	return replicas, r.Rewrap(ctx)
}

// Rewrap is RotateMaster for the only process that there is.
func (r *Registry) Rewrap(ctx context.Context) error {
	master := r.keys.masters[0]
	for range attempts {
		value, revision, err := r.fresh(ctx, keysetKey)
		if err != nil {
			return err
		}
		under, err := r.keys.masterOf(value)
		if err != nil || under == master {
			return err
		}
		wrapped, err := seal.Rewrap(under, master, value)
		if err != nil {
			return err
		}
		stored, err := r.kv.Update(ctx, keysetKey, wrapped, revision)
		if stream.LostRace(err) {
			continue
		}
		if err != nil {
			return err
		}
		return r.keys.load(wrapped, stored)
	}
	return ErrConflict
}

func (r *Registry) awaitMaster(ctx context.Context, id string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, replicasTime)
	defer cancel()
	return r.awaitEach(ctx, "lacks the new master key", func(its replica) bool { return slices.Contains(its.Masters, id) })
}
