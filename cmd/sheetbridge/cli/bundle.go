package cli

import (
	"bytes"
	"cmp"
	"context"
	_ "embed" // the guide
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// Files of a bundle.
const (
	guideFile      = "README.md"
	contractFile   = "contract.json"
	invitationFile = "invitation.txt"
)

//go:embed guide.md
var guideText string

var guideTemplate = template.Must(template.New(guideFile).Parse(guideText))

// guide is what the guide in a bundle says. It comes from the contract, and so tells
// what the partner may see and nothing besides.
type guide struct {
	Partner, URL, Stream, Subjects string
	Credentials                    string // name of those that the invitation gives
	Until                          string // when the invitation ends
	Sheets                         []guideSheet
	Writes                         *guideSheet // one that takes writes, for the example; nil: none does
}

// guideSheet is one sheet of the guide.
type guideSheet struct {
	Name, Kinds, Fields string
	Writes              bool
}

// bundle is a folder in the making: what B's developer begins with.
type bundle struct {
	guide guide
	files map[string][]byte // by name, but for what tells of the invitation
}

func bundlePartner(p *program, r *resource, a *action) *cobra.Command {
	var dir, name string
	cmd := p.commandOf(r, a)
	cmd.Long = "Make a folder for a partner's developers: a guide with the address of NATS, the contract as AsyncAPI, types in Go and\n" +
		"TypeScript, and a link that gives credentials once. Nothing else in it is a secret. Only you can read it."
	cmd.Example = "  sheetbridge partners bundle acme\n  sheetbridge partners bundle acme --dir to-acme --name erp --expires 14d"
	cmd.Flags().StringVar(&dir, "dir", "", "`folder` to make, which must not exist (default PARTNER)")
	cmd.Flags().StringVar(&name, "name", "default", "`name` of the credentials that the link gives; those that have it go on for 24 hours once it is used")
	invitation := newInvitation(cmd)
	invitations := r.parts[slices.IndexFunc(r.parts, func(part *resource) bool { return part.name == "invitations" })]
	return p.changes(cmd, []string{formatText, formatJSON}, false, func(c *call, args []string) error {
		n, err := r.names(r.args, args)
		if err != nil {
			return err
		}
		if err := checkName("credentials", name); err != nil {
			return err
		}
		n["NAME"], dir = name, cmp.Or(dir, n["PARTNER"])
		body, err := invitation(c, n)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(dir); err == nil {
			return Usagef("%s exists: name another folder with --dir, or move it away", dir)
		}
		b, err := c.readBundle(n.in(r.item), n)
		if err != nil {
			return err
		}
		if c.dryRun {
			if err := c.wouldCall(http.MethodPost, n.in(invitations.path), body, ""); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.out, "The folder would be %s.\n", dir)
			return err
		}
		made, err := c.writeBundle(dir, invitations, n, b, body)
		if err != nil {
			return err
		}
		return c.showBundle(dir, made)
	})
}

// readBundle asks for what goes into a bundle, and makes its files.
func (c *call) readBundle(path string, n names) (*bundle, error) {
	var partner item
	if err := c.get(path, &partner); err != nil {
		return nil, err
	}
	var document json.RawMessage
	if err := c.get(path+"/contract", &document); err != nil {
		return nil, err
	}
	var contract bytes.Buffer
	if err := json.Indent(&contract, document, "", "  "); err != nil {
		return nil, fmt.Errorf("reading the contract: %w", err)
	}
	b := &bundle{files: map[string][]byte{contractFile: append(contract.Bytes(), '\n')}}
	for lang, write := range contractSource {
		source, err := write(document)
		if err != nil {
			return nil, err
		}
		b.files["sheets."+lang] = source
	}
	b.guide = guide{
		Partner: n["PARTNER"], URL: partner.text("url"), Stream: partner.text("stream"), Subjects: partner.text("subjects"), Credentials: n["NAME"],
	}
	var err error
	if b.guide.Sheets, err = guideSheets(document); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(b.guide.Sheets, func(s guideSheet) bool { return s.Writes }); i >= 0 {
		b.guide.Writes = &b.guide.Sheets[i]
	}
	return b, nil
}

// guideSheets are the sheets of a contract, by its subjects: smartsheet.acme.orders.row.*
func guideSheets(contract []byte) ([]guideSheet, error) {
	var d struct {
		Channels   map[string]struct{ Address string }
		Components struct {
			Schemas map[string]struct{ Properties map[string]json.RawMessage }
		}
	}
	if err := json.Unmarshal(contract, &d); err != nil {
		return nil, fmt.Errorf("reading the contract: %w", err)
	}
	kinds := map[string][]string{} // by sheet
	for _, channel := range d.Channels {
		if parts := strings.Split(channel.Address, "."); len(parts) > 3 && parts[0] == "smartsheet" {
			kinds[parts[2]] = append(kinds[parts[2]], parts[3])
		}
	}
	var list []guideSheet
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		slices.Sort(kinds[name])
		list = append(list, guideSheet{
			Name: name, Kinds: strings.Join(kinds[name], ", "), Writes: slices.Contains(kinds[name], "write"),
			Fields: strings.Join(slices.Sorted(maps.Keys(d.Components.Schemas[name+".row"].Properties)), ", "),
		})
	}
	return list, nil
}

// writeBundle makes the folder, with an invitation. Where that fails it leaves neither.
func (c *call) writeBundle(dir string, invitations *resource, n names, b *bundle, invitation any) (made *admin.MadeInvitation, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, Usagef("--dir: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	for name, text := range b.files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	made = &admin.MadeInvitation{}
	if err := c.send(http.MethodPost, n.in(invitations.path), invitation, made, ""); err != nil {
		return nil, err
	}
	if err := writeInvitation(dir, b.guide, made); err != nil {
		n["INVITATION"] = made.ID
		withdrawn := c.Call(context.WithoutCancel(c.cmd.Context()), http.MethodDelete, n.in(invitations.item), nil, nil)
		return nil, errors.Join(err, withdrawn)
	}
	return made, nil
}

// writeInvitation writes what tells of the invitation: the guide, and the link.
func writeInvitation(dir string, g guide, made *admin.MadeInvitation) error {
	g.Until = made.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST")
	var text bytes.Buffer
	if err := guideTemplate.Execute(&text, g); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, guideFile), text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, invitationFile), []byte(made.URL+"\n"), 0o600)
}

func (c *call) showBundle(dir string, made *admin.MadeInvitation) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	files := make([]any, len(entries))
	for i, entry := range entries {
		files[i] = entry.Name()
	}
	shown := item{"folder": dir, "files": files, "invitation": map[string]any{"id": made.ID, "name": made.Name, "expiresAt": made.ExpiresAt}}
	if c.json() {
		return c.print(shown)
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return err
	}
	var it item
	if err := decode(text, &it); err != nil {
		return err
	}
	err = c.show([]column{
		{name: "folder", field: "folder"}, {name: "files", field: "files"}, {name: "invitation", field: "invitation.id"},
		{name: "gives credentials", field: "invitation.name"}, {name: "works once, until", field: "invitation.expiresAt", format: when},
	}, nil, it)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "\nSend the folder to the partner over a safe channel, then delete it: the link in\n%s gives the credentials to the first person who uses it.\n", filepath.Join(dir, invitationFile))
	return err
}
