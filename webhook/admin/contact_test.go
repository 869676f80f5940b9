package admin_test

import (
	"strings"
	"testing"
)

// A partner's contact is given once and never shown again, but for its host.
func TestContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	const path = "/v1/partners/acme/contact"
	made := w.ok(200, "PUT", path, `{"url":"https://hooks.b.example:8443/planted-path?key=planted-key"}`)
	secret := made.text1("secret")
	if made.text1("host") != "hooks.b.example:8443" || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("got %s, want the host and a secret", made.text)
	}
	if got := w.ok(200, "GET", "/v1/partners/acme", ""); got.text1("contact") != "hooks.b.example:8443" {
		t.Errorf("got %s, want the host", got.text)
	}
	if again := w.ok(200, "PUT", path, `{"url":"https://hooks.b.example/","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"}`); again.at("secret") != nil {
		t.Errorf("got %s, want a secret that was given not to come out", again.text)
	}
	w.refused(422, "body.url", "want https", "PUT", path, `{"url":"http://hooks.b.example/"}`)
	w.refused(422, "body.secret", "left out, one is made", "PUT", path, `{"url":"https://hooks.b.example/","secret":"short"}`)
	w.refused(404, "", "there is no partner", "PUT", "/v1/partners/globex/contact", `{"url":"https://hooks.b.example/"}`)
	if r := w.send(reader, "PUT", path, `{"url":"https://hooks.b.example/"}`); r.status != 403 {
		t.Errorf("got %d for a read-only token", r.status)
	}
	w.ok(204, "DELETE", path, "")
	w.refused(404, "", "has no contact", "DELETE", path, "")
	for _, planted := range []string{"planted-path", "planted-key", secret} {
		if strings.Contains(w.answers.String(), planted) || strings.Contains(w.logs.String(), planted) {
			t.Errorf("%s came out", planted)
		}
	}
}
