package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// withoutKey writes the address of callbacks without its key, which is a secret.
func withoutKey(value any, _ bool) string {
	address := plain(value, true)
	if at := strings.LastIndexByte(address, '/'); at >= 0 {
		return address[:at+1] + "…"
	}
	return ""
}

// removeWebhook is a command of its own since its answer says whether Smartsheet
// has deleted the webhook yet.
func removeWebhook(p *program, r *resource, a *action) *cobra.Command {
	return p.changes(p.commandOf(r, a), []string{formatText, formatJSON}, true, func(c *call, args []string) error {
		found, err := r.resolve(c, args, true)
		if err != nil {
			return err
		}
		path, lost := found.names.in(r.item), found.names.says(a.loses)
		if c.dryRun {
			return c.wouldCall(a.method, path, nil, lost)
		}
		if err := c.confirm(lost); err != nil {
			return err
		}
		var later json.RawMessage // nothing: it was deleted at once
		if err := c.send(a.method, path, nil, &later, "Smartsheet to delete the webhook"); err != nil {
			return err
		}
		switch {
		case c.json() && later == nil:
			return nil
		case c.json():
			return c.print(later)
		}
		text := "webhook {WEBHOOK} was removed\n"
		if later != nil {
			text = "The shares of webhook {WEBHOOK} end. Smartsheet did not delete the webhook yet: the service tries again\n" +
				"until it is deleted, and sheetbridge doctor says why it is not.\n"
		}
		_, err = fmt.Fprint(c.out, found.names.says(text))
		return err
	})
}

// deadOf adds to hints what they were about.
func deadOf(list []item) []item {
	for _, d := range list {
		d["about"] = count(d["rows"], false)
		if d["whole"] == true {
			d["about"] = "all"
		}
	}
	return list
}

func retryDead(p *program, r *resource, a *action) *cobra.Command {
	var all bool
	cmd := p.commandOf(r, a)
	cmd.Flags().BoolVar(&all, "all", false, "all that were given up, at most 1000")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if (len(args) == 1) == all || len(args) > 1 {
			return errors.New("want an ID, or --all")
		}
		return nil
	}
	return p.changes(cmd, nil, false, func(c *call, args []string) error {
		var raw json.RawMessage
		if err := c.get(r.path+"?limit=1000", &raw); err != nil {
			return err
		}
		list, err := r.listed(raw)
		if err != nil {
			return err
		}
		if !all {
			one, err := r.pick(list, args[0])
			if err != nil {
				return err
			}
			list = []item{one}
		}
		for _, d := range list {
			path := r.path + "/" + url.PathEscape(d.text("id")) + a.path
			if c.dryRun {
				err = c.wouldCall(http.MethodPost, path, nil, "")
			} else if err = c.send(http.MethodPost, path, nil, nil, ""); err == nil {
				_, err = fmt.Fprintf(c.out, "hint %s is tried again\n", terminal.Clean(d.text("id"), 64))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
