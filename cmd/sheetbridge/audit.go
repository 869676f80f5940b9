package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

const auditPath = "/v1/audit"

func auditCommand() *cobra.Command {
	limit := 50
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who did what, or verify that the list is whole",
		Long:  "List who did what, newest first.\n" + askingHelp,
		Args:  noArguments,
	}
	asks(cmd, func(q *asking, _ []string) error {
		if limit < 1 || limit > 1000 {
			return &usageError{errors.New("--limit: want 1 to 1000")}
		}
		return ask(q, http.MethodGet, auditPath+"?limit="+strconv.Itoa(limit), nil, writeAudit)
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "how many entries at most")
	cmd.AddCommand(verifyCommand())
	return cmd
}

func writeAudit(w io.Writer, list *itemsOf[admin.AuditEntry]) error {
	for _, e := range list.Items {
		_, err := fmt.Fprintf(w, "%6s  %s  %-12s %-8s %s  %s  %s\n", clean(e.Sequence, 20), e.At.UTC().Format(time.RFC3339),
			clean(e.Who, 40), clean(e.Outcome, 10), clean(e.What, maxName), clean(e.On, 120), clean(string(e.Details), 400))
		if err != nil {
			return err
		}
	}
	return nil
}

func verifyCommand() *cobra.Command {
	var head string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find entries of the audit log that were changed, left out or slipped in",
		Long: "Follow the chain through all entries of the audit log and check their signatures; exit with 1 if anything is wrong.\n" +
			"Keep the head that is printed somewhere else: given back with --head, it also tells when entries were cut off at the end.",
		Example: "  sheetbridge audit verify --head 412:9b74c9897bac770ffc029102a200c5de…",
		Args:    noArguments,
	}
	asks(cmd, func(q *asking, _ []string) error {
		sequence, hash, err := parseHead(head)
		if err != nil {
			return &usageError{err}
		}
		q.client.http.Timeout = rotateTime
		report, err := get[audit.Report](q.cmd.Context(), q.client, auditPath+"/verify")
		if err != nil {
			return err
		}
		if err := q.showReport(&report); err != nil {
			return err
		}
		if !report.Intact {
			return errors.New("the audit log was tampered with")
		}
		if sequence == 0 {
			return nil
		}
		return q.checkHead(sequence, hash)
	})
	cmd.Flags().StringVar(&head, "head", "", "`SEQUENCE:HASH` that an earlier verification printed")
	return cmd
}

func (q *asking) showReport(report *audit.Report) error {
	if q.json {
		return q.printAny(report)
	}
	var b strings.Builder
	for _, broken := range report.Broken {
		fmt.Fprintf(&b, "entry %d: %s\n", broken.Sequence, clean(broken.Why, 200))
	}
	fmt.Fprintf(&b, "%d entries, head %d:%s\n", report.Entries, report.Sequence, clean(report.Hash, 64))
	_, err := io.WriteString(q.cmd.OutOrStdout(), b.String())
	return err
}

func parseHead(head string) (uint64, string, error) {
	if head == "" {
		return 0, "", nil
	}
	number, hash, _ := strings.Cut(head, ":")
	sequence, err := strconv.ParseUint(number, 10, 64)
	if err != nil || sequence == 0 || len(hash) != 64 {
		return 0, "", errors.New("--head: want SEQUENCE:HASH as an earlier verification printed it")
	}
	return sequence, hash, nil
}

// checkHead fails unless the entry is there and the one that was seen before.
func (q *asking) checkHead(sequence uint64, hash string) error {
	list, err := get[itemsOf[admin.AuditEntry]](q.cmd.Context(), q.client, auditPath+"?limit=1&before="+strconv.FormatUint(sequence+1, 10))
	if err != nil {
		return err
	}
	if len(list.Items) != 1 || list.Items[0].Sequence != strconv.FormatUint(sequence, 10) || list.Items[0].Hash != hash {
		return fmt.Errorf("the audit log does not hold entry %d as it was: it was cut off or replaced", sequence)
	}
	if q.json {
		return nil
	}
	_, err = fmt.Fprintf(q.cmd.OutOrStdout(), "entry %d is as it was\n", sequence)
	return err
}
