package registry_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestMembersOfANewerVersion: a replica that changes a record keeps what a newer
// one has stored in it.
func TestMembersOfANewerVersion(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := loaded(t, s)
	ctx := t.Context()
	kv := bucket(t, s)
	must(t, r.CreateOwner(ctx, &registry.Owner{Name: "ops"}))
	must(t, r.CreatePartner(ctx, &registry.Partner{Name: "acme"}))
	must(t, r.CreateShares(ctx, sharesOf("one", "orders")))
	reg := registered(t, r, 7)
	sequence := uint64(1)
	epoch := func() {
		t.Helper()
		_, err := r.Epoch(ctx, "acme", func(context.Context) (registry.Sighting, error) {
			sequence++
			return registry.Sighting{Sequence: sequence}, nil
		})
		must(t, err)
	}
	epoch()
	for name, tt := range map[string]struct {
		key     string
		known   string // a member that this version can change and leave out
		rewrite func() error
	}{
		"owner": {"owner.ops", "reason", func() error {
			return r.UpdateOwner(ctx, "ops", func(o *registry.Owner) error { o.Reason = ""; return nil })
		}},
		"partner": {"partner.acme", "history", func() error {
			return r.UpdatePartner(ctx, "acme", func(p *registry.Partner) error { p.History = 0; return nil })
		}},
		"registration": {"webhook." + reg.ID, "reason", func() error {
			_, err := r.UpdateRegistration(ctx, reg.ID, func(reg *registry.Registration) error { reg.Reason = ""; return nil })
			return err
		}},
		"share": {"share.acme.orders", "where", func() error {
			_, err := r.UpdateShare(ctx, "acme", "orders", func(s *registry.Share) error { s.Where = ""; return nil })
			return err
		}},
		"epoch": {"epoch.acme", "", func() error { epoch(); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			entry, err := kv.Get(ctx, tt.key)
			must(t, err)
			var record map[string]any
			must(t, json.Unmarshal(entry.Value(), &record))
			record["ofNext"] = map[string]any{"id": "9007199254740993"}
			switch tt.known {
			case "":
			case "history":
				record[tt.known] = 5
			default:
				record[tt.known] = "true"
			}
			text, err := json.Marshal(record)
			must(t, err)
			_, err = kv.Put(ctx, tt.key, text)
			must(t, err)
			must(t, tt.rewrite())
			entry, err = kv.Get(ctx, tt.key)
			must(t, err)
			var now map[string]json.RawMessage
			must(t, json.Unmarshal(entry.Value(), &now))
			if got := string(now["ofNext"]); got != `{"id":"9007199254740993"}` {
				t.Errorf("got %q of what a newer version stored in %s, want it kept", got, entry.Value())
			}
			if _, there := now[tt.known]; there && tt.known != "" {
				t.Errorf("got %s, want %s removed, as it was changed", entry.Value(), tt.known)
			}
		})
	}
}
