package owner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// warnTime bounds how long Warnings waits for Smartsheet.
const warnTime = 10 * time.Second

// Reach is what an owner's token can reach, against what is shared in its name.
type Reach struct {
	Owner         string        `json:"owner" example:"ops"`
	Kind          string        `json:"kind" enum:"token,assume,oauth"`
	Region        string        `json:"region" enum:"us,eu,au,gov"`
	User          AccessUser    `json:"user" doc:"For whom it reads"`
	Scopes        []string      `json:"scopes,omitempty" doc:"What a consent covers; a token of a user's own may do whatever the user may"`
	SheetsReached int           `json:"sheetsReached" doc:"Sheets that the token can read"`
	SheetsShared  int           `json:"sheetsShared" doc:"Sheets of which something is shared through the bridge"`
	Shared        []SharedSheet `json:"shared" nullable:"false"`
	Verdict       string        `json:"verdict" example:"this token can read 412 sheets; 2 are shared: use an account that sees only these 2"`
	Warnings      []string      `json:"warnings" nullable:"false" doc:"One for each thing that it can do and need not"`
	Steps         []string      `json:"steps" nullable:"false" doc:"How to make access that can do no more than needed; none where it can do no more"`
}

// AccessUser is a user of Smartsheet.
type AccessUser struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Admin    bool   `json:"admin" doc:"The token is a System Admin's"`
	Licensed bool   `json:"licensed" doc:"The user may own sheets and make tokens"`
}

// SharedSheet is a sheet that is shared, and with whom.
type SharedSheet struct {
	SheetID    string   `json:"sheetId" example:"4509506114742148"`
	Name       string   `json:"name"`
	Permission string   `json:"permission" doc:"What the user may do with it; empty: it cannot be read at the moment"`
	With       []string `json:"with" nullable:"false" doc:"Partners"`
	Writes     []string `json:"writes" nullable:"false" doc:"Partners whose writes are made in the user's name, for which it has to be EDITOR; the token itself may then change all of the sheet"`
}

// Reach asks Smartsheet what the owner can reach: who the user is, and a request for each
// 1,000 sheets. It is a conflict where the owner's access does not work.
func (w *Owners) Reach(ctx context.Context, o *registry.Owner, class budget.Class) (*Reach, error) {
	client, err := w.client(o, class)
	if err != nil {
		return nil, err
	}
	me, err := client.Me(ctx)
	if err != nil {
		return nil, problem.FromSmartsheet("asking who the user is", err)
	}
	seen := map[int64]string{}
	for s, err := range client.Sheets(ctx) {
		if err != nil {
			return nil, problem.FromSmartsheet("listing the sheets", err)
		}
		seen[s.ID] = s.AccessLevel
	}
	report := &Reach{
		Owner: o.Name, Kind: o.Kind, Region: string(o.Region), SheetsReached: len(seen), Shared: w.sharedOf(o.Name, seen),
		User: AccessUser{
			Email: me.Email, Name: strings.TrimSpace(me.FirstName + " " + me.LastName),
			Admin: me.Admin || o.Kind == KindAssume, Licensed: me.LicensedSheetCreator,
		},
	}
	if o.Kind == KindOAuth {
		report.Scopes = []string{smartsheet.ScopeReadSheets, smartsheet.ScopeAdminWebhooks}
	}
	report.SheetsShared = len(report.Shared)
	report.judge(o)
	return report, nil
}

// sharedOf lists what is shared, or written, in the owner's name.
func (w *Owners) sharedOf(owner string, seen map[int64]string) []SharedSheet {
	list := []SharedSheet{}
	for _, reg := range w.Registry.Registrations() {
		if reg.Phase == registry.PhaseDeleting {
			continue
		}
		var with, writes []string
		for _, s := range w.Registry.Shares(reg.ID) {
			if s.Ending {
				continue
			}
			if reg.Owner == owner && !slices.Contains(with, s.Partner) {
				with = append(with, s.Partner)
			}
			if s.Write != nil && cmp.Or(s.Write.Owner, reg.Owner) == owner && !slices.Contains(writes, s.Partner) {
				writes = append(writes, s.Partner)
			}
		}
		if len(with)+len(writes) == 0 {
			continue
		}
		id := strconv.FormatInt(reg.SheetID, 10)
		at := slices.IndexFunc(list, func(s SharedSheet) bool { return s.SheetID == id })
		if at < 0 { // else another owner has registered it too
			at = len(list)
			list = append(list, SharedSheet{SheetID: id, Name: reg.SheetName, Permission: seen[reg.SheetID], With: []string{}, Writes: []string{}})
		}
		list[at].With = append(list[at].With, with...)
		list[at].Writes = append(list[at].Writes, writes...)
	}
	return list
}

// judge says what is more than needed, and what to do about it.
func (r *Reach) judge(o *registry.Owner) {
	r.Warnings, r.Steps = []string{}, []string{}
	if o.Kind == KindAssume {
		r.warn("the token is a System Admin's and can act for every user of the account, not for %s alone: let that user make a token, or consent", o.AssumeUser)
	} else if r.User.Admin {
		r.warn("the user is a System Admin: anyone who gets hold of this token can manage all users and act for them")
	}
	extra := r.SheetsReached - r.readable()
	if extra > 0 {
		r.warn("the token can read %s that %s not shared through the bridge", sheets(extra), map[bool]string{true: "is", false: "are"}[extra == 1])
	}
	for _, s := range r.Shared {
		r.judgePermission(s, o.Kind != KindOAuth)
	}
	if !r.User.Licensed && o.Kind == KindToken {
		r.warn("the user has no licence: such users cannot make a new token when this one is lost")
	}
	r.Verdict = r.verdict(extra)
	if len(r.Warnings) > 0 {
		r.Steps = r.steps(o)
	}
}

// judgePermission says where the user may do more with a sheet than is needed, or
// less. A consent that covers no changes makes more harmless.
func (r *Reach) judgePermission(s SharedSheet, mayChange bool) {
	writers, edits := strings.Join(s.Writes, ", "), s.Permission != "" && s.Permission != "VIEWER" && s.Permission != "COMMENTER"
	switch {
	case writers != "" && !mayChange:
		r.warn("writes of %s to sheet %q are to be made in the name of this owner, whose consent covers no changes, so that they are refused: name one with a token in the share's write.owner", writers, s.Name)
	case writers == "" && s.Permission != "" && s.Permission != "VIEWER" && mayChange:
		r.warn("the user is %s of sheet %q, so that the token can change it: VIEWER is enough", s.Permission, s.Name)
	case writers != "" && !edits:
		r.warn("the user is %s of sheet %q, in whose name writes of %s are to be made, so that they are refused: EDITOR is needed", cmp.Or(s.Permission, "not even a reader"), s.Name, writers)
	case writers != "" && s.Permission != "EDITOR" && mayChange:
		r.warn("the user is %s of sheet %q, so that the token can change its columns or sharing too: EDITOR is enough for the writes of %s", s.Permission, s.Name, writers)
	}
}

func (r *Reach) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// readable is how many of the shared sheets the token can read.
func (r *Reach) readable() int {
	n := 0
	for _, s := range r.Shared {
		if s.Permission != "" {
			n++
		}
	}
	return n
}

func sheets(n int) string {
	if n == 1 {
		return "1 sheet"
	}
	return strconv.Itoa(n) + " sheets"
}

func (r *Reach) verdict(extra int) string {
	shared := strconv.Itoa(r.SheetsShared) + " are shared"
	switch r.SheetsShared {
	case 0:
		shared = "none is shared"
	case 1:
		shared = "1 is shared"
	}
	text := fmt.Sprintf("this token can read %s; %s", sheets(r.SheetsReached), shared)
	switch {
	case extra > 0 && r.SheetsShared == 0:
		return text + ": use an account that sees only what you are going to share"
	case extra > 0:
		only := "these " + strconv.Itoa(r.SheetsShared)
		if r.SheetsShared == 1 {
			only = "this one"
		}
		return text + ": use an account that sees only " + only
	case len(r.Warnings) > 0:
		return text + ", and it can do more than read them: see the warnings"
	}
	return text + ": it reaches no more than needed"
}

// maxSteps is how many sheets the steps name.
const maxSteps = 20

func (r *Reach) steps(o *registry.Owner) []string {
	names := make([]string, 0, len(r.Shared))
	for _, s := range r.Shared[:min(len(r.Shared), maxSteps)] {
		name := strconv.Quote(s.Name)
		if len(s.Writes) > 0 {
			name += " (this one as Editor)"
		}
		names = append(names, name)
	}
	what := "the sheets that you are going to share"
	if len(names) > 0 {
		what = strings.Join(names, ", ")
	}
	if len(r.Shared) > maxSteps {
		what += fmt.Sprintf(" and %d more", len(r.Shared)-maxSteps)
	}
	token := "Log in as that user, make a token (Account > Personal Settings > API Access) and add it: POST /v1/owners"
	if o.Kind == KindOAuth {
		token = `Add it as an owner with {"kind":"oauth"} (POST /v1/owners) and consent as that user`
	}
	return []string{
		"In Smartsheet's Admin Center, add a user for the bridge alone (User Management > Add user), licensed, no System Admin",
		"Share with it as Viewer: " + what + ". Nothing else, and no workspace",
		token,
		"Have each share read in the name of the new owner (PUT /v1/webhooks/{id}/shares/{partner}/{sheet}, with owner): it goes on, and nothing is sent twice",
		fmt.Sprintf("Remove the webhooks of this owner, which have no share any more (DELETE /v1/webhooks/{id}), then this owner (DELETE /v1/owners/%s), and revoke its token in Smartsheet", o.Name),
	}
}

// Warnings returns the warnings of [Owners.Reach], as far as Smartsheet answers soon;
// otherwise none: they must not keep anybody from adding an owner or a share.
func (w *Owners) Warnings(ctx context.Context, name string) []string {
	o := w.Registry.Owner(name)
	if o == nil || o.State != registry.OwnerOK {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, warnTime)
	defer cancel()
	reach, err := w.Reach(ctx, o, budget.Load)
	if err != nil {
		w.Log.Info("could not find out what an owner's token can reach", "owner", name, "err", err)
		return nil
	}
	return reach.Warnings
}
