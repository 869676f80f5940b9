package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ServerState is the NATS at the other end of a connection, as far as that can see it.
type ServerState struct {
	Server    string // name of the server connected to
	Version   string
	NewEnough bool          // has all that the bridge uses
	Cluster   string        // name; empty: none
	RTT       time.Duration // there and back
	Time      time.Time     // the server's clock; zero: unknown
	Skew      time.Duration // how far its clock is ahead of ours, as well as RTT tells
	Streams   []StreamState // of the connection's account, buckets too, by name
}

// StreamState is one stream as its servers keep it.
type StreamState struct {
	Name     string
	Memory   bool // lost with the server
	Replicas int  // as configured
	Behind   []string
	Leader   string // empty where there is no cluster, or no leader at the moment
}

// Inspect asks over a connection how the NATS at its other end stands. It needs
// nothing but the account's JetStream.
func Inspect(ctx context.Context, nc *Conn) (*ServerState, error) {
	state := &ServerState{
		Server: nc.ConnectedServerName(), Version: nc.ConnectedServerVersion(), Cluster: nc.ConnectedClusterName(),
		NewEnough: newEnough(nc.ConnectedServerVersion()),
	}
	var err error
	if state.RTT, err = nc.RTT(); err != nil {
		return nil, fmt.Errorf("inspect NATS: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("inspect NATS: %w", err)
	}
	asked := time.Now()
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		if state.Time.IsZero() && !info.TimeStamp.IsZero() {
			now := time.Now()
			state.Time = info.TimeStamp
			state.Skew = info.TimeStamp.Sub(asked.Add(now.Sub(asked) / 2))
		}
		state.Streams = append(state.Streams, streamState(info))
	}
	if err := streams.Err(); err != nil {
		return nil, fmt.Errorf("inspect NATS: list streams: %w", err)
	}
	slices.SortFunc(state.Streams, func(a, b StreamState) int { return strings.Compare(a.Name, b.Name) })
	return state, nil
}

func streamState(info *jetstream.StreamInfo) StreamState {
	s := StreamState{
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
