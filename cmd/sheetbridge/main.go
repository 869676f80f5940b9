// Command sheetbridge brings what happens in Smartsheet sheets to partners over
// NATS, without giving them a token.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/demo"
	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDiffers = 3 // diff found something
	exitRefused = 4 // what was asked for was refused
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program without its process: the tests call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := commands()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage *cli.UsageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, cli.ErrDiffers): // which it has said
		return exitDiffers
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "sheetbridge: %v\n", err)
		return exitUsage
	case errors.Is(err, cli.ErrWriteRefused): // standard output says why
		return exitRefused
	default:
		fmt.Fprintf(stderr, "sheetbridge: %v\n", err)
		return exitFailed
	}
}

func commands() *cobra.Command {
	root := &cobra.Command{
		Use:           "sheetbridge",
		Short:         "Smartsheet changes as typed events on NATS, sheet by sheet, column by column, and no token shared",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cli.NoArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(), demo.Command(serveDemo), demo.SimulateCommand(), healthcheckCommand(), natsAccountsCommand())
	root.AddCommand(cli.Commands(cli.Program{Connect: connect, CheckConfig: checkConfig})...)
	// Cobra adds these two later, and would accept any argument of them.
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = knownCommand
		case "completion":
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	cli.CheckUsage(root)
	root.SetHelpFunc(fittedHelp(root.HelpFunc()))
	return root
}

// fittedHelp prints help on a terminal in lines that fit it.
func fittedHelp(print func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		w := cmd.OutOrStdout()
		if !terminal.IsTerminal(w) {
			print(cmd, args)
			return
		}
		var b bytes.Buffer
		cmd.SetOut(&b)
		print(cmd, args)
		cmd.SetOut(w)
		_, _ = io.WriteString(w, terminal.Reflow(b.String(), terminal.Width(w))) // a reader that is gone needs no help
	}
}

// knownCommand refuses help on a command that does not exist.
func knownCommand(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unknown command %q for %q", rest[0], found.CommandPath())
	}
	return err
}

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the service, configured by the environment (" + prefix + "_…)",
		Args:  cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return cli.Usagef("the configuration is wrong:\n%w", err)
			}
			log := newLogger(cmd.ErrOrStderr(), cfg.LogLevel, cfg.LogFormat)
			if cfg.Unknown != nil {
				log.Warn("unknown setting", "err", cfg.Unknown)
			}
			return serve(cmd.Context(), cfg, log, func(a addresses) {
				log.Info("ready", "version", version(), "callbacks", a.Public, "admin", a.Admin, "nats", a.NATS)
				if w := cmd.ErrOrStderr(); terminal.IsTerminal(w) {
					fmt.Fprintf(w, "\nThe console is at %s\n\n", consoleURL(cfg, a.Admin)) // a terminal that is gone needs no address
				}
			})
		},
	}
}

// consoleURL is where a browser on this machine finds the console.
func consoleURL(cfg *config, listener string) string {
	scheme := "http"
	if cfg.Admin.TLS.Cert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(listener)
	if ip, ipErr := netip.ParseAddr(host); err == nil && (host == "" || ipErr == nil && ip.IsUnspecified()) {
		listener = net.JoinHostPort("localhost", port)
	}
	return scheme + "://" + listener + "/"
}

// newLogger writes text to a terminal and JSON elsewhere, unless told otherwise.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	switch {
	case format != "json" && terminal.IsTerminal(w):
		return slog.New(readableLog{tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !bool(terminal.Colours(w))})})
	case format == "text":
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// version is the one that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}
