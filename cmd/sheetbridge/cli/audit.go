package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

// errTampered ends a verification that failed.
var errTampered = errors.New("the audit log is NOT whole: it was changed after it was written")

func verifyAudit(p *program, r *resource, a *action) *cobra.Command {
	var given string
	cmd := p.commandOf(r, a)
	cmd.Args = NoArguments
	cmd.Long = "Check all entries of the audit log: the chain of their hashes and their signatures. The exit code is 1 if anything is\n" +
		"wrong. Store the head that is printed somewhere else: with --head a later verification also detects entries that were\n" +
		"cut off at the end."
	cmd.Example = "  sheetbridge audit verify --head 412:9b74c9897bac770ffc029102a200c5de…"
	cmd.Flags().StringVar(&given, "head", "", "`SEQUENCE:HASH` that an earlier verification printed")
	return p.reads(cmd, []string{formatText, formatJSON}, func(c *call, _ []string) error {
		head, err := parseHead(given)
		if err != nil {
			return err
		}
		var report audit.Report
		if err := c.get(r.path+a.path, &report); err != nil {
			return err
		}
		whole := report.Intact
		if head.sequence > 0 {
			stands, err := c.stands(r, head)
			if err != nil {
				return err
			}
			if !stands {
				whole = false
				report.Broken = append(report.Broken, audit.Broken{Sequence: head.sequence, Why: "it is not the entry that --head names: the log was cut off or replaced"})
			}
		}
		if report.Intact = whole; c.json() {
			err = c.print(report)
		} else {
			err = writeVerdict(c.out, &report, head)
		}
		if err == nil && !whole {
			err = errTampered
		}
		return err
	})
}

// writeVerdict says what is wrong, if anything, and the head to store.
func writeVerdict(w io.Writer, report *audit.Report, head auditHead) error {
	var b strings.Builder
	for _, broken := range report.Broken {
		fmt.Fprintf(&b, "entry %d: %s\n", broken.Sequence, terminal.Clean(broken.Why, 200))
	}
	if report.Intact {
		fmt.Fprintf(&b, "The audit log is whole: %s entries, none changed, left out or inserted", terminal.Thousands(int64(report.Entries)))
		if head.sequence > 0 {
			fmt.Fprintf(&b, ",\nand entry %d is still the one that --head names", head.sequence)
		}
		fmt.Fprintln(&b, ".")
	}
	fmt.Fprintf(&b, "head %d:%s\n", report.Sequence, terminal.Clean(report.Hash, 64))
	_, err := io.WriteString(w, b.String())
	return err
}

// auditHead is the last entry that an earlier verification saw; zero: none.
type auditHead struct {
	sequence uint64
	hash     string
}

func parseHead(text string) (auditHead, error) {
	if text == "" {
		return auditHead{}, nil
	}
	number, hash, _ := strings.Cut(text, ":")
	sequence, err := strconv.ParseUint(number, 10, 64)
	if err != nil || sequence == 0 || len(hash) != 64 {
		return auditHead{}, &UsageError{errors.New("--head: want SEQUENCE:HASH as an earlier verification printed it")}
	}
	return auditHead{sequence, hash}, nil
}

// stands reports whether an entry is there and the one that was seen before.
func (c *call) stands(r *resource, head auditHead) (bool, error) {
	var list items
	if err := c.get(fmt.Sprintf("%s?limit=1&before=%d", r.path, head.sequence+1), &list); err != nil {
		return false, err
	}
	return len(list.Items) == 1 && list.Items[0].text("sequence") == strconv.FormatUint(head.sequence, 10) && list.Items[0].text("hash") == head.hash, nil
}
