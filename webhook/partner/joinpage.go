package partner

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// joinPage is what a browser is shown: nothing from elsewhere, and no script. It
// has no value of a sheet, no title of a column that is not shared, and no token.
type joinPage struct {
	Title, Text string
	Style       template.CSS
	Invitation  *invitationPage // nil: there is none to be used
}

// invitationPage says in words what an invitation gives.
type invitationPage struct {
	From, Partner, Name string
	URL                 string
	Good                string // until when the invitation is good
	Replaces            bool   // the partner has credentials of that name
	Shares              []sharePage
}

// sharePage says in words what one share shows.
type sharePage struct {
	Sheet, Columns, Rows, Kinds, Until string
}

const day = "2 January 2006"

// describe says what the invitation gives.
func (v *Invitations) describe(p *registry.Partner, invitation *registry.Invitation) *joinPage {
	page := &invitationPage{
		From: "this bridge", Partner: p.Name, Name: invitation.Credentials, URL: v.Accounts.URL(p),
		Good: invitation.ExpiresAt.UTC().Format(day + ", 15:04 MST"),
	}
	if u, err := url.Parse(v.PublicURL); err == nil && u.Hostname() != "" {
		page.From = u.Hostname()
	}
	page.Replaces = slices.ContainsFunc(p.Credentials, func(c registry.Credential) bool {
		return c.Name == invitation.Credentials && c.OverlapUntil == nil && !Expired(c)
	})
	for _, s := range v.Accounts.Registry.AllShares() {
		if s.Partner == p.Name && !s.Ending {
			page.Shares = append(page.Shares, describeShare(&s.Share))
		}
	}
	return &joinPage{Title: page.From + " shares sheets with " + p.Name, Invitation: page}
}

// describeShare says in words what a share shows. A filter's own words are left out:
// they may hold values, and titles of columns that are not shared.
func describeShare(s *events.Share) sharePage {
	shown := sharePage{Sheet: s.Sheet, Rows: "all rows"}
	columns := make([]string, len(s.Fields))
	var by []string
	others := len(s.FilterTypes)
	for i, f := range s.Fields {
		switch columns[i] = f.Name; f.Mask {
		case events.MaskHash:
			columns[i] += " (as a hash)"
		case events.MaskRedact:
			columns[i] += " (hidden)"
		}
		if _, named := s.FilterTypes[f.ColumnID]; named {
			by, others = append(by, f.Name), others-1
		}
	}
	shown.Columns = strings.Join(columns, ", ")
	if s.Where != "" {
		if others > 0 || len(by) == 0 {
			by = append(by, "what is not shared")
		}
		shown.Rows = "the rows that a filter lets through, by " + strings.Join(by, ", ")
	}
	kinds := make([]string, len(s.Kinds))
	for i, k := range s.Kinds {
		kinds[i] = string(k) + "s"
	}
	shown.Kinds = strings.Join(kinds, ", ")
	return shown
}

const joinStyle = `
:root{color-scheme:light dark}
body{font:17px/1.55 system-ui,sans-serif;max-width:46rem;margin:6vh auto;padding:0 1.2rem;background:#fbfbf9;color:#1d2b27}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .6rem}
h2{font-size:1.15rem;margin:1.6rem 0 .3rem}
main{background:#fff;border:1px solid #d5dcd9;border-radius:12px;padding:1.6rem 1.8rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:.6rem 0}
dt{color:#4d5b56}
dd{margin:0;overflow-wrap:anywhere}
.share{border-top:1px solid #e6ebe9;padding-top:.6rem}
code,pre{font:15px/1.5 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}
pre{background:#f1f4f2;border-radius:8px;padding:.7rem .9rem;margin:.5rem 0}
button{font:inherit;font-weight:600;color:#fff;background:#12664f;border:0;border-radius:8px;padding:.7rem 1.2rem;cursor:pointer}
button:focus-visible{outline:3px solid #f0a202;outline-offset:2px}
footer{font-size:.85rem;color:#5b6a65;margin-top:1rem}
@media (max-width:30rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}main{padding:1.1rem}}
@media (prefers-color-scheme:dark){body{background:#121816;color:#e2ebe7}main{background:#1a221f;border-color:#2c3733}.share{border-color:#2c3733}dt,footer{color:#a3b1ab}pre{background:#121816}button{background:#7fd6b8;color:#0c1a15}}
@media print{body{margin:0;background:#fff;color:#000}main{border:0;padding:0}form{display:none}}
`

var joinTemplate = template.Must(template.New("join").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}} · Sheetbridge</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{with .Text}}<p>{{.}}</p>
{{end}}{{with .Invitation}}<p>You are invited to read them, live: each change of a row that you may see comes as an event over NATS. Reading is all that the credentials allow, unless a share says otherwise.</p>
{{if .Shares}}{{range .Shares}}<section class="share">
<h2>{{.Sheet}}</h2>
<dl>
<dt>Columns</dt><dd>{{.Columns}}</dd>
<dt>Rows</dt><dd>{{.Rows}}</dd>
<dt>What comes</dt><dd>{{.Kinds}}</dd>
{{with .Until}}<dt>Until</dt><dd>{{.}}</dd>
{{end}}</dl>
</section>
{{end}}{{else}}<p>Nothing is shared with you yet. The credentials are good for what comes.</p>
{{end}}<section class="share">
<h2>How you read</h2>
<dl>
<dt>NATS server</dt><dd><code>{{.URL}}</code></dd>
<dt>Stream</dt><dd><code>EVENTS</code>, subjects <code>smartsheet.{{.Partner}}.&gt;</code></dd>
<dt>Credentials</dt><dd>named {{.Name}}, good for a year{{if .Replaces}}. Those of that name that you have now go on for 24 hours{{end}}</dd>
<dt>This invitation</dt><dd>works once, until {{.Good}}</dd>
</dl>
</section>
<section class="share">
<h2>Take the credentials</h2>
<p>Best on the machine that will read: the secret key is made there and never travels.</p>
<pre>sheetbridge join '<var>address of this page</var>' -o {{.Partner}}-{{.Name}}.creds</pre>
<p>Or here, as a file. Keep it like a password; it is shown this once.</p>
<form method="post"><button type="submit">Download {{.Partner}}-{{.Name}}.creds</button></form>
</section>
{{end}}</main>
<footer>Sheetbridge. Opening this page uses nothing up.</footer>
</body>
</html>
`))

// joinPolicy lets a browser use the page's own style and send its form, and nothing
// else.
func joinPolicy() string {
	sum := sha256.Sum256([]byte(joinStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// secureHeader has an answer kept nowhere, and its address told to nobody: that is
// a secret.
func secureHeader(h http.Header) {
	h.Set("Content-Security-Policy", joinPolicy())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

func (j *Join) show(c echo.Context, status int, page *joinPage) error {
	page.Style = template.CSS(joinStyle)
	var b bytes.Buffer
	if err := joinTemplate.Execute(&b, page); err != nil {
		return err
	}
	secureHeader(c.Response().Header())
	return c.HTMLBlob(status, b.Bytes())
}
