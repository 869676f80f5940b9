package owner

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"time"
)

// page is what a browser is shown: nothing from elsewhere, and no script.
type page struct {
	Status int
	Title  string
	Text   string
	User   string    // who consented; empty: nobody
	Shared []sharing // with a user: what is shared in that name
	Style  template.CSS
}

const pageStyle = `
:root{color-scheme:light dark}
body{font:17px/1.55 system-ui,sans-serif;max-width:44rem;margin:8vh auto;padding:0 1.2rem;background:#fbfbf9;color:#1d2b27}
h1{font-size:1.6rem;margin:0 0 .6rem}
main{background:#fff;border:1px solid #dfe5e2;border-radius:12px;padding:1.6rem 1.8rem}
table{border-collapse:collapse;width:100%;margin:.6rem 0}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;border-bottom:1px solid #e6ebe9;overflow-wrap:anywhere}
footer{font-size:.85rem;color:#5b6a65;margin-top:1rem}
@media (prefers-color-scheme:dark){body{background:#121816;color:#e2ebe7}main{background:#1a221f;border-color:#2c3733}th,td{border-color:#2c3733}footer{color:#93a29c}}
`

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
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
<p>{{.Text}}</p>
{{if .User}}<p>Connected as <strong>{{.User}}</strong>.</p>
{{if .Shared}}<h2>What is shared in your name</h2>
<table>
<thead><tr><th scope="col">Sheet</th><th scope="col">With</th><th scope="col">What of it</th></tr></thead>
<tbody>
{{range .Shared}}<tr><td>{{.Sheet}}</td><td>{{.Partner}}</td><td>{{.Columns}}; {{.Rows}}</td></tr>
{{end}}</tbody>
</table>
<p>Nothing else leaves your organisation.</p>
{{else}}<p>Nothing is shared in your name yet. Your administrators choose sheets, columns and rows one by one, and the partner that gets them.</p>
{{end}}<p>You can take this back at any time in Smartsheet under Account &gt; Apps &amp; Integrations, or Personal Settings: nothing is read from then on.</p>
{{end}}</main>
<footer>Sheetbridge. You can close this page.</footer>
</body>
</html>
`))

// pagePolicy lets a browser use the page's own style and nothing else.
func pagePolicy() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

func (o *OAuth) writePage(w http.ResponseWriter, p *page) {
	p.Style = template.CSS(pageStyle)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		o.Log.Error("cannot render a page", "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address has a code in it
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(p.Status)
	_, _ = w.Write(b.Bytes()) // nobody is left to tell
}

// deadline is when a browser that waits for the page is given up.
func (o *OAuth) deadline() time.Time { return time.Now().Add(completeTime + 10*time.Second) }
