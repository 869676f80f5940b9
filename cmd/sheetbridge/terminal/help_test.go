package terminal

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReflow(t *testing.T) {
	const text = `Share columns and rows of a sheet.
It is registered first. It calls
a service.

Usage:
  sheetbridge shares add PARTNER [flags]

Examples:
  sheetbridge shares add acme --owner ops  --name orders

Available Commands:
  nats-accounts Make the accounts of a cluster

Global Flags:
      --name name   the partner's name for the sheet
`
	const want = `Share columns and rows of a sheet. It is
registered first. It calls a service.

Usage:
  sheetbridge shares add PARTNER [flags]

Examples:
  sheetbridge shares add acme --owner ops  --name orders

Available Commands:
  nats-accounts Make the accounts of a
                cluster

Global Flags:
      --name name   the partner's name
                    for the sheet
`
	if diff := cmp.Diff(want, Reflow(text, 40)); diff != "" {
		t.Errorf("40 characters (-want +got):\n%s", diff)
	}
}
