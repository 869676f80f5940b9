package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

type simulation struct {
	listen    string
	edits     time.Duration // between two; 0: none
	debounce  time.Duration
	rateLimit int
	redirect  string // of an app that users can consent to; empty: none
	largeIDs  bool
	writeTime time.Duration
	faults    map[string]string // kind to part of all requests
}

// SimulateCommand returns the command simulate.
func SimulateCommand() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Run a simulated Smartsheet with two sheets in it, for those who integrate with Smartsheet",
		Long: "Run a Smartsheet in memory behind its HTTP API, with users, tokens and two sheets, as strict as the real one.\n" +
			"Webhooks work as at Smartsheet, and may call back to http addresses of this machine. Nothing is kept when it stops.",
		Args: cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.check(); err != nil {
				return &cli.UsageError{Err: err}
			}
			return s.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:9090", "`address` of the API, on this machine; port 0 is any")
	terminal.DurationVar(flags, &s.edits, "edits", 0, "edit a row every `interval`, 0 for never")
	terminal.DurationVar(flags, &s.debounce, "debounce", time.Second, "the `time` for which a change waits for others before its callback (at Smartsheet: up to a minute), 0 for none")
	flags.IntVar(&s.rateLimit, "rate-limit", 300, "`requests` that a token may make in a minute, 0 for no limit")
	flags.BoolVar(&s.largeIDs, "large-ids", false, "make one id in four larger than 2^53, as Smartsheet's may be: clients in JavaScript round those")
	terminal.DurationVar(flags, &s.writeTime, "write-time", 0, "the `time` that a write of a sheet takes; another one with the same token is refused in the meantime (500, error 4004)")
	flags.StringToStringVar(&s.faults, "fault", nil, "let a `part` of all requests fail, such as lost=5%,4003=10%: lost (done, the answer lost), cut (not done), 4001, 4002, 4003, 4004, 502")
	flags.StringVar(&s.redirect, "oauth-redirect", "", "register an app with this redirect `URL`, and print its id and secret, to try OAuth")
	return cmd
}

func (s simulation) check() error {
	var errs []error
	host, _, err := net.SplitHostPort(s.listen)
	if ip, ipErr := netip.ParseAddr(host); err != nil || host != "localhost" && (ipErr != nil || !ip.IsLoopback()) {
		errs = append(errs, fmt.Errorf("--listen %q: want host:port of this machine alone, such as 127.0.0.1:9090, since its tokens are not secret", s.listen))
	}
	if s.edits < 0 || s.debounce < 0 || s.rateLimit < 0 || s.writeTime < 0 {
		errs = append(errs, errors.New("--edits, --debounce, --rate-limit and --write-time must not be negative"))
	}
	if _, err := s.randomFaults(); err != nil {
		errs = append(errs, fmt.Errorf("--fault: %w", err))
	}
	if u, err := url.Parse(s.redirect); s.redirect != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("--oauth-redirect %q is not an http or https URL", s.redirect))
	}
	return errors.Join(errs...)
}

// randomFaults are the faults that requests meet; nil for none.
func (s simulation) randomFaults() (func(*http.Request) *smartsheettest.Fault, error) {
	if len(s.faults) == 0 {
		return nil, nil
	}
	parts := map[string]float64{}
	for kind, text := range s.faults {
		number, percent := strings.CutSuffix(text, "%")
		part, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: want a part such as 5%% or 0.05", kind, text)
		}
		if percent {
			part /= 100
		}
		parts[kind] = part
	}
	return smartsheettest.RandomFaults(parts)
}

// server is the simulated Smartsheet, not started.
func (s simulation) server() *smartsheettest.Server {
	sim := &smartsheettest.Server{
		AllowLoopbackHTTP: true, Debounce: s.debounce, RateLimit: s.rateLimit, LargeIDs: s.largeIDs, WriteTime: s.writeTime,
	}
	if s.debounce == 0 {
		sim.Debounce = -1 // none
	}
	if s.rateLimit == 0 {
		sim.RateLimit = -1
	}
	return sim
}

func (s simulation) run(ctx context.Context, stdout io.Writer) error {
	sim := s.server()
	defer sim.Close()
	seeded, err := smartsheettest.Seed(sim)
	if err != nil {
		return err
	}
	faults, err := s.randomFaults()
	if err != nil {
		return err
	}
	sim.SetFault(faults)
	base, err := sim.StartAt(s.listen)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(stdout, welcome(sim, seeded, base)); err != nil {
		return fmt.Errorf("printing where the simulator is: %w", err)
	}
	if s.redirect != "" {
		app := sim.AddApp(smartsheettest.App{Name: "An app", RedirectURL: s.redirect})
		if _, err := fmt.Fprintf(stdout, "OAuth app: client id %s, client secret %s\n\n", app.ClientID, app.Secret); err != nil {
			return fmt.Errorf("printing the app: %w", err)
		}
	}
	p := terminal.Colours(stdout)
	return edit(ctx, seeded.Editor, s.edits, func(what string) error {
		_, err := fmt.Fprintf(stdout, "%s  %s\n", p.Paint(terminal.Dim, time.Now().Format(time.TimeOnly)), what)
		return err
	})
}

// edit makes an edit at each interval until the context ends; with 0 it only
// waits for that.
func edit(ctx context.Context, editor *smartsheettest.Editor, every time.Duration, made func(what string) error) error {
	if every == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		what, err := editor.Step()
		if err != nil {
			return err
		}
		if err := made(what); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// welcome says what is in the simulator and how to try it.
func welcome(sim *smartsheettest.Server, seeded *smartsheettest.Seeded, url string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A simulated Smartsheet is at %s. Nothing of it is kept when it stops. Its tokens are good for nothing else.\n\n", url)
	fmt.Fprintf(&b, "users   %-42s token\n", "")
	for _, u := range []struct {
		user  *smartsheettest.User
		token string
		what  string
	}{
		{seeded.Owner, seeded.OwnerToken, "owns both sheets"},
		{seeded.Viewer, seeded.ViewerToken, "may read them"},
		{seeded.Admin, seeded.AdminToken, "is a system administrator"},
	} {
		fmt.Fprintf(&b, "        %-42s %s  %s\n", u.user.Email, u.token, u.what)
	}
	fmt.Fprintf(&b, "sheets  %-42s id\n", "")
	for _, sheet := range []*smartsheettest.Sheet{seeded.Orders, seeded.Relaunch} {
		fmt.Fprintf(&b, "        %-42s %d  %s\n", sheet.Name, sheet.ID, strings.Join(titles(sim, sheet.ID), ", "))
	}
	columns := seeded.Orders.Columns
	fmt.Fprintf(&b, `
To try it in another terminal, paste these lines, then any of the others:

export SMARTSHEET=%s TOKEN=%s ORDERS=%d
export ROW=%d NO=%d STATUS=%d QTY=%d

# read the sheet
curl -s -H "Authorization: Bearer $TOKEN" "$SMARTSHEET/sheets/$ORDERS?pageSize=3"
# change a cell
curl -s -X PUT -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$SMARTSHEET/sheets/$ORDERS/rows" -d '[{"id":'$ROW',"cells":[{"columnId":'$STATUS',"value":"Shipped"}]}]'
# add a row
curl -s -X POST -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$SMARTSHEET/sheets/$ORDERS/rows" -d '[{"toTop":true,"cells":[{"columnId":'$NO',"value":"SO-2000"},{"columnId":'$STATUS',"value":"Open"},{"columnId":'$QTY',"value":3}]}]'
# delete the row
curl -s -X DELETE -H "Authorization: Bearer $TOKEN" "$SMARTSHEET/sheets/$ORDERS/rows?ids=$ROW"

`, url, seeded.OwnerToken, seeded.Orders.ID,
		seeded.Orders.Rows[0], columns["Order No"], columns["Status"], columns["Qty"])
	return b.String()
}

func titles(sim *smartsheettest.Server, sheetID int64) []string {
	snap, _ := sim.Snapshot(sheetID) // seeded a moment ago
	list := make([]string, 0, len(snap.Columns))
	for _, c := range snap.Columns {
		list = append(list, c.Title)
	}
	return list
}

// programName is how this program is called: by its path, or as go run does.
func programName() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/sheetbridge"
	}
	return os.Args[0]
}
