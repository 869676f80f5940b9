package webhooktest

import (
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Limit changes how much a partner may store.
func (b *Bridge) Limit(name string, storage int64) {
	b.T.Helper()
	Must(b.T, b.Registry.UpdatePartner(b.T.Context(), name, func(p *registry.Partner) error {
		p.Limits.Storage = storage
		return nil
	}))
	p := b.Registry.Partner(name)
	account, err := b.Partners.Account(p)
	Must(b.T, err)
	Must(b.T, b.Broker.PutAccount(b.T.Context(), name, account))
	_, err = b.Partners.Stream(b.T.Context(), p)
	Must(b.T, err)
}
