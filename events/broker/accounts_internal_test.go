package broker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	eventstream "github.com/sheetbridge/sheetbridge/events/stream"
)

// documented are the permissions that the operators of another NATS are told to
// give: for the bridge, then for partners.
func documented(t *testing.T) (bridge, partner jwt.Permissions) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nats", "accounts.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s)    publish(.*?)\n    subscribe(.*?)\n\n`).FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("got %d lists of permissions, want two", len(blocks))
	}
	for i, p := range []*jwt.Permissions{&bridge, &partner} {
		split := func(list string) []string { return strings.Fields(strings.ReplaceAll(list, ",", " ")) }
		p.Pub.Allow, p.Sub.Allow = split(blocks[i][1]), split(blocks[i][2])
	}
	return bridge, partner
}

func TestDocumentedRoleIsOurs(t *testing.T) {
	_, partner := documented(t)
	scope := readerPermissions("acme", stockAPI)
	for _, p := range []*jwt.Permissions{&partner, &scope} {
		slices.Sort(p.Pub.Allow)
		slices.Sort(p.Sub.Allow)
	}
	if diff := cmp.Diff(scope, partner); diff != "" {
		t.Errorf("permissions (-ours +documented):\n%s", diff)
	}
}

// With the least that operators are told to give, the bridge does all it does.
func TestDocumentedPermissionsDo(t *testing.T) {
	ctx := t.Context()
	b, err := Start(ctx, Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(ctx)
	a, err := NewAccount("acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.PutAccount(ctx, "acme", a); err != nil {
		t.Fatal(err)
	}
	nc, err := Dial(ctx, ExternalOptions{URL: b.URL(), Creds: bridgeCreds(t, a)})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s, err := eventstream.Open(ctx, nc, "acme", eventstream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.Reopen(ctx, eventstream.Options{History: 5}); err != nil {
		t.Fatal(err)
	}
	share := &events.Share{Partner: "acme", Sheet: "orders", SheetID: 7, Region: "us", Revision: 1}
	w := s.NewWriter(share, 0)
	steps := map[string]func() error{
		"begin": func() error {
			return w.Begin(ctx, time.Now(), events.SchemaData{Revision: 1, Schema: share.Schema()}, events.StatusData{})
		},
		"acquire":    func() error { return w.Acquire(ctx, time.Now(), events.StatusData{}) },
		"publish":    func() error { return publish(ctx, w, share) },
		"try":        func() error { return s.Try(ctx) },
		"state":      func() error { _, err := s.State(ctx, share, nil); return err },
		"subjects":   func() error { _, err := s.Subjects(ctx, share.SubjectAll()); return err },
		"first":      func() error { _, err := s.FirstSequence(ctx, share.SubjectAll()); return err },
		"read":       func() error { return s.All(ctx, func(uint64, string, []byte) error { return nil }) },
		"purge":      func() error { return s.PurgeBelow(ctx, share.SubjectAll(), 2) },
		"tombstones": func() error { _, _, err := s.PurgeTombstones(ctx, time.Now(), 0, 10); return err },
		"delete":     func() error { return s.Delete(ctx) },
	}
	for _, name := range []string{"begin", "acquire", "publish", "try", "state", "subjects", "first", "read", "purge", "tombstones", "delete"} {
		if err := steps[name](); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// publish publishes two objects, and more than those in a batch.
func publish(ctx context.Context, w *eventstream.Writer, share *events.Share) error {
	for _, n := range []int64{2, 20} {
		for row := range n {
			e, err := share.ObjectEvent(events.KindRow, row+1, "created", time.Now(), events.ObjectData{})
			if err := errors.Join(err, w.Add(e)); err != nil {
				return err
			}
		}
		if _, err := w.Flush(ctx, time.Now(), events.StatusData{}); err != nil {
			return err
		}
	}
	return nil
}

// bridgeCreds are of a user with the permissions documented for the bridge.
func bridgeCreds(t *testing.T, a Account) seal.Secret {
	t.Helper()
	signer, err := nkeys.FromSeed([]byte(a.StorageSeed))
	if err != nil {
		t.Fatal(err)
	}
	public, text, err := newSeed(nkeys.PrefixByteUser)
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.NewUserClaims(public)
	claims.Permissions, _ = documented(t)
	encoded, err := claims.Encode(signer)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(encoded, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return seal.Secret(creds)
}
