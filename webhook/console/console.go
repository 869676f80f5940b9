// Package console is the page at / of the admin listener: the admin API for people
// who would rather look. It is a client of /v1 and of nothing else, and serves its
// own files alone: what it may do is what the token of the person who signs in may do.
package console

//go:generate go run ./generate

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

//go:embed index.html favicon.svg dist/console.js dist/console.css
var embedded embed.FS

// policy lets the page load its own files and ask the bridge, and nothing else. Text
// from a cell can become no markup: the page has no way to make any from text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// file is one of the page's files, as it is sent.
type file struct {
	kind   string
	plain  []byte
	zipped func() []byte // made when it is first asked for
	tag    string        // of the content
}

// files are the page's files by path.
var files = sync.OnceValues(func() (map[string]*file, error) {
	all := map[string]*file{}
	for path, of := range map[string][2]string{
		"/":            {"index.html", "text/html; charset=utf-8"},
		"/console.js":  {"dist/console.js", "text/javascript; charset=utf-8"},
		"/console.css": {"dist/console.css", "text/css; charset=utf-8"},
		"/favicon.svg": {"favicon.svg", "image/svg+xml"},
	} {
		f, err := load(of[0], of[1])
		if err != nil {
			return nil, fmt.Errorf("loading the console: %w", err)
		}
		all[path] = f
	}
	return all, nil
})

// Handler serves the page and its files.
func Handler() (http.Handler, error) {
	all, err := files()
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := all[r.URL.Path]
		if f == nil {
			http.NotFound(w, r)
			return
		}
		f.serve(w, r)
	}), nil
}

func load(name, kind string) (*file, error) {
	plain, err := embedded.ReadFile(name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	return &file{
		kind: kind, plain: plain, tag: `"` + hex.EncodeToString(sum[:8]) + `"`,
		zipped: sync.OnceValue(func() []byte { return zip(plain) }),
	}, nil
}

func zip(text []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // there is this level
	_, _ = w.Write(text)                                  // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache") // it is asked for again, and answered 304 as long as it is the same
	h.Set("Vary", "Accept-Encoding")
	h.Set("Etag", f.tag)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	text := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		text = f.zipped()
	}
	h.Set("Content-Length", fmt.Sprint(len(text)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(text) // nobody is left to tell
}
