package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func (p *program) initCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Share a first sheet by answering questions", Args: NoArguments,
		Long: "Share a sheet with a partner by answering questions: the owner's token, the sheet, its columns, the partner,\n" +
			"masks and a filter, which is tried on the rows. Nothing is\n" +
			"shared before the rows were shown as the partner will see them. What was done is in a file for sheetbridge apply.\n" + apiHelp,
	}
	return p.reads(cmd, nil, func(c *call, _ []string) error {
		q, ok := terminal.NewQuestions(cmd.InOrStdin(), c.out)
		if !ok {
			return Usagef("init asks questions, and there is no terminal to ask them on. Without one use sheetbridge owners add, partners add and shares add, or sheetbridge apply -f FILE")
		}
		err := (&firstDay{p: p, c: c, q: q}).run()
		if errors.Is(err, terminal.ErrInterrupted) {
			return errors.New("init was interrupted: what it has said to be done stays, and init can be run again")
		}
		return err
	})
}

// firstDay asks for what a first share needs.
type firstDay struct {
	p *program
	c *call
	q *terminal.Questions
}

func (d *firstDay) run() error {
	owner, err := d.owner()
	if err != nil {
		return err
	}
	sheet, err := d.sheet(owner)
	if err != nil {
		return err
	}
	columns, err := d.columns(owner, sheet)
	if err != nil {
		return err
	}
	partner, isNew, err := d.partner()
	if err != nil {
		return err
	}
	n := admin.NewWebhook{Owner: owner, SheetID: sheet.text("id"), Shares: []admin.NewShare{{Partner: partner}}}
	if n.Shares[0].Columns, err = d.masks(columns, partner); err != nil {
		return err
	}
	if n.Shares[0].Where, err = d.filter(n); err != nil {
		return err
	}
	if err := d.preview(&n); err != nil {
		return err
	}
	if agreed, err := d.yes("Share this?"); err != nil || !agreed {
		return cmp.Or(err, errors.New("nothing was shared"))
	}
	return d.share(n, sheet, columns, isNew)
}

func (d *firstDay) printf(format string, args ...any) {
	fmt.Fprintf(d.c.out, format+"\n", args...) // a terminal that is gone is found by the next question
}

func (d *firstDay) ask(question, byDefault string) (string, error) {
	return d.q.Ask(d.c.cmd.Context(), question, byDefault)
}

func (d *firstDay) yes(question string) (bool, error) {
	answer, err := d.ask(question+" yes or no", "")
	return answer == "yes" || answer == "y", err
}

// again says why an answer will not do, where the API says so of what was asked for.
func (d *firstDay) again(err error) bool {
	var refused *APIError
	if !errors.As(err, &refused) || refused.Code != http.StatusUnprocessableEntity && refused.Code != http.StatusConflict {
		return false
	}
	d.printf("  %s", d.p.explainError(err))
	return true
}

// owner is an owner that works, or a new one.
func (d *firstDay) owner() (string, error) {
	var known items
	if err := d.c.get("/v1/owners", &known); err != nil {
		return "", err
	}
	for _, o := range known.Items {
		if o.text("state") != "ok" {
			continue
		}
		d.printf("Sheets are read in the name of owner %s (%s).", o.text("name"), terminal.Clean(o.text("email"), 100))
		return o.text("name"), nil
	}
	d.printf("Sheets are read in the name of a Smartsheet user, the owner, with an access token of that user\n(in Smartsheet: Personal Settings, API Access).")
	for {
		name, err := d.ask("Name for the owner", "ops")
		if err != nil {
			return "", err
		}
		region, err := d.ask("Region of its account: us, eu, au or gov", "us")
		if err != nil {
			return "", err
		}
		if _, err := smartsheet.ParseRegion(region); err != nil {
			d.printf("  %q is no region.", terminal.Clean(region, 20))
			continue
		}
		token, err := d.q.AskHidden(d.c.cmd.Context(), "Access token, which is not shown")
		if err != nil {
			return "", err
		}
		var made item
		err = d.c.send(http.MethodPost, "/v1/owners", admin.NewOwner{Name: name, Region: region, Token: token}, &made, "Smartsheet")
		if err == nil {
			d.printf("The token works: it is %s's.\n", terminal.Clean(made.text("email"), 100))
			return name, nil
		}
		if !d.again(err) {
			return "", err
		}
	}
}

// mostListed bounds how many things are listed to choose from.
const mostListed = 20

// sheet finds a sheet by a part of its name.
func (d *firstDay) sheet(owner string) (item, error) {
	var all items
	if err := d.c.get("/v1/owners/"+url.PathEscape(owner)+"/sheets", &all); err != nil {
		return nil, err
	}
	if len(all.Items) == 0 {
		return nil, fmt.Errorf("owner %s can read no sheet: share one with its user in Smartsheet, and run init again", owner)
	}
	found := all.Items
	for {
		for i, s := range found[:min(len(found), mostListed)] {
			d.printf("  %2d  %s", i+1, terminal.Clean(s.text("name"), 100))
		}
		if len(found) > mostListed {
			d.printf("      and %d more", len(found)-mostListed)
		}
		answer, err := d.ask("Number of the sheet, or a part of its name", "")
		if err != nil {
			return nil, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= min(len(found), mostListed) {
			return found[n-1], nil
		}
		found = slices.DeleteFunc(slices.Clone(all.Items), func(s item) bool {
			return !strings.Contains(strings.ToLower(s.text("name")), strings.ToLower(answer))
		})
		if len(found) == 0 {
			d.printf("  No sheet has %q in its name.", terminal.Clean(answer, 100))
			found = all.Items
		}
	}
}

// filter is an expression over the rows that was tried on them, empty for all rows.
func (d *firstDay) filter(n admin.NewWebhook) (string, error) {
	share := n.Shares[0]
	var names []string
	for _, column := range share.Columns {
		names = append(names, column.As)
	}
	d.printf("\nA filter shows only rows for which it is true, such as %s != 'Draft'. It can use the fields\n%s and, as cells[\"Title\"], any column of the sheet.", names[0], strings.Join(names, ", "))
	for {
		where, err := d.ask("Filter, or Enter for all rows", "")
		if err != nil || where == "" {
			return "", err
		}
		share.Where = where
		n.Shares = []admin.NewShare{share}
		tried, err := d.try(n)
		if isAbout(err, ".where") && d.again(err) {
			continue
		} else if err != nil {
			return where, nil // it is about something else, which the preview asks for
		}
		d.printf("  %s", terminal.Clean(filterText(tried)+fmt.Sprintf("; %s would be hidden", terminal.Thousands(int64(tried.Hidden))), 400))
		if tried.Failed > 0 && tried.Failed == tried.Rows {
			d.printf("  A filter that can be evaluated on no row is not taken.")
			continue
		}
		if keep, err := d.yes("Keep this filter?"); err != nil || keep {
			return where, err
		}
	}
}

// isAbout tells whether an error of the API is about a field whose name ends so.
func isAbout(err error, end string) bool {
	var refused *APIError
	return errors.As(err, &refused) && slices.ContainsFunc(refused.Fields, func(f FieldProblem) bool { return strings.HasSuffix(f.Location, end) })
}

// try says what the filter of a share shows of the rows that are there.
func (d *firstDay) try(n admin.NewWebhook) (admin.FilterTrial, error) {
	var tried previews
	err := d.c.send(http.MethodPost, "/v1/webhooks?dryRun=true&newPartners="+url.QueryEscape(n.Shares[0].Partner), n, &tried, "")
	if err == nil && len(tried.Shares) != 1 {
		err = errors.New("the service tried no filter: is it older than this program?")
	}
	if err != nil {
		return admin.FilterTrial{}, err
	}
	return tried.Shares[0].Filter, nil
}

// partner is the name of a partner, and whether it is a new one.
func (d *firstDay) partner() (string, bool, error) {
	has, err := d.c.existing()
	if err != nil {
		return "", false, err
	}
	var names []string
	for _, p := range has.partners {
		names = append(names, p.Name)
	}
	question := "Name of the partner who gets them"
	if len(names) > 0 {
		question += ": one of " + strings.Join(names[:min(len(names), mostListed)], ", ") + ", or a new one"
	}
	for {
		name, err := d.ask("\n"+question, "")
		if err != nil {
			return "", false, err
		}
		if err := checkName("a partner", name); err != nil {
			d.printf("  %v", err)
			continue
		}
		return name, !slices.Contains(names, name), nil
	}
}

// preview shows what the partner would see, under a name for the sheet that is free.
func (d *firstDay) preview(n *admin.NewWebhook) error {
	share := &n.Shares[0]
	for {
		var shown previews
		err := d.c.send(http.MethodPost, "/v1/webhooks?dryRun=true&newPartners="+url.QueryEscape(share.Partner), n, &shown, "")
		if err == nil && len(shown.Shares) == 1 {
			share.Sheet = shown.Shares[0].Sheet
			has, err := d.c.existing()
			if err != nil {
				return err
			}
			if _, there := has.share(share.Partner, share.Sheet); there == nil {
				d.printf("")
				return shown.write(d.c.out, d.c.width())
			}
			d.printf("  Partner %s gets a sheet %q already.", share.Partner, share.Sheet)
		} else if !d.again(err) {
			return err
		}
		if share.Sheet, err = d.ask("Another name for the sheet, as the partner will see it", ""); err != nil {
			return err
		}
	}
}

// share writes the file, and applies it as sheetbridge apply does.
func (d *firstDay) share(n admin.NewWebhook, sheet item, columns []item, newPartner bool) error {
	path, file, err := d.file()
	if err != nil {
		return err
	}
	share := n.Shares[0]
	f := &namedFile{names: yaml.CommentMap{}}
	if newPartner {
		f.Partners = []admin.FilePartner{{Name: share.Partner}}
	}
	f.Sheets = []admin.FileSheet{{Owner: n.Owner, SheetID: n.SheetID, Shares: []admin.FileShare{admin.FileShare(share)}}}
	f.comment("$.sheets[0].sheetId", sheet.text("name"))
	for i, column := range columns {
		f.comment(fmt.Sprintf("$.sheets[0].shares[0].columns[%d].columnId", i), column.text("title"))
	}
	text, err := f.yaml()
	if err == nil {
		_, err = file.Write(text)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	parsed, err := parseShareFile(path, string(text))
	if err != nil {
		return err
	}
	steps, err := d.c.planFile(parsed, false, false)
	if err != nil {
		return err
	}
	if len(steps.wrong) > 0 {
		return parsed.refuse(steps.wrong)
	}
	if err := d.c.apply(parsed, steps); err != nil {
		return err
	}
	d.printf("%s has what was done: change it, and run sheetbridge apply -f %s.", path, path)
	if err := d.c.watchLoad(d.p.resource("shares"), share.Partner+"/"+share.Sheet); err != nil {
		return err
	}
	if newPartner {
		return d.credentials(share.Partner)
	}
	return nil
}

// file makes the file that init writes.
func (d *firstDay) file() (string, *os.File, error) {
	for {
		path, err := d.ask("File for what is done, for sheetbridge apply", "shares.yaml")
		if err != nil {
			return "", nil, err
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			return path, file, nil
		}
		d.printf("  %v: name another file", err)
	}
}

// credentials lets a new partner in.
func (d *firstDay) credentials(partner string) error {
	d.printf("\nThe partner needs credentials. With a link no secret goes through your hands: sheetbridge partners\ninvitations add %s NAME. Or they are written to a file here, to be sent over a safe channel.", partner)
	for {
		path, err := d.ask("File for the credentials, or - for none", partner+".creds")
		if err != nil || path == "-" {
			return err
		}
		err = d.c.addWithCreds(path, "/v1/partners/"+partner+"/credentials", admin.NewCredentials{Name: "default"},
			[]column{{name: "credentials", field: "name"}, {name: "expire", field: "expiresAt", format: orNever}})
		var usage *UsageError
		if !errors.As(err, &usage) {
			if err == nil {
				d.printf("To see what the partner sees: sheetbridge tail --creds %s", path)
			}
			return err
		}
		d.printf("  %v", err)
	}
}
