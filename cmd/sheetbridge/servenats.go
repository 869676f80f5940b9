package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// retryStartup tries again what fails because a cluster has no leader yet: it does
// not answer then. Nor does it to several replicas that make the same stream at
// once, although it is made; so each try has a part of the time only.
func (s *service) retryStartup(ctx context.Context, open func(context.Context) error) error {
	if s.cfg.NATS.URL == "" {
		return open(ctx)
	}
	for {
		try, cancel := context.WithTimeout(ctx, openTimeout)
		err := open(try)
		cancel()
		if err == nil || !broker.Retriable(err) || ctx.Err() != nil {
			return err
		}
		s.log.Warn("NATS is not ready, trying again", "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second/2 + rand.N(time.Second)):
		}
	}
}

func (s *service) connect(ctx context.Context, master seal.MasterKey) (err error) {
	n := s.cfg.NATS
	if n.URL != "" {
		s.nc, err = broker.Dial(ctx, broker.ExternalOptions{URL: n.URL, Creds: n.Creds, Name: "sheetbridge", TLS: n.trust, Log: s.log})
		if err != nil {
			return fmt.Errorf("connecting to NATS: %w", err)
		}
		return nil
	}
	var secure *tls.Config
	if n.TLS.Cert != "" {
		if secure, err = broker.LoadTLS(n.TLS, s.log); err != nil {
			return fmt.Errorf("reading NATS_TLS_CERT, NATS_TLS_KEY and NATS_CLIENT_CA: %w", err)
		}
	}
	dir := natsDir(s.cfg.DataDir)
	s.storeNew = !broker.Made(dir) && !s.cfg.Temporary
	s.broker, err = broker.Start(ctx, broker.Options{
		Dir: dir, Master: master, OldMaster: s.cfg.OldMaster, Listen: n.Listen, PublicURL: n.PublicURL,
		TLS: secure, AllowPlaintext: n.AllowPlaintext, WebSocketListen: n.WSListen, LeafListen: n.LeafListen, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("starting NATS: %w", err)
	}
	s.nc = s.broker.Bridge()
	if s.store, err = broker.StoreID(dir); err != nil {
		return err
	}
	if s.storeNew {
		s.log.Warn("a new, empty store was made: back it up with its master key. If there was one before, stop the service and restore that", "dataDir", s.cfg.DataDir)
	}
	if s.storeDir, err = os.Stat(dir); err != nil {
		return fmt.Errorf("looking at the store in DATA_DIR: %w", err)
	}
	return nil
}
