package broker_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// What was acknowledged is there after the process was killed.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPublishUntilKilled$", "-test.v")
	cmd.Env = append(os.Environ(), "BROKER_TEST_KILL="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for lines := bufio.NewScanner(out); acknowledged < 50 && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "acknowledged %d", &acknowledged)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || acknowledged < 50 {
		t.Fatalf("got %d acknowledged, error %v, want killed after 50", acknowledged, err)
	}

	b := start(t, killOptions(t, dir))
	js, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got < uint64(acknowledged) {
		t.Errorf("got %d messages, want %d that were acknowledged", got, acknowledged)
	}
}

func killOptions(t *testing.T, dir string) broker.Options {
	t.Helper()
	key, _, err := seal.LoadOrCreate(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return broker.Options{Dir: filepath.Join(dir, "nats"), Master: key, Listen: "127.0.0.1:0", MaxStore: 1 << 30}
}

// TestPublishUntilKilled is the process that TestKill kills.
func TestPublishUntilKilled(t *testing.T) {
	dir := os.Getenv("BROKER_TEST_KILL")
	if dir == "" {
		return
	}
	b := start(t, killOptions(t, dir))
	js, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "INBOX", Subjects: []string{"inbox.>"}}); err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		ack, err := js.Publish(t.Context(), "inbox.1", []byte("hint"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("acknowledged", ack.Sequence)
	}
}
