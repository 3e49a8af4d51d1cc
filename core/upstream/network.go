package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Network says how connections are opened, where that may change while the client is in use.
type Network struct {
	ForceIPv4 bool        // connect over IPv4 only
	TLS       *tls.Config // for https targets and proxies; it is cloned. nil: as Settings have it

	// Proxy is as in Settings. Nil: as Settings have it.
	Proxy func(*url.URL) (*url.URL, error)
}

// Proxies is a Proxy for what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say; get returns their values.
func Proxies(get func(name string) string) func(*url.URL) (*url.URL, error) {
	either := func(name string) string {
		if v := get(name); v != "" {
			return v
		}
		return get(strings.ToLower(name))
	}
	return environment(&httpproxy.Config{
		HTTPProxy: either("HTTP_PROXY"), HTTPSProxy: either("HTTPS_PROXY"), NoProxy: either("NO_PROXY"),
		CGI: get("REQUEST_METHOD") != "",
	})
}

// Use has connections opened like this from now on. Idle ones are closed; calls that are running finish on theirs.
func (cl *Client) Use(n Network) {
	base := cl.set.TLS
	if n.TLS != nil {
		base = tlsBase(n.TLS)
	}
	if n.Proxy == nil {
		n.Proxy = cl.set.Proxy
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.network.Store(&network{ipv4: n.ForceIPv4 || cl.set.ForceIPv4, tls: base, proxy: n.Proxy})
	for key, p := range cl.pools {
		p.dropped.Store(true)
		p.host.CloseIdleConnections()
		delete(cl.pools, key)
	}
}

// network is a Network with its defaults filled in.
type network struct {
	ipv4  bool
	tls   *tls.Config
	proxy func(*url.URL) (*url.URL, error)
}

// Values of llm.Target.Trust.
const (
	// TrustAnyone is the Trust of a target whose certificate is not checked.
	TrustAnyone = "*"
)

// trusting is the base configuration changed to the trust of one target. It reads the file that the trust names.
func trusting(base *tls.Config, trust string) (*tls.Config, error) {
	if trust == "" {
		return base, nil
	}
	c := base.Clone()
	c.ClientSessionCache = tls.NewLRUClientSessionCache(0) // a session stands for a check that was made
	if trust == TrustAnyone {
		c.InsecureSkipVerify = true //nolint:gosec // the operator wants it so
		return c, nil
	}
	pool, err := Authorities(trust)
	if err != nil {
		return nil, err
	}
	c.RootCAs, c.InsecureSkipVerify = pool, false
	return c, nil
}

// Authorities reads a file of certificates of authorities, in PEM.
func Authorities(path string) (*x509.CertPool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the file of certificates cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New(path + " holds no certificate in PEM")
	}
	return pool, nil
}
