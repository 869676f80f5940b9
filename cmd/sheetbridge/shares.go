package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func sharesCommand() *cobra.Command {
	cmd := shareList("shares")
	cmd.AddCommand(shareList("list"), shareShow(), shareAdd("add"), shareChange(), shareResend(), shareRemove())
	return cmd
}

// sharesTable lists shares, of one partner unless that is empty.
func sharesTable(webhooks []admin.Webhook, partner string) *table {
	t := tableOf("SHARE", "SHEET", "OWNER", "STATE", "FIELDS", "KINDS", "REVISION", "COMPLETE TO", "REASON")
	for _, w := range webhooks {
		for _, s := range w.Shares {
			if partner != "" && s.Partner != partner {
				continue
			}
			to := ""
			if s.CompleteTo != nil {
				to = fmt.Sprintf("v%d %s", s.CompleteTo.Version, moment(&s.CompleteTo.Time))
			}
			t.add(s.Partner+"/"+s.Sheet, w.SheetName, w.Owner, s.State, strconv.Itoa(len(s.Columns)), strings.Join(s.Kinds, ","), strconv.FormatInt(s.Revision, 10), to, s.Reason)
		}
	}
	return t
}

func shareList(use string) *cobra.Command {
	var partner string
	cmd := &cobra.Command{
		Use: use, Short: "List what partners may see and how complete it is, or see to it", Args: listArgs,
		Long: "List the shares: what each partner may see of a sheet, and how far the partner's stream is complete.\n" + askingHelp,
	}
	asks(cmd, func(q *asking, _ []string) error {
		return ask(q, http.MethodGet, webhooksPath, nil, func(w io.Writer, list *itemsOf[admin.Webhook]) error {
			return sharesTable(list.Items, partner).write(w, "Nothing is shared yet: sheetbridge shares add PARTNER --owner OWNER --sheet-id ID --column TITLE")
		})
	})
	cmd.Flags().StringVar(&partner, "partner", "", "`name` of the one partner to list")
	completeFlag(cmd, "partner", partnersPath)
	return cmd
}

// shared is one share that is there.
type shared struct {
	webhook string // id
	admin.Share
	path string
}

// shareCommand is a command about one share, which is named PARTNER/SHEET.
func shareCommand(use, short string, do func(q *asking, s *shared) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " PARTNER/SHEET", Short: short, Args: exactly("PARTNER/SHEET"), ValidArgsFunction: completeShares,
		Long: short + ". SHEET is the partner's name for the sheet.",
	}
	return asks(cmd, func(q *asking, args []string) error {
		partner, sheet, ok := strings.Cut(args[0], "/")
		if !ok || !events.ValidName(partner) || !events.ValidName(sheet) {
			return &usageError{fmt.Errorf("%q is no share: want PARTNER/SHEET, as sheetbridge shares lists them", clean(args[0], maxName))}
		}
		s, err := findShare(q.cmd.Context(), q.client, partner, sheet)
		if err != nil {
			return err
		}
		return do(q, s)
	})
}

func findShare(ctx context.Context, c *adminClient, partner, sheet string) (*shared, error) {
	list, err := get[itemsOf[admin.Webhook]](ctx, c, webhooksPath)
	if err != nil {
		return nil, err
	}
	for _, w := range list.Items {
		for _, s := range w.Shares {
			if s.Partner == partner && s.Sheet == sheet {
				return &shared{w.ID, s, webhooksPath + "/" + w.ID + "/shares/" + partner + "/" + sheet}, nil
			}
		}
	}
	return nil, fmt.Errorf("partner %s has no share %s: sheetbridge shares lists what there is", partner, sheet)
}

func completeShares(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	client, err := adminFromEnv()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer client.close()
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	list, err := get[itemsOf[admin.Webhook]](ctx, client, webhooksPath)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, w := range list.Items {
		for _, s := range w.Shares {
			names = append(names, s.Partner+"/"+s.Sheet)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func shareShow() *cobra.Command {
	return shareCommand("show", "Show a share, its fields and its filter", func(q *asking, s *shared) error {
		if q.json {
			return q.printAny(s.Share)
		}
		return showShare(q.cmd.OutOrStdout(), &s.Share)
	})
}

func showShare(w io.Writer, s *admin.Share) error {
	var f facts
	f.add("share", s.Partner+"/"+s.Sheet)
	f.add("subjects", "smartsheet."+s.Partner+"."+s.Sheet+".>")
	f.add("state", s.State)
	f.add("reason", s.Reason)
	if s.CompleteTo != nil {
		f.add("complete to", fmt.Sprintf("version %d, %s", s.CompleteTo.Version, moment(&s.CompleteTo.Time)))
	}
	f.add("revision", strconv.FormatInt(s.Revision, 10))
	f.add("kinds", strings.Join(s.Kinds, ", "))
	f.add("where", s.Where)
	if err := f.write(w); err != nil {
		return err
	}
	t := tableOf("FIELD", "COLUMN", "TYPE", "MASK", "COLUMN ID")
	for _, c := range s.Columns {
		t.add(c.As, c.Title, c.Type, c.Mask, c.ColumnID)
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return t.write(w, "")
}

func shareResend() *cobra.Command {
	var yes bool
	cmd := shareCommand("resend", "Publish a share again from the beginning", func(q *asking, s *shared) error {
		if err := sure(q.cmd, yes, "the history of "+s.Partner+"/"+s.Sheet+" will be gone, and every row is sent to the partner again"); err != nil {
			return err
		}
		return ask(q, http.MethodPost, s.path+"/resend", nil, func(w io.Writer, _ *struct{}) error {
			_, err := fmt.Fprintf(w, "share %s/%s is being published again\n", s.Partner, s.Sheet)
			return err
		})
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func shareRemove() *cobra.Command {
	var yes bool
	cmd := shareCommand("remove", "End a share, and take back what was published of it", func(q *asking, s *shared) error {
		if err := sure(q.cmd, yes, "share "+s.Partner+"/"+s.Sheet+" will end, and what was published of it is taken back"); err != nil {
			return err
		}
		return q.do(http.MethodDelete, s.path, "share %s/%s is ended", s.Partner, s.Sheet)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
