package webhook_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestABackupIsRestored: what was shared goes on from an older copy of the
// store. A pair of tokens that was renewed since is dead there, and the owner is
// asked again.
func TestABackupIsRestored(t *testing.T) {
	c := newConsents(t)
	clock := c.oauth.Now
	again := func() {
		c.start()
		c.oauth = c.authorizing(c.access, clock)
		must(t, c.registrar.Recover(t.Context()))
	}
	c.consent()
	c.share()
	c.stop()
	backup := filepath.Join(t.TempDir(), "backup")
	must(t, os.CopyFS(backup, os.DirFS(c.opts.dir)))

	again()
	c.edit("Done")
	c.stop()
	must(t, os.RemoveAll(c.opts.dir))
	must(t, os.CopyFS(c.opts.dir, os.DirFS(backup)))
	again()
	c.settle()
	c.check("acme") // nothing was renewed meanwhile: it goes on by itself

	c.pass(7 * 24 * time.Hour)
	if _, err := c.client(c.access).Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.stop()
	must(t, os.RemoveAll(c.opts.dir))
	must(t, os.CopyFS(c.opts.dir, os.DirFS(backup)))
	again()
	if _, err := c.client(c.access).Me(t.Context()); smartsheet.Classify(err) != smartsheet.Refused || c.state() != registry.OwnerAuthorize {
		t.Errorf("got %v and owner %s, want refused and authorize", err, c.state())
	}
	c.consent()
	c.settle()
	c.check("acme")
}
