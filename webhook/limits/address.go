package limits

import (
	"net"
	"net/netip"
)

// networkBits is what one customer of a provider gets of IPv6: all addresses in it
// count as one.
const networkBits = 64

// Address returns whose connection it is, from host:port as the network gives it:
// an IPv4 address, or the /64 network of an IPv6 address. What is neither is
// returned as it is.
func Address(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(networkBits)
	if err != nil {
		return host
	}
	return network.String()
}
