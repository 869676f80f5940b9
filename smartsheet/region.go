package smartsheet

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Region is where an account lives. Users, tokens and sheets of one region are
// unknown in the others.
type Region string

// Regions that Smartsheet runs.
const (
	US  Region = "us"
	EU  Region = "eu"
	AU  Region = "au"
	Gov Region = "gov"
)

// ParseRegion returns the region named s: us, eu, au or gov.
func ParseRegion(s string) (Region, error) {
	r := Region(s)
	if r.BaseURL() == "" {
		return "", fmt.Errorf("smartsheet: region %.20q: want us, eu, au or gov", s)
	}
	return r, nil
}

// BaseURL is the address of the region's API, with its version and without a
// trailing slash; empty for a region that does not exist.
func (r Region) BaseURL() string {
	switch r {
	case US:
		return "https://api.smartsheet.com/2.0"
	case EU:
		return "https://api.smartsheet.eu/2.0"
	case AU:
		return "https://api.smartsheet.au/2.0"
	case Gov:
		return "https://api.smartsheetgov.com/2.0"
	}
	return ""
}

// CheckURL says whether a token may be sent to the API at rawURL: https
// anywhere, plain http to loopback alone, and nothing but scheme, host, port
// and path. Its error does not repeat the URL.
func CheckURL(rawURL string) error {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("%w: API address: want https://host/path", errInvalid)
	case u.User != nil:
		return fmt.Errorf("%w: API address: a user or password has no place in it", errInvalid)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("%w: API address: a query or fragment has no place in it", errInvalid)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%w: API address: plain http is for loopback only, use https", errInvalid)
	}
	return fmt.Errorf("%w: API address: want https://host/path", errInvalid)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
