// Command sheetbridge brings what happens in Smartsheet sheets to partners over
// NATS, without giving them a token.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a wrong command line or configuration.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// run is the program without its process: the tests call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := commands()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "sheetbridge: %v\n", err)
		return exitUsage
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
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(), demoCommand(), simulateCommand(), tailCommand(), joinCommand(),
		contractCommand(), accessCommand(), keysCommand(), auditCommand(), healthcheckCommand(), natsAccountsCommand(),
		ownersCommand(), partnersCommand(), webhooksCommand(), sharesCommand(), deadCommand(), doctorCommand(), explainCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	strictly(root)
	return root
}

// strictly makes a wrong argument of any command below the root a usage error.
func strictly(root *cobra.Command) {
	for _, c := range append(root.Commands(), root) {
		args := c.Args
		c.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return &usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	// Those that cobra adds would only show their help.
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = knownCommand
		case "completion":
			c.Args, c.RunE = noArguments, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range c.Commands() {
				shell.Args = noArguments
			}
		}
	}
}

// knownCommand refuses help on a command that is not there.
func knownCommand(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unknown command %q for %q", rest[0], found.CommandPath())
	}
	if err != nil {
		return &usageError{err}
	}
	return nil
}

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the service, configured by the environment (" + prefix + "_…)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return &usageError{fmt.Errorf("the configuration is wrong:\n%w", err)}
			}
			log := newLogger(cmd.ErrOrStderr(), cfg.LogLevel, cfg.LogFormat)
			if cfg.Unknown != nil {
				log.Warn("a setting that means nothing", "err", cfg.Unknown)
			}
			return serve(cmd.Context(), cfg, log, func(a addresses) {
				log.Info("ready", "version", version(), "callbacks", a.Public, "admin", a.Admin, "nats", a.NATS)
			})
		},
	}
}

// newLogger writes text to a terminal and JSON elsewhere, unless told otherwise.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	file, isFile := w.(*os.File)
	if format == "text" || format == "" && isFile && term.IsTerminal(int(file.Fd())) {
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
