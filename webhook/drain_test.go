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
)

// Who sends all of a body that is too large before reading sees the answer:
// the connection is not closed under it.
func TestTooLargeIsAnsweredToWhoIsStillSending(t *testing.T) {
	t.Parallel()
	sim := smartsheettest.New(t)
	_, token, sheet := orders(t, sim)
	const limit = 8 << 20 // more than sockets hold
	b := newBridge(t, sim, options{limit: limit})
	b.addOwner("ops", token)
	b.addPartner("acme")
	b.register("ops", sheet.ID, events.Request{Partner: "acme", Columns: columns("No")})
	host, path, _ := strings.Cut(strings.TrimPrefix(sim.Webhooks()[0].CallbackURL, "http://"), "/")
	c, err := net.Dial("tcp", host)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = fmt.Fprintf(c, "POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, 3*limit)
	must(t, err)
	for range 3 * limit / 65536 {
		_, err = c.Write(make([]byte, 65536))
		must(t, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", resp.StatusCode)
	}
}
