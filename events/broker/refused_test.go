package broker_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

// apiError is why the API of JetStream refuses a request, empty where it does not.
func apiError(t *testing.T, nc *nats.Conn, call string, body []byte) string {
	t.Helper()
	m, err := nc.Request("$JS.API."+call, body, wait)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error == nil {
		return ""
	}
	return answer.Error.Description
}

// TestConsumersThatAreRefused: what would cost the server memory or time that no
// limit of the account bounds.
func TestConsumersThatAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	long := "smartsheet.acme" + strings.Repeat(".a", 16)
	for name, tt := range map[string]struct {
		config map[string]any
		want   string // in the error; empty: it is made
	}{
		"plain":                     {map[string]any{"ack_policy": "explicit", "ack_wait": time.Second, "backoff": []time.Duration{time.Second}}, ""},
		"a filter of many tokens":   {map[string]any{"filter_subject": long}, "a filter has"},
		"filters of many tokens":    {map[string]any{"filter_subjects": []string{"smartsheet.acme.>", long}}, "a filter has"},
		"a long filter":             {map[string]any{"filter_subject": "smartsheet.acme." + strings.Repeat("a", 600)}, "a filter has"},
		"a short wait":              {map[string]any{"ack_policy": "explicit", "ack_wait": 1}, "ack_wait"},
		"a short backoff":           {map[string]any{"ack_policy": "explicit", "backoff": []int{1}}, "backoff"},
		"direct":                    {map[string]any{"ack_policy": "none", "direct": true, "deliver_subject": "_INBOX.x"}, "direct and sourcing"},
		"sourcing":                  {map[string]any{"ack_policy": "none", "sourcing": true, "deliver_subject": "_INBOX.x"}, "direct and sourcing"},
		"a group without acks":      {map[string]any{"ack_policy": "none", "deliver_subject": "_INBOX.x", "deliver_group": "g"}, "deliver_group"},
		"unlimited, not to be told": {map[string]any{"ack_policy": "none", "max_ack_pending": -1, "deliver_subject": "_INBOX.x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tt.config["name"] = "c"
			body, err := json.Marshal(map[string]any{"stream_name": "EVENTS", "config": tt.config})
			if err != nil {
				t.Fatal(err)
			}
			got := apiError(t, nc, "CONSUMER.CREATE.EVENTS.c", body)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got error %q, want %q", got, tt.want)
			}
			if tt.want == "" {
				if got := apiError(t, nc, "CONSUMER.DELETE.EVENTS.c", nil); got != "" {
					t.Fatal(got)
				}
			}
		})
	}
	large := []byte(`{"seq":1}` + strings.Repeat(" ", 200<<10))
	for _, call := range []string{"STREAM.MSG.GET.EVENTS", "DIRECT.GET.EVENTS"} {
		if got := apiError(t, nc, call, large); !strings.Contains(got, "more than") {
			t.Errorf("%s with a body of 200 KiB: got error %q", call, got)
		}
	}
}

// TestLeafSubscribesToLittle: what a partner's server subscribes to is bounded.
func TestLeafSubscribesToLittle(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.LeafListen = "127.0.0.1:0"
	b := start(t, o)
	p := newPartner(t, b, "acme")
	creds, _, err := p.account.MintLeaf("leaf", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(b.LeafURL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(c)
	lines.Scan()
	var info struct{ Nonce string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines.Text(), "INFO ")), &info); err != nil {
		t.Fatal(err)
	}
	text, err := jwt.ParseDecoratedJWT([]byte(creds))
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwt.ParseDecoratedUserNKey([]byte(creds))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign([]byte(info.Nonce))
	if err != nil {
		t.Fatal(err)
	}
	connect, err := json.Marshal(map[string]any{
		"jwt": text, "sig": base64.RawURLEncoding.EncodeToString(signature), "name": "theirs", "version": "2.15.2", "headers": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	fmt.Fprintf(&all, "CONNECT %s\r\n", connect)
	for n := range 500 {
		fmt.Fprintf(&all, "LS+ $JS.S.%d\r\n", n)
	}
	if _, err := c.Write([]byte(all.String())); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if strings.Contains(lines.Text(), "maximum subscriptions exceeded") {
			return
		}
	}
	t.Errorf("500 subscriptions of a leaf node were taken: %v", lines.Err())
}

// TestClosedAfterAccountsThatFailed: a gate that did not open keeps nothing open.
func TestClosedAfterAccountsThatFailed(t *testing.T) {
	t.Parallel()
	b, err := broker.Start(t.Context(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 { // some fail at each step
		a, err := broker.NewAccount("acme")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1000+i*200)*time.Microsecond)
		_ = b.PutAccount(ctx, fmt.Sprintf("p%d", i), a)
		cancel()
	}
	closed := make(chan error, 1)
	go func() { closed <- b.Close(t.Context()) }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(wait):
		t.Error("the server does not close")
	}
}

// TestDeletedWithoutStorage: an account that was made before there were two goes.
func TestDeletedWithoutStorage(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	a, err := broker.NewAccount("acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteAccount(t.Context(), broker.Account{PublicKey: a.PublicKey}); err != nil {
		t.Error(err)
	}
}
