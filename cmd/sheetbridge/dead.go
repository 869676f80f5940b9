package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

const (
	deadPath = "/v1/dead"
	maxDead  = 1000 // listed at once
)

func deadCommand() *cobra.Command {
	cmd := deadList("dead")
	cmd.AddCommand(deadList("list"), deadShow(), deadRetry())
	return cmd
}

func deadList(use string) *cobra.Command {
	limit := 100
	cmd := &cobra.Command{
		Use: use, Short: "List hints that were given up, or try them again", Args: listArgs,
		Long: "List the hints that were given up, newest first, each with its reason. What they were for is found by the next reconcile as well.\n" + askingHelp,
	}
	asks(cmd, func(q *asking, _ []string) error {
		if limit < 1 || limit > maxDead {
			return &usageError{fmt.Errorf("--limit: want 1 to %d", maxDead)}
		}
		return ask(q, http.MethodGet, deadPath+"?limit="+strconv.Itoa(limit), nil, func(w io.Writer, list *itemsOf[admin.Dead]) error {
			t := tableOf("ID", "GIVEN UP", "WEBHOOK", "FROM", "ROWS", "PASSES", "REASON")
			for _, d := range list.Items {
				t.add(d.ID, moment(&d.At), d.Webhook, d.Why, rowsText(&d), strconv.Itoa(d.Attempts), d.Reason)
			}
			return t.write(w, "No hint was given up.")
		})
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "how many at most")
	return cmd
}

// rowsText says what a hint was for.
func rowsText(d *admin.Dead) string {
	if d.Whole {
		return "all"
	}
	return strconv.Itoa(len(d.Rows))
}

func deadShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show a hint that was given up", Args: exactly("ID"), ValidArgsFunction: complete(deadPath, "id")}
	return asks(cmd, func(q *asking, args []string) error {
		list, err := get[itemsOf[admin.Dead]](q.cmd.Context(), q.client, deadPath+"?limit="+strconv.Itoa(maxDead))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list.Items, func(d admin.Dead) bool { return d.ID == args[0] })
		if i < 0 {
			return fmt.Errorf("no hint with the id %q was given up: sheetbridge dead lists them", clean(args[0], 64))
		}
		if q.json {
			return q.printAny(list.Items[i])
		}
		d := &list.Items[i]
		var f facts
		f.add("hint", d.ID)
		f.add("webhook", d.Webhook)
		f.add("given up", moment(&d.At))
		f.add("reason", d.Reason)
		f.add("from", d.Why)
		f.add("passes", strconv.Itoa(d.Attempts))
		f.add("rows", rowsText(d))
		for _, row := range d.Rows {
			f.add("row", row)
		}
		return f.write(q.cmd.OutOrStdout())
	})
}

func deadRetry() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "retry ID | --all", Short: "Try hints again that were given up", ValidArgsFunction: complete(deadPath, "id"),
		Args: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == all || len(args) > 1 {
				return &usageError{errors.New("want an ID, or --all (see sheetbridge dead retry --help)")}
			}
			return nil
		},
	}
	asks(cmd, func(q *asking, args []string) error {
		if all {
			list, err := get[itemsOf[admin.Dead]](q.cmd.Context(), q.client, deadPath+"?limit="+strconv.Itoa(maxDead))
			if err != nil {
				return err
			}
			for _, d := range list.Items {
				args = append(args, d.ID)
			}
		}
		for _, id := range args {
			if err := q.do(http.MethodPost, deadPath+"/"+url.PathEscape(id)+"/retry", "hint %s is tried again", clean(id, 64)); err != nil {
				return err
			}
		}
		return nil
	})
	cmd.Flags().BoolVar(&all, "all", false, "all that were given up, 1000 at most")
	return cmd
}
