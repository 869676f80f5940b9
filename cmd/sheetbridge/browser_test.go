package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// browser is what an owner consents with.
type browser interface {
	open(address string)
	decide(user, button string) // on Smartsheet's page of consent
	reload()
	page() (title, text string) // what is shown
}

// newBrowser is a headless Chromium, or where there is none a client that sends
// what its forms would.
func newBrowser(t *testing.T) browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return startChromium(t, path)
		}
	}
	t.Log("there is no Chromium here (apt-get install chromium): the same pages are read and sent by plain HTTP")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return &forms{t: t, http: client}
}

// forms is a browser without a screen.
type forms struct {
	t    *testing.T
	http *http.Client
	at   *url.URL
	text string
}

func (f *forms) take(resp *http.Response, err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	f.at, f.text = resp.Request.URL, string(text)
}

func (f *forms) open(address string) { f.t.Helper(); f.take(f.http.Get(address)) }
func (f *forms) reload()             { f.t.Helper(); f.open(f.at.String()) }

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

func (f *forms) decide(user, button string) {
	f.t.Helper()
	form := url.Values{"user": {user}, "decision": {button}}
	for _, m := range hiddenInput.FindAllStringSubmatch(f.text, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	f.take(f.http.PostForm(f.at.Scheme+"://"+f.at.Host+f.at.Path, form))
}

func (f *forms) page() (title, text string) {
	if m := regexp.MustCompile(`<title>([^<]*)</title>`).FindStringSubmatch(f.text); m != nil {
		title = html.UnescapeString(m[1])
	}
	return title, html.UnescapeString(f.text)
}

// chromium is driven over the two pipes of its DevTools protocol: messages are
// JSON with a zero byte at their end.
type chromium struct {
	t       *testing.T
	write   io.Writer
	answers chan answered
	session string
	id      int
}

type answered struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

const browserTime = 30 * time.Second

func startChromium(t *testing.T, path string) browser {
	t.Helper()
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	back, their, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--user-data-dir="+dir, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, their} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &chromium{t: t, write: ours, answers: make(chan answered, 100)}
	done := make(chan struct{})
	go func() { defer close(done); c.read(back) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		for _, f := range []*os.File{theirs, ours, their, back} {
			_ = f.Close()
		}
		<-done
		_ = os.RemoveAll(dir) // its helpers may still write there
	})
	var target struct {
		TargetID string `json:"targetId"`
	}
	c.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	c.session = attached.SessionID
	return c
}

// read takes answers, and leaves out what nobody asked for.
func (c *chromium) read(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		text, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var a answered
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &a) == nil && a.ID != 0 {
			c.answers <- a
		}
	}
}

func (c *chromium) call(method string, params, result any) {
	c.t.Helper()
	c.id++
	text, err := json.Marshal(map[string]any{"id": c.id, "method": method, "params": params, "sessionId": c.session})
	if c.session == "" {
		text, err = json.Marshal(map[string]any{"id": c.id, "method": method, "params": params})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.write.Write(append(text, 0)); err != nil {
		c.t.Fatalf("chromium: %s: %v", method, err)
	}
	late := time.After(browserTime)
	for {
		select {
		case a := <-c.answers:
			if a.ID != c.id {
				continue
			}
			if a.Error != nil {
				c.t.Fatalf("chromium: %s: %s", method, a.Error)
			}
			if result != nil {
				if err := json.Unmarshal(a.Result, result); err != nil {
					c.t.Fatal(err)
				}
			}
			return
		case <-late:
			c.t.Fatalf("chromium: %s: no answer", method)
		}
	}
}

// evaluate is the value of an expression on the page, a promise awaited.
func (c *chromium) evaluate(expression string) any {
	c.t.Helper()
	var out struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
	}
	c.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &out)
	return out.Result.Value
}

// another waits until the browser shows another page than the one that was
// marked, with everything loaded.
func (c *chromium) another() {
	c.t.Helper()
	deadline := time.Now().Add(browserTime)
	for time.Now().Before(deadline) {
		if c.evaluate(`new Promise(done => setTimeout(() => done(!window.seen && document.readyState === "complete" && location.protocol === "http:"), 20))`) == true {
			return
		}
	}
	c.t.Fatal("chromium: no page came")
}

func (c *chromium) mark() { c.t.Helper(); c.evaluate("window.seen = true") }

func (c *chromium) open(address string) {
	c.t.Helper()
	c.mark()
	c.call("Page.navigate", map[string]any{"url": address}, nil)
	c.another()
}

func (c *chromium) reload() {
	c.t.Helper()
	c.mark()
	c.call("Page.reload", map[string]any{}, nil)
	c.another()
}

func (c *chromium) decide(user, button string) {
	c.t.Helper()
	c.mark()
	c.evaluate(fmt.Sprintf("document.querySelector('select').value = %s; document.getElementById(%s).click()", strconv.Quote(user), strconv.Quote(button)))
	c.another()
}

func (c *chromium) page() (title, text string) {
	c.t.Helper()
	title, _ = c.evaluate("document.title").(string)
	text, _ = c.evaluate("document.body.innerText").(string)
	if style := c.evaluate(`document.querySelector("main") ? getComputedStyle(document.querySelector("main")).borderRadius : "12px"`); style != "12px" {
		c.t.Errorf("the page's policy keeps its own style away: got border-radius %v", style)
	}
	return title, strings.ReplaceAll(text, "\t", " ")
}
