package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// lines is a terminal that several write to, line by line.
type lines struct {
	palette terminal.Palette

	mu sync.Mutex
	w  io.Writer
}

func (l *lines) print(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := io.WriteString(l.w, text)
	return err
}

// line prints what somebody has to say, with the time.
func (l *lines) line(who, colour, text string) error {
	now := l.palette.Paint(terminal.Dim, time.Now().Format(time.TimeOnly))
	return l.print(fmt.Sprintf("%s  %s  %s\n", now, l.palette.Paint(colour, fmt.Sprintf("%-6s", who)), text))
}

// view is one partner, reading with its own credentials.
type view struct {
	partner string
	colour  string
	creds   seal.Secret
	out     *lines
	sheets  int // that are not yet there as a whole
	live    chan struct{}
	orders  orders

	loaded  map[string]int // objects of sheets that are being loaded
	printed terminal.Statuses
}

// take prints an event. Those of a first load are only counted, and a status that
// says nothing new is left out.
func (v *view) take(m stream.Message) error {
	e, err := terminal.ParseEvent(m.Data)
	if err != nil {
		return err
	}
	if v.loaded == nil {
		v.loaded, v.printed = map[string]int{}, terminal.Statuses{}
	}
	v.orders.took(e)
	if v.printed.Repeats(e) {
		return nil
	}
	if e.Data.Origin == string(events.OriginSnapshot) {
		v.loaded[e.Sheet()]++
		return nil
	}
	if e.Type != events.StatusChanged {
		return v.out.line(v.partner, v.colour, e.Line(v.out.palette))
	}
	n, loading := v.loaded[e.Sheet()]
	if e.Data.State != string(events.StateLive) || !loading {
		return v.out.line(v.partner, v.colour, e.Line(v.out.palette))
	}
	delete(v.loaded, e.Sheet())
	if v.sheets--; v.sheets == 0 {
		close(v.live)
	}
	return v.out.line(v.partner, v.colour, fmt.Sprintf("%s  the sheet as it is: %d rows (row.created, origin snapshot), and live from here on", e.Sheet(), n))
}

// welcome says what is going on, where to look and what to try.
func (s *stage) welcome() string {
	p, program, token := s.out.palette, programName(), string(s.token)
	var b strings.Builder
	every := "that you can edit"
	if s.demo.edits > 0 {
		every = fmt.Sprintf("that are edited every %s", s.demo.edits)
	}
	fmt.Fprintf(&b, "%s\n\n", p.Paint(terminal.Bold, "Sheetbridge demo: a simulated Smartsheet with two sheets "+every+", the bridge, NATS, and two partners who get what is shared with them. Ctrl-C ends it."))
	for _, place := range [][2]string{
		{"Smartsheet (simulated)", s.smartsheet + "  token " + s.seeded.OwnerToken},
		{"console", "http://" + s.addresses.Admin + "/#token=" + token},
		{"admin API", "http://" + s.addresses.Admin + "  token " + token},
		{"NATS", s.addresses.NATS},
		{"credentials", s.credsFile("acme")},
		{"", s.credsFile("globex")},
	} {
		fmt.Fprintf(&b, "  %-24s%s\n", place[0], place[1])
	}
	fmt.Fprintf(&b, `
  acme    gets orders (10 of 12 columns, every row, attachments and comments) and plan (9 of 10 columns)
  globex  gets orders (4 columns, the customer as a hash) where %s,
          and may change their status where %s
  nobody  gets the orders' internal notes: edits of them end at the bridge

To try in another terminal:

%s tail --server %s --creds %s -o json
%s write --server %s --creds %s --sheet orders --row %d --expect status=Open --set status=Shipped
curl -s -H 'Authorization: Bearer %s' http://%s/v1/webhooks
curl -s -X PUT -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' %s/sheets/%d/rows -d '[{"id":%d,"cells":[{"columnId":%d,"value":99}]}]'

`, underWay, mayBecome, program, s.addresses.NATS, s.credsFile("globex"), program, s.addresses.NATS, s.credsFile("globex"), s.seeded.Orders.Rows[0], token, s.addresses.Admin,
		s.seeded.OwnerToken, s.smartsheet, s.seeded.Orders.ID, s.seeded.Orders.Rows[0], s.seeded.Orders.Columns["Qty"])
	return b.String()
}
