package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// Hosts are the names under which the admin listener answers: host names,
// addresses and networks of addresses. Under any other name a web page elsewhere
// could have a browser ask it.
type Hosts []string

var hostPattern = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// DefaultHosts are localhost, the addresses of loopback, and the host of the
// address listened at, unless that is every one.
func DefaultHosts(listen string) Hosts {
	hosts := Hosts{"localhost", "127.0.0.0/8", "::1"}
	host, _, err := net.SplitHostPort(listen)
	if ip, ipErr := netip.ParseAddr(host); err != nil || host == "" || ipErr == nil && ip.IsUnspecified() {
		return hosts
	}
	return append(hosts, bare(host))
}

// ParseHosts reads a list of names, addresses and networks, separated by commas.
// Its error names every one that is neither.
func ParseHosts(text string) (Hosts, error) {
	var hosts Hosts
	var errs []error
	for entry := range strings.SplitSeq(text, ",") {
		entry = bare(strings.TrimSpace(entry))
		_, ipErr := netip.ParseAddr(entry)
		_, networkErr := netip.ParsePrefix(entry)
		if ipErr != nil && networkErr != nil && !hostPattern.MatchString(entry) {
			errs = append(errs, fmt.Errorf("%q is no host name, address or network: want them without scheme and port, separated by commas", clip(entry)))
			continue
		}
		hosts = append(hosts, entry)
	}
	return hosts, errors.Join(errs...)
}

// hostOf is the host in a Host header.
func hostOf(header string) string {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	return bare(host)
}

// bare is a host as names are compared: in lower case, without brackets.
func bare(host string) string {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Contain tells whether the listener answers under the name of a Host header.
func (h Hosts) Contain(header string) bool {
	host := hostOf(header)
	if host == "" {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return slices.Contains(h, host)
	}
	return slices.ContainsFunc(h, func(known string) bool {
		if network, err := netip.ParsePrefix(known); err == nil {
			return network.Contains(ip.Unmap())
		}
		other, err := netip.ParseAddr(known)
		return err == nil && other.Unmap() == ip.Unmap()
	})
}

// checkHost refuses, on every path, requests under another name than ours, writes
// that a web page of another site has a browser make, and, where client
// certificates are wanted, requests without one. Probes need none: who asks them
// has no certificate.
func (a *API) checkHost(next echo.HandlerFunc) echo.HandlerFunc {
	foreign := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		req := c.Request()
		switch {
		case !a.Hosts.Contain(req.Host):
			a.refused("host")
			return httpProblem(http.StatusMisdirectedRequest, "nothing answers here under that name: if it is one of this bridge's, add it to SHEETBRIDGE_ADMIN_HOSTS")
		case foreign.Check(req) != nil:
			a.refused("origin")
			return httpProblem(http.StatusForbidden, "the request comes from a page of another site, and nothing is changed for those")
		case a.ClientCertificates && !probe(c.Path()) && (req.TLS == nil || len(req.TLS.VerifiedChains) == 0):
			a.refused("certificate")
			return httpProblem(http.StatusForbidden, "show a client certificate of the authority in SHEETBRIDGE_ADMIN_CLIENT_CA")
		}
		return next(c)
	}
}

// refused counts a request that was refused before it was looked at.
func (a *API) refused(why string) {
	if a.Refused != nil {
		a.Refused(why)
	}
}
