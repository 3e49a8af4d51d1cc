package app

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/upstream"
)

// network is how connections to models and other servers are opened: settings of litellm_settings, or else the variables
// of the same names (https://docs.litellm.ai/docs/guides/security_settings).
type network struct {
	upstream.Network
	key string // tells networks apart
}

func (b *builder) network() network {
	s, env := b.cfg.LiteLLMSettings, b.cfg.Env()
	verify := env.Get("SSL_VERIFY")
	if s.SSLVerify != nil {
		verify = fmt.Sprint(s.SSLVerify)
	}
	client := s.SSLCertificate
	if client == "" {
		client = env.Get("SSL_CERTIFICATE")
	}
	authorities := env.Get("SSL_CERT_FILE")
	n := network{Network: upstream.Network{ForceIPv4: s.ForceIPv4}}
	if b.opts.Upstream.Proxy == nil {
		n.Proxy = upstream.Proxies(env.Get)
	}
	n.key = strings.Join([]string{
		fmt.Sprint(s.ForceIPv4), verify, client, authorities, s.SSLCurve,
		env.Get("HTTP_PROXY"), env.Get("HTTPS_PROXY"), env.Get("NO_PROXY"), env.Get("http_proxy"), env.Get("https_proxy"), env.Get("no_proxy"),
	}, "\n")
	if verify == "" && client == "" && authorities == "" && s.SSLCurve == "" {
		return n
	}
	n.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	b.trust(n.TLS, verify, authorities)
	if client != "" {
		cert, err := tls.LoadX509KeyPair(client, client)
		if err != nil {
			b.mistake("litellm_settings.ssl_certificate", fmt.Errorf("%s cannot be used: it must hold a certificate and its key in PEM: %w", client, err))
		}
		n.TLS.Certificates = []tls.Certificate{cert}
	}
	if s.SSLCurve != "" {
		curve, ok := curveOf(s.SSLCurve)
		if !ok {
			b.mistake("litellm_settings.ssl_ecdh_curve", fmt.Errorf("%q is not known: write X25519, P-256, P-384 or P-521", s.SSLCurve))
		}
		n.TLS.CurvePreferences = []tls.CurveID{curve}
	}
	return n
}

// trust sets whose certificates are good: everybody's, those of a file, or those of the system.
func (b *builder) trust(c *tls.Config, verify, authorities string) {
	switch strings.ToLower(verify) {
	case "false", "0", "no", "off":
		b.log.Warn("CERTIFICATES OF MODELS AND OTHER SERVERS ARE NOT CHECKED: whoever is on the way can read keys and prompts",
			"fix", "set ssl_verify or SSL_VERIFY to true, or to the file of your own authorities")
		c.InsecureSkipVerify = true
		return
	case "", "true", "1", "yes", "on":
		verify = authorities
	}
	if verify == "" {
		return
	}
	pool, err := upstream.Authorities(verify)
	if err != nil {
		b.mistake("litellm_settings.ssl_verify", err)
	}
	c.RootCAs = pool
}

func curveOf(name string) (tls.CurveID, bool) {
	switch strings.ToLower(name) {
	case "x25519":
		return tls.X25519, true
	case "p-256", "prime256v1", "secp256r1":
		return tls.CurveP256, true
	case "p-384", "secp384r1":
		return tls.CurveP384, true
	case "p-521", "secp521r1":
		return tls.CurveP521, true
	}
	return 0, false
}

// use has connections be opened as next says, unless they are already.
func (a *App) use(next network) {
	if a.upstream == nil || a.opened == next.key { // nobody is called when a configuration is only checked
		return
	}
	a.opened = next.key
	a.upstream.Use(next.Network)
	a.clouds.wire.use(next.Network)
}
