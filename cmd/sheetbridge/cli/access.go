package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/codegen"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func (p *program) accessCommand() *cobra.Command {
	r := p.resource("owners")
	cmd := &cobra.Command{
		Use: "access OWNER", Short: "Compare what an owner's token can reach with what is shared", Args: exactly("OWNER"), ValidArgsFunction: p.completeFirst(r),
		Long: "Compare what an owner's token can reach at Smartsheet with what is shared through the bridge, and say how to reduce it.\n" +
			"The token is not shown.\n" + apiHelp,
		Example: "  sheetbridge access ops",
	}
	return p.reads(cmd, []string{formatText, formatJSON}, func(c *call, args []string) error {
		n, err := r.names(r.args, args)
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := c.get(n.in(r.item)+"/access", &raw); err != nil {
			return err
		}
		if c.json() {
			return c.print(raw)
		}
		var report admin.Access
		if err := json.Unmarshal(raw, &report); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		_, err = io.WriteString(c.out, p.accessText(&report, c.width()))
		return err
	})
}

// accessText is the report for people.
func (p *program) accessText(r *admin.Access, width int) string {
	role := "not an administrator"
	if r.User.Admin {
		role = "a System Admin"
	}
	if !r.User.Licensed {
		role += ", not licensed"
	}
	head := fmt.Sprintf("owner %s acts for %s (%s), region %s, kind %s, %s", r.Owner, r.User.Email, r.User.Name, r.Region, r.Kind, role)
	lines := terminal.Paragraph("", terminal.Clean(head, 400), width)
	for _, s := range r.Shared {
		share := fmt.Sprintf("shares %s %q with %s (%s)", s.SheetID, s.Name, cmp.Or(strings.Join(s.With, ", "), "nobody itself"), cmp.Or(s.Permission, "cannot be read now"))
		if len(s.Writes) > 0 {
			share += fmt.Sprintf("; writes of %s are made in its name: they keep to the share's terms, the token itself may change all of the sheet", strings.Join(s.Writes, ", "))
		}
		lines += terminal.Paragraph("  ", terminal.Clean(share, 1000), width)
	}
	lines += terminal.Paragraph("", terminal.Clean(r.Verdict, 400), width)
	for _, w := range r.Warnings {
		lines += terminal.Paragraph("warning: ", terminal.Clean(w, 400), width)
	}
	for i, step := range r.Steps {
		lines += terminal.Paragraph(fmt.Sprintf("%d. ", i+1), terminal.Clean(p.inCommands(step), 2000), width)
	}
	return lines
}

// contractSource writes types for a contract, by the name of the language.
var contractSource = map[string]func(contract []byte) ([]byte, error){"go": codegen.Go, "ts": codegen.TypeScript}

func (p *program) contractCommand() *cobra.Command {
	var partner, lang string
	r := p.resource("partners")
	cmd := &cobra.Command{
		Use: "contract --partner NAME", Short: "Print what a partner receives: an AsyncAPI 3 document, or types",
		Long: "Print what a partner receives, as an AsyncAPI 3 document in JSON: its servers, the subjects of its shares, the messages and\n" +
			"their JSON Schemas. With --lang it is types in Go or TypeScript for them; those in Go have a function that decodes a message.\n" +
			"It holds no secret: you may give it to the partner.\n" + apiHelp,
		Example: "  sheetbridge contract --partner acme > acme.asyncapi.json\n  sheetbridge contract --partner acme --lang go > sheets.go",
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && !events.ValidName(partner) {
			return fmt.Errorf("--partner %q cannot be the name of a partner", terminal.Clean(partner, 64))
		}
		if lang != "" && contractSource[lang] == nil {
			return fmt.Errorf("--lang %q is neither go nor ts", terminal.Clean(lang, 64))
		}
		return NoArguments(cmd, args)
	}
	p.reads(cmd, nil, func(c *call, _ []string) error {
		var document json.RawMessage
		if err := c.get(names{"PARTNER": partner}.in(r.item)+"/contract", &document); err != nil {
			return err
		}
		if lang == "" {
			return c.print(document)
		}
		source, err := contractSource[lang](document)
		if err != nil {
			return err
		}
		_, err = c.out.Write(source)
		return err
	})
	cmd.Flags().StringVar(&lang, "lang", "", "print types in a `language`, go or ts, instead of the document")
	cmd.Flags().StringVar(&partner, "partner", "", "`name` of the partner")
	p.completeFlag(cmd, "partner", r)
	return cmd
}
