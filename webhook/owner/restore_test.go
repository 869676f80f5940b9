package owner_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestABackupIsRestored: what was shared goes on from an older copy of the
// store. A pair of tokens that was renewed since is dead there, and the owner is
// asked again.
func TestABackupIsRestored(t *testing.T) {
	c := newConsents(t)
	clock := c.oauth.Now
	again := func() {
		c.Start()
		c.oauth = c.authorizing(c.Access, clock)
		webhooktest.Must(t, c.Registrar.Recover(t.Context()))
	}
	c.consent()
	c.share()
	c.Stop()
	backup := filepath.Join(t.TempDir(), "backup")
	webhooktest.Must(t, os.CopyFS(backup, os.DirFS(c.Opts.Dir)))

	again()
	c.edit("Done")
	c.Stop()
	webhooktest.Must(t, os.RemoveAll(c.Opts.Dir))
	webhooktest.Must(t, os.CopyFS(c.Opts.Dir, os.DirFS(backup)))
	again()
	c.Settle()
	c.Check("acme") // nothing was renewed meanwhile: it goes on by itself

	c.pass(7 * 24 * time.Hour)
	if _, err := c.client(c.Access).Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Stop()
	webhooktest.Must(t, os.RemoveAll(c.Opts.Dir))
	webhooktest.Must(t, os.CopyFS(c.Opts.Dir, os.DirFS(backup)))
	again()
	_, refusal := c.client(c.Access).Me(t.Context())
	if smartsheet.Classify(refusal) != smartsheet.Refused || c.state() != registry.OwnerAuthorize {
		t.Errorf("got %v and owner %s, want refused and authorize", refusal, c.state())
	}
	jane, err := c.Registry.FreshOwner(t.Context(), "jane")
	webhooktest.Must(t, err)
	// A pass that found the same says so too, and must not hide that only a consent helps.
	if suspended, err := c.Access.Suspend(t.Context(), jane, refusal); err != nil || !suspended || c.state() != registry.OwnerAuthorize {
		t.Errorf("got %t, %v and owner %s of a refusal that is known, want true and authorize", suspended, err, c.state())
	}
	c.consent()
	c.Settle()
	c.Check("acme")
}
