// Package join is the partner's side of an invitation: it makes a user key, sends
// the public half, and keeps the credentials in a file for its owner alone. No
// secret travels.
package join

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

const (
	askTime   = 45 * time.Second
	maxAnswer = 64 << 10 // bytes
)

// Joined is what an invitation gave, without the secret.
type Joined struct {
	Partner   string     `json:"partner"`
	Name      string     `json:"name"`
	URL       string     `json:"url"`
	Stream    string     `json:"stream"`
	Subjects  string     `json:"subjects"`
	ExpiresAt *time.Time `json:"expiresAt"`
}

// Open is what an open invitation says of itself.
type Open struct {
	Partner   string    `json:"partner"`
	Name      string    `json:"name"` // of the credentials that it gives
	OpenUntil time.Time `json:"openUntil"`
}

// CheckURL tells why an address cannot be an invitation's. It repeats nothing of it:
// an invitation's address is a secret.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return errors.New("want the whole address of an invitation, https://…/join/…")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("an invitation is opened over https; plain http is for this machine alone")
	}
	return nil
}

// Join uses the invitation and writes the credentials to the file, which must be new
// and is made readable for its owner alone before anything is asked. Where that
// fails the file is removed again, and the invitation was not used unless the error
// says so.
func Join(ctx context.Context, address, path string) (_ *Joined, err error) {
	if err := CheckURL(address); err != nil {
		return nil, err
	}
	file, err := create(path)
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() {
		if err = errors.Join(err, file.Close()); !kept {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	public, secret, err := broker.NewUserKey()
	if err != nil {
		return nil, err
	}
	joined, token, err := ask(ctx, address, public)
	if err != nil {
		return nil, err
	}
	creds, err := broker.UserCreds(token, secret)
	if err != nil {
		return nil, fmt.Errorf("the invitation is used up, and what it gave is of no use: %w. Ask for a new one", err)
	}
	kept = true
	return joined, write(file, creds)
}

// create makes a new file for its owner alone.
func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// write writes the credentials so that they outlast a crash.
func write(file *os.File, creds seal.Secret) error {
	if _, err := file.WriteString(string(creds)); err != nil {
		return fmt.Errorf("writing the credentials: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("writing the credentials: %w", err)
	}
	return nil
}

// Check returns what the invitation gives where Join could use it and write to the file.
// It uses nothing up, and leaves no file.
func Check(ctx context.Context, address, path string) (*Open, error) {
	if err := CheckURL(address); err != nil {
		return nil, err
	}
	file, err := create(path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Close(), os.Remove(path)); err != nil {
		return nil, err
	}
	host, text, err := request(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	var open Open
	if err := json.Unmarshal(text, &open); err != nil || open.Partner == "" || open.OpenUntil.IsZero() {
		return nil, notAnInvitation(host)
	}
	return &open, nil
}

func notAnInvitation(host string) error {
	return fmt.Errorf("%s answered, and not as an invitation does: is the address right?", host)
}

// ask sends the public key to the invitation's address.
func ask(ctx context.Context, address, public string) (*Joined, string, error) {
	body, err := json.Marshal(map[string]string{"publicKey": public})
	if err != nil {
		return nil, "", err
	}
	host, text, err := request(ctx, http.MethodPost, address, body)
	if err != nil {
		return nil, "", err
	}
	var answer struct {
		Joined
		JWT string `json:"jwt"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.JWT == "" {
		return nil, "", notAnInvitation(host)
	}
	return &answer.Joined, answer.JWT, nil
}

// request asks the invitation's address, in JSON, and follows no redirect: the address is
// a secret. It returns the host and what it answered with 200.
func request(ctx context.Context, method, address string, body []byte) (host string, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return "", nil, errors.New("this cannot be the address of an invitation")
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address
		}
		return "", nil, fmt.Errorf("asking %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close() // read to its end, or given up
	if text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return "", nil, fmt.Errorf("reading the answer of %s: %w", req.URL.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", nil, refused(resp, text)
	}
	return req.URL.Host, text, nil
}

// refused says what was answered.
func refused(resp *http.Response, text []byte) error {
	var problem struct{ Title, Detail string }
	if json.Unmarshal(text, &problem) == nil && problem.Detail != "" {
		return fmt.Errorf("%s (%s)", clean(problem.Title+": "+problem.Detail), resp.Status)
	}
	return fmt.Errorf("%s answered %s: is the address right?", resp.Request.URL.Host, resp.Status)
}

// clean takes from a stranger's text what a terminal would act on.
func clean(s string) string {
	const most = 500
	b := []rune(s)
	for i, r := range b {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			b[i] = ' '
		}
	}
	return string(b[:min(len(b), most)])
}
