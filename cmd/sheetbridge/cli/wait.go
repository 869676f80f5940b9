package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

const (
	loadEvery = 500 * time.Millisecond // between two looks at a load
	barWidth  = 24
)

func waitFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("wait", false, "wait until all rows are published, and show how far they are (default on a terminal)")
}

// waits tells whether a command waits for the load that it began.
func (c *call) waits(flag *bool) bool {
	if flag == nil || c.dryRun {
		return false
	}
	if c.cmd.Flags().Changed("wait") {
		return *flag
	}
	return terminal.IsTerminal(c.out)
}

// watchLoad shows how far a share is loaded until it is, or the command is
// interrupted: the load goes on without it.
func (c *call) watchLoad(shares *resource, name string) error {
	ctx, out := c.cmd.Context(), c.cmd.ErrOrStderr()
	tick := time.NewTicker(loadEvery)
	defer tick.Stop()
	drawn := ""
	for {
		var raw json.RawMessage
		if err := c.Call(ctx, "GET", shares.path, nil, &raw); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		list, err := shares.listed(raw)
		if err != nil {
			return err
		}
		s, err := shares.pick(list, name)
		if err != nil {
			return err
		}
		if state := s.text("state"); state != "loading" && state != "unknown" {
			terminal.EndLine(out, drawn)
			_, err := fmt.Fprintf(c.cmd.ErrOrStderr(), "%s is %s, complete to %s\n", name, state, completeTo(s["completeTo"], true))
			return err
		}
		if line := loadLine(name, s); line != drawn {
			terminal.Redraw(out, line, drawn)
			drawn = line
		}
		select {
		case <-ctx.Done():
			terminal.EndLine(out, drawn)
			return nil
		case <-tick.C:
		}
	}
}

// loadLine says how far a share is loaded.
func loadLine(name string, s item) string {
	if s["progress"] == nil {
		return name + "  waiting for its load to begin"
	}
	return name + "  " + terminal.Bar(s.whole("progress.done"), s.whole("progress.of"), barWidth) + "  " + progress(s["progress"], false)
}
