package auth

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// AllowedIPs refuses callers from other addresses and has no opinion on the rest: it comes first in a Chain. It is
// immutable and safe for concurrent use.
type AllowedIPs struct{ list []netip.Prefix }

// NewAllowedIPs takes addresses ("192.168.1.1") and networks ("10.0.0.0/8", "2001:db8::/32"). An empty list lets nobody
// in. The error names the entry that is neither.
func NewAllowedIPs(list []string) (*AllowedIPs, error) {
	a := &AllowedIPs{}
	for i, s := range list {
		p, err := parsePrefix(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("allowed_ips[%d]: %q is no IP address and no network such as 10.0.0.0/8", i, s)
		}
		a.list = append(a.list, p)
	}
	return a, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err == nil && p.Addr().Is4In6() {
			return netip.PrefixFrom(p.Addr().Unmap(), max(p.Bits()-96, 0)).Masked(), nil
		}
		return p.Masked(), err
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Authenticate implements Authenticator. An address that cannot be read is refused.
func (a *AllowedIPs) Authenticate(_ context.Context, x *llm.Exchange, _ Credential) (*llm.Principal, error) {
	addr, err := netip.ParseAddr(x.Remote)
	if err == nil {
		addr = addr.Unmap().WithZone("")
		for _, p := range a.list {
			if p.Contains(addr) {
				return nil, nil
			}
		}
	}
	// litellm/proxy/auth/auth_utils.py, pre_db_read_auth_checks
	return nil, &llm.Error{
		Op: "auth.AllowedIPs", Kind: llm.KindAuth, Status: 403,
		Message: "Access forbidden: IP address " + clip(x.Remote) + " not allowed.",
		Type:    "auth_error", Param: "None", Code: "403",
	}
}

// clip bounds an address that may come from a header, and keeps it on one line.
func clip(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 64)])
}
