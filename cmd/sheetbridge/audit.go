package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

func auditCommand() *cobra.Command {
	limit := 50
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who did what, or verify that the list is whole",
		Long: "List who did what, newest first. It asks a running service, at " + prefix + "_ADMIN_URL (http://127.0.0.1:8081 unless set)\n" +
			"with " + prefix + "_ADMIN_TOKEN; a read-only token will do.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 1000 {
				return &usageError{errors.New("--limit: want 1 to 1000")}
			}
			client, err := adminFromEnv()
			if err != nil {
				return &usageError{err}
			}
			defer client.close()
			var list struct {
				Items []admin.AuditEntry `json:"items"`
			}
			if err := client.call(cmd.Context(), http.MethodGet, "/v1/audit?limit="+strconv.Itoa(limit), nil, &list); err != nil {
				return err
			}
			for _, e := range list.Items {
				fmt.Fprintf(cmd.OutOrStdout(), "%6s  %s  %-12s %-8s %s  %s  %s\n", clean(e.Sequence, 20), e.At.UTC().Format(time.RFC3339),
					clean(e.Who, 40), clean(e.Outcome, 10), clean(e.What, maxName), clean(e.On, 120), clean(string(e.Details), 400))
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "how many entries at most")
	cmd.AddCommand(verifyCommand())
	return cmd
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			sequence, hash, err := parseHead(head)
			if err != nil {
				return &usageError{err}
			}
			client, err := adminFromEnv()
			if err != nil {
				return &usageError{err}
			}
			defer client.close()
			client.http.Timeout = rotateTime
			var report audit.Report
			if err := client.call(cmd.Context(), http.MethodGet, "/v1/audit/verify", nil, &report); err != nil {
				return err
			}
			for _, broken := range report.Broken {
				fmt.Fprintf(cmd.OutOrStdout(), "entry %d: %s\n", broken.Sequence, clean(broken.Why, 200))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d entries, head %d:%s\n", report.Entries, report.Sequence, clean(report.Hash, 64))
			if !report.Intact {
				return errors.New("the audit log was tampered with")
			}
			if sequence == 0 {
				return nil
			}
			return checkHead(cmd, client, sequence, hash)
		},
	}
	cmd.Flags().StringVar(&head, "head", "", "`SEQUENCE:HASH` that an earlier verification printed")
	return cmd
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
func checkHead(cmd *cobra.Command, client *adminClient, sequence uint64, hash string) error {
	var list struct {
		Items []admin.AuditEntry `json:"items"`
	}
	path := "/v1/audit?limit=1&before=" + strconv.FormatUint(sequence+1, 10)
	if err := client.call(cmd.Context(), http.MethodGet, path, nil, &list); err != nil {
		return err
	}
	if len(list.Items) != 1 || list.Items[0].Sequence != strconv.FormatUint(sequence, 10) || list.Items[0].Hash != hash {
		return fmt.Errorf("the audit log does not hold entry %d as it was: it was cut off or replaced", sequence)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "entry %d is as it was\n", sequence)
	return nil
}
