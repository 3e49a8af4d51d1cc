package wasm

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// reserved are networks that no public service has an address in, besides those that net/netip has a method for.
// https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry
func reserved() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48", "2001:db8::/32", "3fff::/20", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// metadata reports whether a cloud serves the machine's credentials at the address.
func metadata(a netip.Addr) bool {
	switch a.String() {
	case "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "100.100.100.200", "168.63.129.16",
		"192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254":
		return true
	}
	return false
}

// embedded returns the IPv4 address that an IPv6 address leads to through a translator or a tunnel.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return a, false
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), binary.BigEndian.Uint64(b[:8]) == 0 && binary.BigEndian.Uint32(b[8:]) == 0:
		return netip.AddrFrom4([4]byte(b[12:])), true
	case b[0] == 0x20 && b[1] == 0x02: // 6to4
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return a, false
}

// addressCheck decides which addresses a plugin's requests may be sent to.
type addressCheck struct {
	reserved []netip.Prefix
	granted  []netip.Prefix // networks of the operator's
}

// check refuses addresses that are not public, unless they are in extra or in a granted network. A cloud's metadata
// service has to be granted by its very address.
func (c *addressCheck) check(a netip.Addr, extra []netip.Prefix) error {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || a.IsUnspecified() { // ::1 and :: look like embedded addresses
		return c.granting(a, extra, "this machine's own address")
	}
	if inner, ok := embedded(a); ok {
		return c.check(inner, extra)
	}
	switch {
	case metadata(a):
		return c.granting(a, extra, "a cloud's metadata service")
	case a.IsPrivate():
		return c.granting(a, extra, "a private address")
	case a.IsMulticast():
		return c.granting(a, extra, "a multicast address")
	case a.IsLinkLocalUnicast():
		return c.granting(a, extra, "a link-local address")
	}
	for _, p := range c.reserved {
		if p.Contains(a) {
			return c.granting(a, extra, "a reserved address")
		}
	}
	return nil
}

func (c *addressCheck) granting(a netip.Addr, extra []netip.Prefix, what string) error {
	exact := metadata(a) || a.IsUnspecified()
	for _, list := range [][]netip.Prefix{extra, c.granted} {
		for _, p := range list {
			if p.Contains(a) && (!exact || p.IsSingleIP()) {
				return nil
			}
		}
	}
	return &forbiddenError{fmt.Sprintf("%s is %s: grants.networks does not name it", a, what)}
}

// forbiddenError is why a request may not be made. Its text is for the plugin and the operator.
type forbiddenError struct{ reason string }

// Error implements error.
func (e *forbiddenError) Error() string { return e.reason }

// Reachable reports whether requests that somebody else than the operator aims may go to the address: it is public, or in
// a network that the operator granted.
func Reachable(a netip.Addr, granted []netip.Prefix) bool {
	c := addressCheck{reserved: reserved(), granted: granted}
	return c.check(a, nil) == nil
}
