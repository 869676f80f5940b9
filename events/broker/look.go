package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Look is what a connection can see of the NATS at its other end.
type Look struct {
	Server    string // name of the server connected to
	Version   string
	NewEnough bool          // has all that the bridge uses
	Cluster   string        // name; empty: none
	RTT       time.Duration // there and back
	Time      time.Time     // the server's clock; zero: unknown
	Skew      time.Duration // how far its clock is ahead of ours, as well as RTT tells
	Streams   []StreamLook  // of the connection's account, buckets too, by name
}

// StreamLook is one stream as its servers keep it.
type StreamLook struct {
	Name     string
	Memory   bool // lost with the server
	Replicas int  // as configured
	Behind   []string
	Leader   string // empty where there is no cluster, or no leader at the moment
}

// LookAt asks over a connection how the NATS at its other end stands. It needs
// nothing but the account's JetStream.
func LookAt(ctx context.Context, nc *Conn) (*Look, error) {
	look := &Look{
		Server: nc.ConnectedServerName(), Version: nc.ConnectedServerVersion(), Cluster: nc.ConnectedClusterName(),
		NewEnough: newEnough(nc.ConnectedServerVersion()),
	}
	var err error
	if look.RTT, err = nc.RTT(); err != nil {
		return nil, fmt.Errorf("look at NATS: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("look at NATS: %w", err)
	}
	asked := time.Now()
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		if look.Time.IsZero() && !info.TimeStamp.IsZero() {
			now := time.Now()
			look.Time = info.TimeStamp
			look.Skew = info.TimeStamp.Sub(asked.Add(now.Sub(asked) / 2))
		}
		look.Streams = append(look.Streams, streamLook(info))
	}
	if err := streams.Err(); err != nil {
		return nil, fmt.Errorf("look at NATS: list streams: %w", err)
	}
	slices.SortFunc(look.Streams, func(a, b StreamLook) int { return strings.Compare(a.Name, b.Name) })
	return look, nil
}

func streamLook(info *jetstream.StreamInfo) StreamLook {
	s := StreamLook{
		Name: info.Config.Name, Memory: info.Config.Storage == jetstream.MemoryStorage, Replicas: max(1, info.Config.Replicas),
	}
	if info.Cluster == nil {
		return s
	}
	s.Leader = info.Cluster.Leader
	for _, peer := range info.Cluster.Replicas {
		if peer.Offline || !peer.Current {
			s.Behind = append(s.Behind, peer.Name)
		}
	}
	return s
}
