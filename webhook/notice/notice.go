// Package notice sends people what needs a person: each condition once, as a signed
// request (Standard Webhooks) with a CloudEvent to an address of theirs. A notice is kept
// in the registry until it was accepted, for a day; it has no cell's value and no secret.
package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	sendTime  = 15 * time.Second // bounds one try
	firstWait = 5 * time.Second  // between the first two tries; twice as long each time
	maxWait   = time.Hour
	giveUp    = 24 * time.Hour
	sendEvery = time.Second // how often the sender checks what is due
	maxOpen   = 1000        // notices that wait or whose cause goes on
	maxAnswer = 4 << 10     // bytes read of an answer

	sendersAtOnce = 8  // how many receivers at once
	roundNotices  = 20 // notices to one receiver before the others have their turn again
)

// Condition is something that needs a person as long as it goes on.
type Condition struct {
	Key    string // names it: owner-refused.ops
	Type   string // of the event, without its beginning: owner.refused
	On     string // what it is about: ops
	Detail string // what is wrong
	Next   string // what to do
	Link   string // path in the console, such as /#/owners/ops; empty: none
	To     string // partner that is told at its contact; empty: A, at NOTIFY_URL
}

// Conditions are what is known of conditions at one time.
type Conditions struct {
	Holds   []Condition
	Ended   map[string]Condition // by key, what is sent when a condition that was sent has ended
	Unknown map[string]bool      // keys of conditions that may hold or not
}

// Sender sends what needs a person. Its fields are not changed once it is in use.
type Sender struct {
	Registry *registry.Registry
	URL      string      // where to; empty: nowhere
	Secret   seal.Secret // whsec_…
	Console  string      // base URL of the console, for links
	Version  string
	Log      *slog.Logger

	client, contacts http.Client
}

// CheckSecret tells why a text is no secret of Standard Webhooks.
func CheckSecret(secret seal.Secret) error {
	key, found := strings.CutPrefix(string(secret), "whsec_")
	raw, err := decodeKey(key)
	if !found || err != nil || len(raw) < 24 || len(raw) > 64 {
		return errors.New("want whsec_ and base64 of 24 to 64 random bytes, such as whsec_$(openssl rand -base64 32)")
	}
	return nil
}

// Observe takes the conditions that hold now. New ones are sent; those that have ended
// are forgotten, and sent again when they come back.
func (s *Sender) Observe(ctx context.Context, now Conditions) error {
	known := map[string]*registry.Notice{}
	for _, n := range s.Registry.Notices() {
		known[n.Key] = n
	}
	var errs []error
	for _, c := range now.Holds {
		if !s.reaches(c.To) {
			continue
		}
		if known[c.Key] == nil && len(known) < maxOpen {
			errs = append(errs, s.add(ctx, c, false))
		}
	}
	for key, n := range known {
		holds := slices.ContainsFunc(now.Holds, func(c Condition) bool { return c.Key == key })
		if holds || now.Unknown[key] || n.Once || !n.NextTry.IsZero() && n.Tries == 0 { // the first try comes first
			continue
		}
		if ended, ok := now.Ended[key]; ok && n.NextTry.IsZero() {
			errs = append(errs, s.replaceByEnd(ctx, n, ended))
			continue
		}
		if err := s.Registry.DeleteNotice(ctx, n); err != nil && !errors.Is(err, registry.ErrConflict) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Send sends that something happened, once.
func (s *Sender) Send(ctx context.Context, c Condition) error {
	if !s.reaches(c.To) {
		return nil
	}
	return s.add(ctx, c, true)
}

// replaceByEnd puts a notice that the condition has ended in the place of the notice that
// it had begun: so only one replica sends it, and the condition is sent again only after it.
func (s *Sender) replaceByEnd(ctx context.Context, n *registry.Notice, ended Condition) error {
	made, err := s.notice(ended, true)
	if err != nil {
		return err
	}
	err = s.Registry.UpdateNotice(ctx, n.Key, func(now *registry.Notice) error {
		if now.ID != n.ID {
			return errTaken
		}
		made.Key, made.Revision = now.Key, now.Revision
		*now = *made
		return nil
	})
	if errors.Is(err, errTaken) || errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// add stores a notice, unless another replica has.
func (s *Sender) add(ctx context.Context, c Condition, once bool) error {
	n, err := s.notice(c, once)
	if err != nil {
		return err
	}
	err = s.Registry.CreateNotice(ctx, n)
	if errors.Is(err, registry.ErrExists) {
		return nil
	}
	return err
}

// notice makes the notice of a condition.
func (s *Sender) notice(c Condition, once bool) (*registry.Notice, error) {
	at := time.Now().UTC()
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	data := map[string]string{"on": c.On, "detail": c.Detail, "next": c.Next}
	if c.Link != "" {
		data["link"] = strings.TrimSuffix(s.Console, "/") + c.Link
	}
	event := map[string]any{
		"specversion": "1.0", "id": id.String(), "source": "/sheetbridge", "type": "sheetbridge.notice." + c.Type,
		"subject": c.On, "time": at.Format(time.RFC3339Nano), "datacontenttype": "application/json",
		"data": data,
	}
	body, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	return &registry.Notice{Key: c.Key, ID: id.String(), Body: body, Made: at, NextTry: at, Once: once, To: c.To}, nil
}

// Run sends what is to be sent until the context ends.
func (s *Sender) Run(ctx context.Context) error {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client = http.Client{Timeout: sendTime, CheckRedirect: stay}
	inside := guarded()
	s.contacts = http.Client{Timeout: sendTime, CheckRedirect: stay, Transport: inside}
	defer s.client.CloseIdleConnections()
	defer inside.CloseIdleConnections()
	for {
		s.sendDue(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(sendEvery):
		}
	}
}

// sendDue sends what is due, to all receivers side by side: an address that does not
// answer holds up nobody else.
func (s *Sender) sendDue(ctx context.Context) {
	due := map[string][]*registry.Notice{}
	for _, n := range s.Registry.Notices() {
		if !n.NextTry.IsZero() && !time.Now().Before(n.NextTry) {
			due[n.To] = append(due[n.To], n)
		}
	}
	var g errgroup.Group
	g.SetLimit(sendersAtOnce)
	for _, list := range due {
		g.Go(func() error {
			for _, n := range list[:min(len(list), roundNotices)] {
				s.try(ctx, n)
			}
			return nil
		})
	}
	_ = g.Wait() // they return none
}

// errTaken says that another replica sends the notice, or did.
var errTaken = errors.New("another one sends it")

// try sends a notice. The time of the next try is stored first, so that replicas do not
// all send it.
func (s *Sender) try(ctx context.Context, n *registry.Notice) {
	err := s.Registry.UpdateNotice(ctx, n.Key, func(now *registry.Notice) error {
		if now.ID != n.ID || now.Tries != n.Tries || now.NextTry.IsZero() {
			return errTaken
		}
		now.Tries++
		now.NextTry = time.Now().UTC().Add(min(firstWait<<min(n.Tries, 16), maxWait))
		return nil
	})
	if err != nil {
		return // with the next round
	}
	err = s.send(ctx, n)
	gone := errors.Is(err, errGone)
	late := err != nil && time.Since(n.Made) > giveUp
	switch {
	case gone:
	case err != nil && !late:
		s.Log.LogAttrs(ctx, slog.LevelWarn, "a notice was not accepted and will be sent again", slog.String("notice", n.Key), slog.Int("tries", n.Tries+1), slog.Any("err", err))
		return
	case late:
		s.Log.LogAttrs(ctx, slog.LevelError, "a notice was not accepted for a day and is given up: check SHEETBRIDGE_NOTIFY_URL, or the partner's contact", slog.String("notice", n.Key), slog.Any("err", err))
	}
	if err := s.markSent(ctx, n); err != nil && ctx.Err() == nil {
		s.Log.Warn("could not store that a notice was sent: it may be sent twice", "notice", n.Key, "err", err)
	}
}

// markSent stores that a notice needs no further try.
func (s *Sender) markSent(ctx context.Context, n *registry.Notice) error {
	var now *registry.Notice
	err := s.Registry.UpdateNotice(ctx, n.Key, func(stored *registry.Notice) error {
		stored.NextTry = time.Time{}
		now = stored
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) || err != nil || !now.Once {
		return err
	}
	for _, stored := range s.Registry.Notices() {
		if stored.Key == n.Key {
			return s.Registry.DeleteNotice(ctx, stored)
		}
	}
	return nil
}

// send posts the notice, signed.
func (s *Sender) send(ctx context.Context, n *registry.Notice) error {
	address, secret, err := s.destination(n.To)
	if err != nil {
		return err
	}
	client := &s.client
	if n.To != "" {
		client = &s.contacts
	}
	signer, err := standardwebhooks.NewWebhook(string(secret))
	if err != nil {
		return errors.New("the secret cannot be used")
	}
	at := time.Now()
	signature, err := signer.Sign(n.ID, at, n.Body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(n.Body))
	if err != nil {
		return errors.New("the address is none")
	}
	req.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	req.Header.Set("User-Agent", "Sheetbridge/"+s.Version)
	req.Header.Set(standardwebhooks.HeaderWebhookID, n.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(at.Unix()))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address may have a secret in it
		}
		return err
	}
	defer resp.Body.Close() // what matters of it was read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it was answered %s", resp.Status)
	}
	return nil
}
