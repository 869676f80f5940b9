package webhook_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// Who sends all of a body that is too large before reading sees the answer:
// the connection is not closed under it.
func TestTooLargeIsAnsweredToWhoIsStillSending(t *testing.T) {
	t.Parallel()
	sim := smartsheettest.New(t)
	_, token, sheet := webhooktest.Orders(t, sim)
	const limit = 8 << 20 // more than sockets hold
	b := webhooktest.NewBridge(t, sim, webhooktest.Options{Limit: limit})
	b.AddOwner("ops", token)
	b.AddPartner("acme")
	b.Register("ops", sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("No")})
	host, path, _ := strings.Cut(strings.TrimPrefix(sim.Webhooks()[0].CallbackURL, "http://"), "/")
	c, err := net.Dial("tcp", host)
	webhooktest.Must(t, err)
	defer c.Close()
	webhooktest.Must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = fmt.Fprintf(c, "POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, 3*limit)
	webhooktest.Must(t, err)
	for range 3 * limit / 65536 {
		_, err = c.Write(make([]byte, 65536))
		webhooktest.Must(t, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	webhooktest.Must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", resp.StatusCode)
	}
}
