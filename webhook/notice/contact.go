package notice

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// CheckURL tells why notices cannot be sent to an address: its plain text, but for an
// address of this machine, could be read on the way.
func CheckURL(address string) error {
	_, err := parseURL(address)
	return err
}

func parseURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Fragment != "" || len(address) > 2048:
		return nil, errors.New("is no address: want https://host/path")
	case u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())):
		return nil, errors.New("want https, or http to this machine alone")
	}
	return u, nil
}

// NewSecret makes a secret of Standard Webhooks.
func NewSecret() seal.Secret {
	key := make([]byte, 32)
	rand.Read(key)
	return seal.Secret("whsec_" + base64.StdEncoding.EncodeToString(key))
}

// SetContact has a partner told what concerns it at the address. The secret signs it;
// empty makes one, which is returned.
func SetContact(ctx context.Context, r *registry.Registry, partner, address string, secret seal.Secret) (seal.Secret, error) {
	u, err := parseURL(address)
	if err != nil {
		return "", problem.New(problem.Invalid, "url", "%v", err)
	}
	if secret == "" {
		secret = NewSecret()
	} else if err := CheckSecret(secret); err != nil {
		return "", problem.New(problem.Invalid, "secret", "%v; left out, one is made", err)
	}
	contact := &registry.Contact{Host: u.Host}
	name := &registry.Partner{Name: partner}
	if contact.URL, err = r.Sealer().SealString(address, name.SealName("contactURL")); err != nil {
		return "", err
	}
	if contact.Secret, err = r.Sealer().SealString(string(secret), name.SealName("contactSecret")); err != nil {
		return "", err
	}
	return secret, r.UpdatePartner(ctx, partner, func(p *registry.Partner) error {
		p.Contact = contact
		return nil
	})
}

// RemoveContact has a partner told nothing any more.
func RemoveContact(ctx context.Context, r *registry.Registry, partner string) error {
	return r.UpdatePartner(ctx, partner, func(p *registry.Partner) error {
		if p.Contact == nil {
			return problem.New(problem.NotFound, "", "partner %q has no contact: PUT /v1/partners/%s/contact gives it one", partner, partner).Next(problem.SetContact.For(partner))
		}
		p.Contact = nil
		return nil
	})
}

// errGone says that there is nobody any more who is to be told.
var errGone = errors.New("nobody is to be told any more")

// reaches tells whether somebody can be told: A, where no partner is named, else the partner.
func (s *Sender) reaches(to string) bool {
	if to == "" {
		return s.URL != ""
	}
	p := s.Registry.Partner(to)
	return p != nil && p.Contact != nil
}

// destination is where a notice goes, and the secret that signs it.
func (s *Sender) destination(to string) (address string, secret seal.Secret, err error) {
	if to == "" && s.URL != "" {
		return s.URL, s.Secret, nil
	}
	p := s.Registry.Partner(to)
	if p == nil || p.Contact == nil {
		return "", "", errGone
	}
	if address, err = s.Registry.Sealer().OpenString(p.Contact.URL, p.SealName("contactURL")); err != nil {
		return "", "", err
	}
	opened, err := s.Registry.Sealer().OpenString(p.Contact.Secret, p.SealName("contactSecret"))
	return address, seal.Secret(opened), err
}

// guarded is a transport for addresses that a partner chose: they must lead out of our
// own network, unless they name this machine. What goes by a proxy, that decides.
func guarded() *http.Transport {
	proxy := proxyAddress()
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 16, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: sendTime, ForceAttemptHTTP2: true}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: sendTime}
		if !Loopback(host) && address != proxy {
			d.Control = func(_, found string, _ syscall.RawConn) error { return checkOutside(found) }
		}
		return d.DialContext(ctx, network, address)
	}
	return t
}

// proxyAddress is where the proxy for requests to the world is, empty for none.
func proxyAddress() string {
	to, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: "partner.example"}})
	if err != nil || to == nil {
		return ""
	}
	port := to.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[to.Scheme]
	}
	return net.JoinHostPort(to.Hostname(), cmp.Or(port, "80"))
}

// checkOutside tells why an address, as it was found for a name, is inside our network.
func checkOutside(found string) error {
	a, err := netip.ParseAddrPort(found)
	if err != nil {
		return err
	}
	ip := a.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(insides, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return fmt.Errorf("a partner's contact must not be in our own network: its name leads to %s", ip)
	}
	return nil
}

// insides are further addresses that lead, or may lead, into a network of one's own: the
// space that carriers and clouds share (RFC 6598), and addresses of IPv4 written in those
// of IPv6 (RFC 6052, RFC 8215, RFC 3056), behind which any of the others may stand.
var insides = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}
