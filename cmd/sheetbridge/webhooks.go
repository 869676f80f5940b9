package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

const (
	webhooksPath = "/v1/webhooks"
	minIDPart    = 4 // characters of an id that may stand for it
)

func webhooksCommand() *cobra.Command {
	cmd := webhookList("webhooks")
	cmd.AddCommand(webhookList("list"), webhookShow(), webhookRemove(), shareAdd("add"),
		webhookLater("reconcile", "Compare the whole sheet now", "the whole sheet is being compared"),
		webhookLater("enable", "Have the webhook looked at and enabled now", "the webhook is being looked at"),
		webhookLater("rotate-secret", "Replace the secret that Smartsheet signs with", "the secret is replaced; the old one is accepted for an hour more"))
	return cmd
}

// webhookCommand is a command about one registered sheet, which may be named by
// the webhook's id, the beginning of it, or the sheet's id.
func webhookCommand(use, short string, do func(q *asking, id string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " WEBHOOK", Short: short, Args: exactly("WEBHOOK"), ValidArgsFunction: complete(webhooksPath, "id"),
		Long: short + ". WEBHOOK is its id, the beginning of it, or the id of the sheet.",
	}
	return asks(cmd, func(q *asking, args []string) error {
		id, err := findWebhook(q.cmd.Context(), q.client, args[0])
		if err != nil {
			return err
		}
		return do(q, id)
	})
}

// findWebhook returns the id of the one registered sheet that is meant.
func findWebhook(ctx context.Context, c *adminClient, meant string) (string, error) {
	list, err := get[itemsOf[admin.Webhook]](ctx, c, webhooksPath)
	if err != nil {
		return "", err
	}
	var found []string
	for _, w := range list.Items {
		switch {
		case w.ID == meant:
			return w.ID, nil
		case w.SheetID == meant, len(meant) >= minIDPart && strings.HasPrefix(w.ID, meant):
			found = append(found, w.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("there is no webhook %q: sheetbridge webhooks lists them", clean(meant, 64))
	}
	return "", fmt.Errorf("%q is the beginning of %d webhooks, or a sheet with several: give more of the id (%s)", clean(meant, 64), len(found), strings.Join(found, ", "))
}

func webhookList(use string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: "List the registered sheets and their webhooks, or see to them", Args: listArgs,
		Long: "List the registered sheets, each with its webhook at Smartsheet.\n" + askingHelp,
	}
	return asks(cmd, func(q *asking, _ []string) error {
		return ask(q, http.MethodGet, webhooksPath, nil, func(w io.Writer, list *itemsOf[admin.Webhook]) error {
			t := tableOf("ID", "SHEET", "SHEET ID", "OWNER", "STATUS", "SHARES", "WAITING", "VERSION", "LAST CALLBACK")
			for _, h := range list.Items {
				t.add(h.ID, h.SheetName, h.SheetID, h.Owner, h.Status, fmt.Sprint(len(h.Shares)), countOf(h.Backlog), version64(h.SheetVersion), moment(h.LastCallback))
			}
			return t.write(w, "No sheet is registered yet: sheetbridge shares add PARTNER --owner OWNER --sheet-id ID --column TITLE")
		})
	})
}

func webhookShow() *cobra.Command {
	return webhookCommand("show", "Show a registered sheet with its shares", func(q *asking, id string) error {
		return ask(q, http.MethodGet, webhooksPath+"/"+id, nil, showWebhook)
	})
}

func showWebhook(w io.Writer, h *admin.Webhook) error {
	var f facts
	f.add("webhook", h.ID)
	f.add("sheet", h.SheetName+" ("+h.SheetID+")")
	f.add("owner", h.Owner)
	f.add("status", h.Status)
	f.add("reason", h.Reason)
	if h.WebhookID != nil {
		f.add("at smartsheet", *h.WebhookID)
	}
	if h.CallbackURL != nil { // its key is for machines: it is a secret
		f.add("calls", (*h.CallbackURL)[:strings.LastIndexByte(*h.CallbackURL, '/')+1]+"…")
	}
	f.add("added", moment(&h.CreatedAt))
	f.add("last callback", moment(h.LastCallback))
	f.add("complete at", moment(h.LastReconcile))
	f.add("version", version64(h.SheetVersion))
	f.add("hints waiting", countOf(h.Backlog))
	for _, warning := range h.Warnings {
		f.add("warning", warning)
	}
	if err := f.write(w); err != nil || len(h.Shares) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return sharesTable([]admin.Webhook{*h}, "").write(w, "")
}

// webhookLater is a command for what is done after the answer.
func webhookLater(use, short, done string) *cobra.Command {
	return webhookCommand(use, short, func(q *asking, id string) error {
		return ask(q, http.MethodPost, webhooksPath+"/"+id+"/"+use, nil, func(w io.Writer, _ *struct{}) error {
			_, err := fmt.Fprintln(w, done)
			return err
		})
	})
}

// removeWebhook deletes a webhook and says whether Smartsheet has let go of it.
func removeWebhook(q *asking, id string) error {
	var later *struct { // nil: it is gone
		Accepted string `json:"accepted"`
	}
	if err := q.client.call(q.cmd.Context(), http.MethodDelete, webhooksPath+"/"+id, nil, &later); err != nil {
		return err
	}
	switch {
	case q.json && later == nil:
		return nil
	case q.json:
		return q.printAny(later)
	}
	text := "webhook %s is removed\n"
	if later != nil {
		text = "the shares of webhook %s end. Smartsheet did not delete the webhook yet: the service tries again until it is gone, and sheetbridge doctor says what is in the way\n"
	}
	_, err := fmt.Fprintf(q.cmd.OutOrStdout(), text, id)
	return err
}

func webhookRemove() *cobra.Command {
	var yes bool
	cmd := webhookCommand("remove", "End all shares of a sheet and delete its webhook", func(q *asking, id string) error {
		if err := sure(q.cmd, yes, "all shares of webhook "+id+" will end, and what was published of them is taken back"); err != nil {
			return err
		}
		q.client.http.Timeout = verifiedTime
		return removeWebhook(q, id)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
