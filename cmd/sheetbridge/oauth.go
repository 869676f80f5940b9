package main

import (
	"context"
	"errors"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// oauthConfig is the app that owners consent to; without an id there is none.
type oauthConfig struct {
	ClientID string
	Secret   seal.Secret
}

func (s *settings) oauth(w *wrong) oauthConfig {
	secret, ok := s.secret(w, "OAUTH_CLIENT_SECRET", s.OAuthClientSecret, s.OAuthClientSecretFile)
	c := oauthConfig{ClientID: s.OAuthClientID, Secret: secret}
	switch {
	case !ok:
	case c.ClientID == "" && c.Secret == "":
	case c.ClientID == "":
		w.add("OAUTH_CLIENT_ID", errors.New("is missing beside OAUTH_CLIENT_SECRET: set both, or neither"))
	case c.Secret == "":
		w.add("OAUTH_CLIENT_SECRET", errors.New("is missing beside OAUTH_CLIENT_ID: set both, or neither"))
	case s.PublicURL == "":
		w.add("PUBLIC_URL", errors.New("is required for OAuth: Smartsheet sends browsers back to it, followed by "+owner.ConsentPath))
	}
	return c
}

// oauth is nil where no app is configured.
func (s *service) oauth() *owner.OAuth {
	if s.cfg.OAuth.ClientID == "" {
		return nil
	}
	return &owner.OAuth{
		Access: s.access, ClientID: s.cfg.OAuth.ClientID, Secret: s.cfg.OAuth.Secret, Log: s.log, Wake: s.owners.Wake,
	}
}

// logEntry writes the hash of an audit entry to the log: who keeps the logs can tell
// that the chain was cut off or begun again.
func (s *service) logEntry(e audit.Entry) {
	s.log.Info("audit entry", "sequence", e.Sequence, "hash", e.Hash, "what", e.What, "outcome", e.Outcome, "who", e.Who, "request", e.Request)
}

// auditChange keeps what the registry tells in the audit log.
func (s *service) auditChange(ctx context.Context, n registry.Change) error {
	if err := s.audit.Append(ctx, n.What, n.On, audit.Changed, n.Details); err != nil {
		return err
	}
	s.noticeOf(ctx, n)
	return nil
}
