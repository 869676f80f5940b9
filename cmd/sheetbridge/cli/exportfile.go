package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// existing is what an instance has of partners and shares.
type existing struct {
	partners []admin.Partner
	webhooks []admin.Webhook
}

// existing reads what the instance has.
func (c *call) existing() (*existing, error) {
	var partners struct {
		Items []admin.Partner `json:"items"`
	}
	var webhooks struct {
		Items []admin.Webhook `json:"items"`
	}
	if err := c.get("/v1/partners", &partners); err != nil {
		return nil, err
	}
	if err := c.get("/v1/webhooks", &webhooks); err != nil {
		return nil, err
	}
	return &existing{partners.Items, webhooks.Items}, nil
}

func (p *program) exportCommand() *cobra.Command {
	schema := false
	cmd := &cobra.Command{
		Use: "export", Short: "Write the partners and shares as a file for sheetbridge apply", Args: NoArguments,
		Long: "Write the partners and shares as one YAML file, for sheetbridge diff and apply: to keep them in a repository, or to build\n" +
			"another instance. No secret is in it: owners, their tokens, partners' credentials and the addresses of their contacts are not.\n" + apiHelp,
		Example: "  sheetbridge export > shares.yaml\n  sheetbridge export --schema > shares.schema.json",
	}
	cmd.Flags().BoolVar(&schema, "schema", false, "write the JSON Schema of the file instead, for editors; that needs no service")
	cmd = p.reads(cmd, nil, func(c *call, _ []string) error {
		has, err := c.existing()
		if err != nil {
			return err
		}
		return writeShareFile(c, has)
	})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !schema {
			return run(cmd, args)
		}
		text, err := admin.FileSchema()
		if err != nil {
			return err
		}
		return (&call{out: cmd.OutOrStdout()}).print(json.RawMessage(text))
	}
	return cmd
}

func writeShareFile(c *call, has *existing) error {
	text, err := has.file().yaml()
	if err != nil {
		return err
	}
	_, err = c.out.Write(text)
	return err
}

// namedFile is a File with what people call its ids.
type namedFile struct {
	admin.File
	names yaml.CommentMap
}

// file is the file that makes what an instance has.
func (e *existing) file() *namedFile {
	f := &namedFile{names: yaml.CommentMap{}}
	for _, p := range e.partners {
		if p.Contact != "" { // the address may have a secret in it
			f.comment(fmt.Sprintf("$.partners[%d].name", len(f.Partners)), "told at "+p.Contact+": give it again with sheetbridge partners contact "+p.Name)
		}
		f.Partners = append(f.Partners, filePartner(p))
	}
	for _, w := range e.webhooks {
		f.addSheet(w)
	}
	return f
}

func (f *namedFile) addSheet(w admin.Webhook) {
	sheet := admin.FileSheet{Owner: w.Owner, SheetID: w.SheetID}
	at := fmt.Sprintf("$.sheets[%d]", len(f.Sheets))
	for _, s := range w.Shares {
		if s.State == "ended" {
			continue
		}
		share := admin.FileShare{Partner: s.Partner, Sheet: s.Sheet, ShareChange: admin.ShareChange{Where: s.Where, Until: s.Until, Write: s.Write, FilterMayFail: s.FilterMayFail}}
		if len(s.Kinds) != 1 { // rows alone are the default
			share.Kinds = s.Kinds
		}
		for i, col := range s.Columns {
			share.Columns = append(share.Columns, admin.NewColumn{ColumnID: col.ColumnID, As: col.As, Mask: col.Mask})
			f.comment(fmt.Sprintf("%s.shares[%d].columns[%d].columnId", at, len(sheet.Shares), i), col.Title)
		}
		sheet.Shares = append(sheet.Shares, share)
	}
	if len(sheet.Shares) == 0 {
		return
	}
	f.comment(at+".sheetId", w.SheetName)
	f.Sheets = append(f.Sheets, sheet)
}

// comment writes a name behind an id. An id stays what it is when a name changes.
func (f *namedFile) comment(at, name string) {
	f.names[at] = []*yaml.Comment{yaml.LineComment(" " + terminal.Clean(name, 100))}
}

// filePartner is a partner as a file has it, without what it has by default.
func filePartner(p admin.Partner) admin.FilePartner {
	file := admin.FilePartner{Name: p.Name}
	if p.External {
		file.NATS = &admin.FileNATS{URL: p.URL}
	}
	is, def := p.Terms, admin.DefaultTerms()
	if is.History != def.History {
		file.History = &is.History
	}
	if is.Tombstones != def.Tombstones {
		file.Tombstones = &is.Tombstones
	}
	if len(is.Sources) > 0 {
		file.Sources = &is.Sources
	}
	if len(is.Attributes) > 0 {
		file.Attributes = &is.Attributes
	}
	if is.Limits == nil {
		return file
	}
	var limits admin.NewLimits
	to, of, from := reflect.ValueOf(&limits).Elem(), reflect.ValueOf(*is.Limits), reflect.ValueOf(*def.Limits)
	for i := range of.NumField() {
		if name := of.Type().Field(i).Name; !of.Field(i).Equal(from.Field(i)) {
			value := reflect.New(of.Field(i).Type())
			value.Elem().Set(of.Field(i))
			to.FieldByName(name).Set(value)
			file.Limits = &limits
		}
	}
	return file
}

const fileHead = "# Partners and shares of Sheetbridge: sheetbridge diff -f says what would change, sheetbridge apply -f does it.\n" +
	"# Secrets are not in here: owners and their tokens are added with sheetbridge owners add.\n"

// yaml writes the file.
func (f *namedFile) yaml() ([]byte, error) {
	raw, err := json.Marshal(f.File)
	if err != nil {
		return nil, err
	}
	var ordered any
	if err := yaml.UnmarshalWithOptions(raw, &ordered, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	text, err := yaml.MarshalWithOptions(ordered, yaml.IndentSequence(true), yaml.WithComment(f.names))
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{[]byte(strings.TrimSpace(fileHead)), text}, []byte("\n")), nil
}
