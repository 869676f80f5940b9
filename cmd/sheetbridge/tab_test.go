package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// tab is a tab of a headless Chromium that shows the console.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string // of the listener

	mu       sync.Mutex
	foreign  []string // requests that left the listener
	problems []string // exceptions, and what the page's policy kept away
}

// pageFiles are the paths of the page's own files.
var pageFiles = []string{"/", "/console.js", "/console.css", "/favicon.svg"}

// tabTime bounds what one step waits for.
const tabTime = 60 * time.Second

// startBrowser starts a Chromium, which stop ends.
func startBrowser(options ...chromedp.ExecAllocatorOption) (browser context.Context, stop func(), err error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, nil, err
	}
	all := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.Flag("disable-quic", true), chromedp.WSURLReadTimeout(2*tabTime))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), append(all, options...)...)
	browser, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // it does not know all that a newer Chromium tells
	stop = func() { cancel(); stopAllocator() }
	if err := chromedp.Run(browser); err != nil {
		stop()
		return nil, nil, err
	}
	return browser, stop, nil
}

// sharedBrowser is the Chromium of all tests of the console, which ends after them.
var sharedBrowser = sync.OnceValues(func() (context.Context, error) {
	browser, stop, err := startBrowser()
	if err == nil {
		afterTests = append(afterTests, stop)
	}
	return browser, err
})

// openConsole opens the console in a tab that shares neither cookies nor storage with
// others; with options in a browser of its own. At the end of the test nothing may have
// been asked of anybody but the listener, and nothing may have been against the page's
// policy.
func openConsole(t testing.TB, base string, options ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	var browser context.Context
	var err error
	if len(options) == 0 {
		browser, err = sharedBrowser()
	} else {
		var stop func()
		if browser, stop, err = startBrowser(options...); err == nil {
			t.Cleanup(stop)
		}
	}
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("there is no Chromium here (apt-get install chromium): the console is not looked at")
	}
	if err != nil {
		t.Fatal(err)
	}
	browser = cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
	profile, err := target.CreateBrowserContext().Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithTargetID(id))
	w := &tab{t: t, ctx: ctx, base: base}
	t.Cleanup(func() {
		cancel()
		if err := target.DisposeBrowserContext(profile).Do(browser); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.wasAlone)
	chromedp.ListenTarget(ctx, w.heard)
	w.run(network.Enable(), cdplog.Enable(), runtime.Enable())
	w.size(1280, 900)
	return w
}

// heard takes notice of what the browser tells.
func (w *tab) heard(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || !strings.HasPrefix(e.Request.URL, w.base+"/") && u.Scheme != "data" && u.Scheme != "blob" && u.Scheme != "about" {
			w.foreign = append(w.foreign, e.Request.URL)
		}
		if path := u.EscapedPath(); err == nil && strings.HasPrefix(e.Request.URL, w.base+"/") && !strings.HasPrefix(path, "/v1/") && !slices.Contains(pageFiles, path) {
			w.problems = append(w.problems, "something else than the API and the page was asked for: "+e.Request.URL)
		}
		if strings.Contains(e.Request.URL, testToken) {
			w.problems = append(w.problems, "the token is in an address: "+e.Request.URL)
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Source == cdplog.SourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
			w.problems = append(w.problems, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		w.problems = append(w.problems, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *page.EventJavascriptDialogOpening:
		w.problems = append(w.problems, "a dialog came up: "+e.Message)
	}
}

// wasAlone fails if the page asked anybody else, or broke its policy.
func (w *tab) wasAlone() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.foreign) > 0 {
		w.t.Errorf("requests left the listener: %q", w.foreign)
	}
	if len(w.problems) > 0 {
		w.t.Errorf("the page had problems: %q", w.problems)
	}
}

func (w *tab) run(actions ...chromedp.Action) {
	w.t.Helper()
	if err := chromedp.Run(w.ctx, actions...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *tab) size(width, height int64) { w.t.Helper(); w.run(chromedp.EmulateViewport(width, height)) }

// scheme chooses light or dark.
func (w *tab) scheme(name string) {
	w.t.Helper()
	w.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}))
}

// eval is the value of an expression, a promise awaited.
func (w *tab) eval(expression string, into any) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, tabTime)
	defer cancel()
	err := chromedp.Run(ctx, chromedp.Evaluate(expression, into, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if err != nil {
		var text string
		_ = chromedp.Run(w.ctx, chromedp.Evaluate("document.body?.innerText ?? ''", &text)) // to say what is there instead
		w.t.Fatalf("%s: %v; the page says:\n%s", expression, err, text)
	}
}

// until waits for an expression to be true.
func (w *tab) until(expression string) {
	w.t.Helper()
	var ok bool
	w.eval(`new Promise((done) => { const look = () => { let is = false; try { is = !!(`+expression+`) } catch {} if (is) done(true); else setTimeout(look, 30); }; look(); })`, &ok)
}

// quoted is a text in a script.
func quoted(text string) string { return strconv.Quote(text) }

// see waits for a text in what the page shows.
func (w *tab) see(text string) {
	w.t.Helper()
	w.until(`document.querySelector("#app").innerText.includes(` + quoted(text) + `)`)
}

// control finds a control that people can use by its visible name.
const control = `(name, kinds = "button, a, summary") => [...(document.querySelector("dialog[open]") ?? document).querySelectorAll(kinds)].find((e) => e.innerText.trim().replace(/\s+/g, " ") === name && !e.disabled && e.getClientRects().length > 0)`

// click presses a button or a link by its name.
func (w *tab) click(name string) {
	w.t.Helper()
	w.until(`(` + control + `)(` + quoted(name) + `)`)
	w.eval(`(`+control+`)(`+quoted(name)+`).click()`, nil)
}

// has tells whether there is a button or a link with the name.
func (w *tab) has(name string) (is bool) {
	w.t.Helper()
	w.eval(`!!(`+control+`)(`+quoted(name)+`)`, &is)
	return is
}

// labelled finds the input with a label.
const labelled = `(name) => { const l = [...(document.querySelector("dialog[open]") ?? document).querySelectorAll("label")].find((l) => l.innerText.trim() === name); return (l && document.getElementById(l.htmlFor)) || document.querySelector("[aria-label=" + JSON.stringify(name) + "]"); }`

// fill types into the input with a label, or chooses there.
func (w *tab) fill(label, text string) {
	w.t.Helper()
	w.until(`(` + labelled + `)(` + quoted(label) + `)`)
	w.eval(`(() => { const e = (`+labelled+`)(`+quoted(label)+`); if (e.type === "checkbox") { e.click(); return; }
		const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(e), "value").set; set.call(e, `+quoted(text)+`);
		e.dispatchEvent(new Event("input", { bubbles: true })); e.dispatchEvent(new Event("change", { bubbles: true })); })()`, nil)
}

// open shows a view of somebody who is signed in.
func (w *tab) open(hash string) {
	w.t.Helper()
	w.eval(`location.hash = `+quoted(hash), nil)
	w.until(`document.querySelector("main h1") && !document.querySelector(".waiting")`)
}

// signIn loads the page and signs in.
func (w *tab) signIn(token string) {
	w.t.Helper()
	w.run(chromedp.Navigate(w.base + "/"))
	w.fill("Admin token", token)
	w.click("Sign in")
	w.see("Overview")
}

// axe is the source of axe-core, from npm. Where that cannot be had the test is
// skipped, and says so.
var axe = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "axe")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "axe"))); err != nil {
		return "", err
	}
	if err := eventstest.InstallNodeModules(dir); err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	return string(text), err
})
