package registry_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/freeport"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

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
		test(t, newClusterStore(t))
	})
}

// newClusterStore is a cluster of three servers in this process.
func newClusterStore(t *testing.T) *store {
	t.Helper()
	const nodes = 3
	ports, routes := make([]int, nodes), make([]*url.URL, nodes)
	for i := range nodes {
		ports[i] = freePort(t)
		routes[i] = &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", ports[i])}
	}
	var servers []*server.Server
	for i := range nodes {
		o := &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: ports[i]}, Routes: routes,
		}
		srv, err := server.NewServer(o)
		must(t, err)
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		servers = append(servers, srv)
	}
	if !servers[0].ReadyForConnections(30 * time.Second) {
		t.Fatal("the cluster does not start")
	}
	nc, err := nats.Connect(servers[0].ClientURL())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	eventstest.AwaitNil(t, time.Minute, "the cluster stores something", func() error {
		_, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "ready", Replicas: nodes})
		return err
	})
	must(t, js.DeleteStream(t.Context(), "ready"))
	return &store{nc: nc, master: seal.NewMasterKey(), replicas: nodes}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := freeport.Take()
	must(t, err)
	return port
}
