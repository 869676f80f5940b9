package registry_test

import (
	"os"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/eventstest/natstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

func TestMain(m *testing.M) { os.Exit(natstest.Main(m)) }

// everywhere runs a test on one server, and on a cluster of three with three
// replicas of the bucket.
func everywhere(t *testing.T, test func(t *testing.T, s *store)) {
	t.Helper()
	t.Run("R1", func(t *testing.T) {
		t.Parallel()
		test(t, newStore(t))
	})
	t.Run("R3", func(t *testing.T) {
		t.Parallel()
		test(t, &store{nc: natstest.Three.Connect(t)[0], master: seal.NewMasterKey(), replicas: 3})
	})
}
