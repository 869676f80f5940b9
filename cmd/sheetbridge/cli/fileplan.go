package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// step is one call of the API that brings an instance nearer to a file. Done once
// more it changes nothing.
type step struct {
	Do      string   `json:"do"` // add, change or remove
	What    []string `json:"what"`
	Details []string `json:"details,omitempty"`
	Line    int      `json:"line,omitempty"` // of the file; 0: the file does not name it

	method, path string
	body         any
	partners     []string // of shares in the body
	waitsFor     string
	at           func(field string) string // where in the file a field of the body is
}

// plan is what would be done to an instance to have it as the file says.
type plan struct {
	steps    []step
	left     []string // what the file does not name, and stays
	offered  []string // shares of sheets of folders and workspaces of which nothing is shared yet
	breaking []mistake
	wrong    []mistake
}

// planner compares a file with an instance. What a file means is the API's to say: it
// is asked with dryRun.
type planner struct {
	c      *call
	f      *shareFile
	has    *existing
	sheets []fileSheet
	plan   plan
}

// planFile checks a whole file against an instance, and returns what is to be done.
func (c *call) planFile(f *shareFile, prune, newSheets bool) (*plan, error) {
	has, err := c.existing()
	if err != nil {
		return nil, err
	}
	p := &planner{c: c, f: f, has: has}
	for i := range f.Partners {
		if err := p.partner(i); err != nil {
			return nil, err
		}
	}
	if err := p.findSheets(newSheets); err != nil {
		return nil, err
	}
	for _, sheet := range p.sheets {
		if err := p.sheet(sheet); err != nil {
			return nil, err
		}
	}
	p.unnamed(prune)
	return &p.plan, nil
}

// partner plans one partner of the file.
func (p *planner) partner(i int) error {
	file, at := p.f.Partners[i], fmt.Sprintf("partners[%d]", i)
	s := step{What: []string{"partner " + file.Name}, Line: p.f.line(at), at: func(field string) string { return at + "." + field }}
	known := slices.IndexFunc(p.has.partners, func(has admin.Partner) bool { return has.Name == file.Name })
	if known < 0 {
		body, err := p.newPartner(file)
		if err != nil {
			p.plan.wrong = append(p.plan.wrong, mistake{at + ".nats", err.Error()})
			return nil
		}
		s.Do, s.method, s.path, s.body = "add", http.MethodPost, "/v1/partners", body
		accepted, err := p.try(s, nil)
		if accepted {
			p.plan.steps = append(p.plan.steps, s)
		}
		return err
	}
	has := p.has.partners[known]
	if file.NATS != nil && (!has.External || has.URL != file.NATS.URL) {
		p.plan.wrong = append(p.plan.wrong, mistake{at + ".nats", fmt.Sprintf("the account of partner %q is at %s: a partner stays at the NATS where it was made. Remove it and add it again, or take this out", file.Name, has.URL)})
		return nil
	}
	s.Do, s.method, s.path, s.body = "change", http.MethodPatch, "/v1/partners/"+file.Name, file.NewTerms
	var would admin.Partner
	if accepted, err := p.try(s, &would); !accepted {
		return err
	}
	var err error
	if s.Details, err = differences(has.Terms, would.Terms); len(s.Details) > 0 {
		p.plan.steps = append(p.plan.steps, s)
	}
	return err
}

// newPartner is what makes a partner of the file. No credentials are made, so that no
// secret comes to light.
func (p *planner) newPartner(file admin.FilePartner) (admin.NewPartner, error) {
	body := admin.NewPartner{Name: file.Name, NewTerms: file.NewTerms, WithoutCredentials: true}
	if file.NATS == nil {
		return body, nil
	}
	if file.NATS.CredentialsFile == "" {
		return body, errors.New("partner is new here: name a file with the bridge's credentials at that NATS as credentialsFile")
	}
	creds := file.NATS.CredentialsFile
	if !filepath.IsAbs(creds) {
		creds = filepath.Join(filepath.Dir(p.f.path), creds)
	}
	nats := admin.NATS{URL: file.NATS.URL}
	if err := p.c.readNATS(&nats, creds); err != nil {
		return body, err
	}
	body.NATS = &nats
	return body, nil
}

// sheet plans the shares of one sheet of the file: those that are new in one call,
// the others one by one.
func (p *planner) sheet(file fileSheet) error {
	i := file.place
	n := admin.NewWebhook{Owner: file.Owner, SheetID: file.SheetID}
	var places []int // of the new shares
	s := step{Do: "add", Line: p.f.line(fmt.Sprintf("sheets[%d]", i)), method: http.MethodPost, path: "/v1/webhooks", waitsFor: "Smartsheet to verify the webhook"}
	for j, share := range file.Shares {
		name := share.Partner + "/" + share.Sheet
		if w, has := p.has.share(share.Partner, share.Sheet); has != nil {
			if err := p.change(file, j, w, has); err != nil {
				return err
			}
			continue
		}
		n.Shares = append(n.Shares, admin.NewShare(share))
		places, s.partners = append(places, j), append(s.partners, share.Partner)
		s.What = append(s.What, "share "+name+file.of())
	}
	if len(places) == 0 {
		return nil
	}
	s.Line = p.f.line(fmt.Sprintf("sheets[%d].shares[%d]", i, places[0]))
	s.body = n
	s.at = func(field string) string {
		at := fmt.Sprintf("sheets[%d]", i)
		if m := bodyShare.FindStringSubmatch(field); m != nil {
			if k, err := strconv.Atoi(m[1]); err == nil && k < len(places) {
				return fmt.Sprintf("%s.shares[%d]%s", at, places[k], m[2])
			}
		}
		return at + "." + field
	}
	var previews admin.Previews
	if accepted, err := p.try(s, &previews); !accepted {
		return err
	}
	p.plan.steps = append(p.plan.steps, s)
	for k, preview := range previews.Shares {
		if preview.Refused != "" {
			p.plan.wrong = append(p.plan.wrong, mistake{fmt.Sprintf("sheets[%d].shares[%d].where", i, places[k]), preview.Refused})
		}
	}
	return nil
}

// bodyShare is a field of one of the shares in a request.
var bodyShare = regexp.MustCompile(`^shares\[(\d+)\](.*)$`)

// share finds a share, with the webhook that it is of.
func (e *existing) share(partner, sheet string) (*admin.Webhook, *admin.Share) {
	for i := range e.webhooks {
		for j, s := range e.webhooks[i].Shares {
			if s.Partner == partner && s.Sheet == sheet && s.State != "ended" {
				return &e.webhooks[i], &e.webhooks[i].Shares[j]
			}
		}
	}
	return nil, nil
}

// change plans a share that is there already.
func (p *planner) change(sheet fileSheet, j int, w *admin.Webhook, has *admin.Share) error {
	i, at := sheet.place, fmt.Sprintf("sheets[%d].shares[%d]", sheet.place, j)
	share := sheet.Shares[j]
	if w.SheetID != sheet.SheetID {
		p.plan.wrong = append(p.plan.wrong, mistake{at + ".sheet", fmt.Sprintf("partner %q gets sheet %s under the name %q: choose another name, or end that share first with sheetbridge shares remove %s/%s", share.Partner, w.SheetID, share.Sheet, share.Partner, share.Sheet)})
		return nil
	}
	body := admin.NewShareDefinition{ShareChange: share.ShareChange}
	s := step{
		Do: "change", What: []string{"share " + share.Partner + "/" + share.Sheet + sheet.of()}, Line: p.f.line(at), method: http.MethodPut,
		path: "/v1/webhooks/" + w.ID + "/shares/" + share.Partner + "/" + share.Sheet,
		at:   func(field string) string { return at + "." + field }, partners: []string{share.Partner},
	}
	if w.Owner != sheet.Owner {
		body.Owner, s.waitsFor = sheet.Owner, "Smartsheet to verify the webhook"
		s.at = func(field string) string {
			if field == "owner" {
				return fmt.Sprintf("sheets[%d].owner", i)
			}
			return at + "." + field
		}
	}
	s.body = body
	var would admin.SharePreview
	if accepted, err := p.try(s, &would); !accepted || would.Same {
		return err
	}
	var err error
	s.Details, err = differences(admin.ShareDefinition{Owner: w.Owner, Columns: has.Columns, Where: has.Where, Kinds: has.Kinds, Until: has.Until, Write: has.Write}, would.Share)
	if err != nil {
		return err
	}
	if len(would.Breaking) > 0 {
		what := strings.Join(would.Breaking, "; ")
		p.plan.breaking = append(p.plan.breaking, mistake{at, "this would break the partner's consumers: " + what + ". If that is agreed, add --breaking"})
		s.Details = append(s.Details, "breaking: "+what)
		body.Breaking = true
		s.body = body
	}
	p.plan.steps = append(p.plan.steps, s)
	return nil
}

// unnamed plans what the file does not name: it is removed with prune, and left
// otherwise. A sheet of which nothing is named goes with its shares.
func (p *planner) unnamed(prune bool) {
	shares, sheets, partners := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, partner := range p.f.Partners {
		partners[partner.Name] = true
	}
	for _, s := range p.sheets {
		sheets[s.Owner+"/"+s.SheetID] = true
		for _, share := range s.Shares {
			shares[share.Partner+"/"+share.Sheet], partners[share.Partner] = true, true
		}
	}
	remove := func(path, waitsFor string, what ...string) {
		if !prune {
			p.plan.left = append(p.plan.left, what...)
			return
		}
		p.plan.steps = append(p.plan.steps, step{Do: "remove", What: what, method: http.MethodDelete, path: path, waitsFor: waitsFor})
	}
	for _, w := range p.has.webhooks {
		var gone []string
		for _, s := range w.Shares {
			if name := s.Partner + "/" + s.Sheet; !shares[name] && s.State != "ended" {
				gone = append(gone, name)
			}
		}
		if !sheets[w.Owner+"/"+w.SheetID] {
			what := []string{fmt.Sprintf("sheet %s (%s) of owner %s", w.SheetID, w.SheetName, w.Owner)}
			for _, name := range gone {
				what = append(what, "share "+name)
			}
			remove("/v1/webhooks/"+w.ID, "Smartsheet to delete the webhook", what...)
			continue
		}
		for _, name := range gone {
			remove("/v1/webhooks/"+w.ID+"/shares/"+name, "", "share "+name)
		}
	}
	for _, partner := range p.has.partners {
		if !partners[partner.Name] {
			remove("/v1/partners/"+partner.Name, "", "partner "+partner.Name)
		}
	}
}

// try asks the API what a step would do, and tells whether it accepts it. What is wrong
// with it is added to the plan, where the file is to blame.
func (p *planner) try(s step, would any) (accepted bool, err error) {
	query := "?dryRun=true"
	if s.path == "/v1/webhooks" {
		var made []string
		for _, partner := range p.f.Partners {
			if !slices.ContainsFunc(p.has.partners, func(has admin.Partner) bool { return has.Name == partner.Name }) {
				made = append(made, partner.Name)
			}
		}
		query += "&newPartners=" + url.QueryEscape(strings.Join(made, ","))
	}
	attributes, err := p.attributes(s.partners)
	if err != nil {
		return false, err
	}
	if attributes != "" {
		query += "&attributes=" + url.QueryEscape(attributes)
	}
	err = p.c.waitForBudget(func() error { return p.c.send(s.method, s.path+query, s.body, would, "") })
	if wrong := p.f.mistakes(err, s); len(wrong) > 0 {
		p.plan.wrong = append(p.plan.wrong, wrong...)
		return false, nil
	}
	return err == nil, err
}

// mistakes are what an answer of the API says is wrong with the body of a step.
func (f *shareFile) mistakes(err error, s step) (wrong []mistake) {
	var refused *APIError
	if !errors.As(err, &refused) || s.at == nil {
		return nil
	}
	for _, field := range refused.Fields {
		at := s.at(strings.TrimPrefix(field.Location, "body."))
		wrong = append(wrong, mistake{at, field.Message})
	}
	return wrong
}

const (
	budgetTries = 20              // of a call for which the token has no request left
	budgetWait  = 2 * time.Minute // the longest that one waits for it
)

// waitForBudget tries again while the owner's token has no request left: a large file
// asks Smartsheet for many sheets.
func (c *call) waitForBudget(try func() error) error {
	for n := 1; ; n++ {
		err := try()
		var refused *APIError
		if !errors.As(err, &refused) || refused.RetryAfter <= 0 || refused.RetryAfter > budgetWait || n == budgetTries {
			return err
		}
		fmt.Fprintf(c.cmd.ErrOrStderr(), "waiting %s: %s\n", refused.RetryAfter, refused.Detail)
		select {
		case <-c.cmd.Context().Done():
			return c.cmd.Context().Err()
		case <-time.After(refused.RetryAfter):
		}
	}
}
