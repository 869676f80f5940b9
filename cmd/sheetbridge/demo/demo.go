// Package demo has the commands that need no Smartsheet account: demo, the whole
// story in one process, and simulate, the simulated Smartsheet alone.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Service is what the demo needs to know of a service, as its settings would say it.
type Service struct {
	Dir        string       // where it may store files
	Public     net.Listener // of callbacks
	AdminToken seal.Secret
	Smartsheet string // base URL of the API
	Verbose    bool   // log more than warnings
}

// Addresses are where a running service is reached.
type Addresses struct {
	Admin string // host:port
	NATS  string // URL that partners get
}

// ServeFunc runs a service until the context ends. It calls ready once the service
// can be reached.
type ServeFunc func(ctx context.Context, s Service, log io.Writer, ready func(Addresses)) error

// demo is the whole story in one process.
type demo struct {
	serve    ServeFunc
	edits    time.Duration
	writes   time.Duration
	duration time.Duration // 0: until it is stopped
	verbose  bool
}

// Command returns the command demo.
func Command(serve ServeFunc) *cobra.Command {
	d := demo{serve: serve}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything in one process: a simulated Smartsheet, the bridge, NATS and two partners, with no account and no network",
		Long: "Show everything in one process: a simulated Smartsheet with two sheets that are edited, the bridge with an embedded NATS,\n" +
			"and two partners who receive what is shared with them; one of them changes a status now and then. It uses free ports of this machine and a temporary directory,\n" +
			"and leaves nothing behind.",
		Args: cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.edits < 0 || d.writes < 0 || d.duration < 0 {
				return cli.Usagef("--edits, --writes and --duration must not be negative")
			}
			return d.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	terminal.DurationVar(flags, &d.edits, "edits", 2*time.Second, "edit a row every `interval`, 0 for never")
	terminal.DurationVar(flags, &d.writes, "writes", 5*time.Second, "let a partner change a status every `interval`, 0 for never")
	terminal.DurationVar(flags, &d.duration, "duration", 0, "stop after this `time`, 0 for when it is interrupted")
	flags.BoolVarP(&d.verbose, "verbose", "v", false, "show the whole log of the service, not only warnings")
	return cmd
}

func (d demo) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "sheetbridge-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if d.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.duration)
		defer cancel()
	}
	sim := simulation{debounce: smartsheettest.DefaultDebounce, rateLimit: 300}.server()
	defer sim.Close()
	s := &stage{demo: d, dir: dir, sim: sim, out: &lines{w: stdout, palette: terminal.Colours(stdout)}, token: seal.Secret(rand.Text())}
	if s.seeded, err = smartsheettest.Seed(sim); err != nil {
		return err
	}
	if s.smartsheet, err = sim.Start(); err != nil {
		return err
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for callbacks: %w", err)
	}
	service := Service{Dir: filepath.Join(dir, "data"), Public: socket, AdminToken: s.token, Smartsheet: s.smartsheet, Verbose: d.verbose}
	ready := make(chan Addresses, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return d.serve(ctx, service, stderr, func(a Addresses) { ready <- a })
	})
	g.Go(func() error {
		select {
		case s.addresses = <-ready:
			return s.play(ctx)
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// stage is a demo that plays.
type stage struct {
	demo       demo
	dir        string
	sim        *smartsheettest.Server
	seeded     *smartsheettest.Seeded
	smartsheet string // URL of the simulator
	token      seal.Secret
	addresses  Addresses
	out        *lines
}

// play sets up the partners as an admin does, and shows what they get.
func (s *stage) play(ctx context.Context) error {
	err := s.show(ctx)
	if ctx.Err() != nil { // what was under way ends with it
		return nil
	}
	return err
}

func (s *stage) show(ctx context.Context) error {
	client := cli.NewClient("http://"+s.addresses.Admin, s.token, nil)
	defer client.Close()
	owner := map[string]string{"name": "ops", "token": s.seeded.OwnerToken, "region": "us"}
	if err := client.Call(ctx, "POST", "/v1/owners", owner, nil); err != nil {
		return err
	}
	views := []*view{
		{partner: "acme", colour: terminal.Cyan, out: s.out, sheets: 2, live: make(chan struct{})},
		{partner: "globex", colour: terminal.Magenta, out: s.out, sheets: 1, live: make(chan struct{})},
	}
	for _, v := range views {
		var err error
		if v.creds, err = s.addPartner(ctx, client, v.partner); err != nil {
			return err
		}
	}
	if err := s.out.print(s.welcome()); err != nil {
		return err
	}
	for _, w := range s.webhooks() {
		if err := client.Call(ctx, "POST", "/v1/webhooks", w, nil); err != nil {
			return err
		}
	}
	return s.follow(ctx, views)
}

// addPartner adds a partner and keeps its credentials in a file.
func (s *stage) addPartner(ctx context.Context, client *cli.Client, name string) (seal.Secret, error) {
	var made struct {
		Credentials seal.Secret `json:"credentials"`
	}
	if err := client.Call(ctx, "POST", "/v1/partners", map[string]string{"name": name}, &made); err != nil {
		return "", err
	}
	if err := os.WriteFile(s.credsFile(name), []byte(made.Credentials), 0o600); err != nil {
		return "", fmt.Errorf("writing the credentials of %s: %w", name, err)
	}
	return made.Credentials, nil
}

func (s *stage) credsFile(partner string) string { return filepath.Join(s.dir, partner+".creds") }

// registration is the body of POST /v1/webhooks.
type registration struct {
	Owner   string           `json:"owner"`
	SheetID string           `json:"sheetId"`
	Shares  []events.Request `json:"shares"`
}

func (s *stage) webhooks() []registration {
	all := []string{"row", "attachment", "comment"}
	masked := columnsOf("Order No", "Customer", "Status", "Qty")
	masked[1].Mask = "hash"
	return []registration{
		{"ops", strconv.FormatInt(s.seeded.Orders.ID, 10), []events.Request{
			{Partner: "acme", Sheet: "orders", Kinds: all, Columns: columnsOf("Order No", "Customer", "Product", "Status", "Due Date", "Qty", "Price", "Done", "Account Manager", "Tags")},
			{Partner: "globex", Sheet: "orders", Columns: masked, Where: underWay, Write: &events.WriteTerms{Update: []string{"status"}, Check: mayBecome}},
		}},
		{"ops", strconv.FormatInt(s.seeded.Relaunch.ID, 10), []events.Request{
			{Partner: "acme", Sheet: "plan", Columns: columnsOf("Task Name", "Start", "Finish", "Duration", "Predecessors", "Assigned To", "Status", "% Complete", "At Risk")},
		}},
	}
}

// underWay is the filter of the second partner.
const underWay = "status in ['Open', 'In production', 'Shipped']"

// mayBecome is what that partner may set.
const mayBecome = "status in ['In production', 'Shipped']"

func columnsOf(titles ...string) []events.RequestColumn {
	list := make([]events.RequestColumn, len(titles))
	for i, title := range titles {
		list[i].Title = title
	}
	return list
}

// follow lets the partners read, and begins with the edits when they have the
// sheets.
func (s *stage) follow(ctx context.Context, views []*view) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, v := range views {
		g.Go(func() error {
			return stream.Tail(ctx, stream.TailOptions{URL: s.addresses.NATS, Creds: v.creds}, v.take)
		})
	}
	g.Go(func() error {
		for _, v := range views {
			select {
			case <-v.live:
			case <-ctx.Done():
				return nil
			}
		}
		g.Go(func() error { return s.ask(ctx, views[1]) })
		return edit(ctx, s.seeded.Editor, s.demo.edits, func(what string) error {
			return s.out.line("sheet", terminal.Bold, what)
		})
	})
	return g.Wait()
}
