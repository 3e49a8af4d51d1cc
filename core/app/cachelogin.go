package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
	googlecredential "github.com/sallyport-ai/sallyport/core/upstream/credential/google"
)

// said is a setting with the name under which it was given.
type said struct{ name, value string }

// orSaid is a member of cache_params, or the variable that stands for it.
func orSaid(name, value, variable string) said {
	if value == "" && variable != "" {
		return said{"REDIS_" + strings.ToUpper(name), variable}
	}
	return said{name, value}
}

// secureRedis has a client of Redis log in and check certificates as cache_params and the REDIS_ variables say.
func (a *App) secureRedis(addr *shared.Address, cfg *config.Config, p config.CacheParams) error {
	v := cfg.Variables.RedisVariables
	account, authority := orSaid("gcp_service_account", p.GCPServiceAccount, v.RedisGCPAccount), orSaid("gcp_ssl_ca_certs", p.GCPRoots, v.RedisGCPRoots)
	switch {
	case account.value != "":
		if err := a.memorystore(addr, cfg, account); err != nil {
			return err
		}
	case authority.value != "":
		return badParam(authority.name, "this is for gcp_service_account, which is not set")
	}
	if authority.value == "" {
		authority = orSaid("ssl_ca_certs", p.SSLCACerts, v.RedisSSLCACerts)
	}
	cert, key := orSaid("ssl_certfile", p.SSLCertfile, v.RedisSSLCertfile), orSaid("ssl_keyfile", p.SSLKeyfile, v.RedisSSLKeyfile)
	if cert.value == "" && key.value != "" {
		return badParam(key.name, "this is the key of ssl_certfile, which is not set")
	}
	for _, file := range []said{authority, cert} {
		if file.value != "" && !addr.TLS && !strings.HasPrefix(addr.URL, "rediss://") {
			return badParam(file.name, "certificates are for TLS: set ssl to true")
		}
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if authority.value != "" {
		if trust.RootCAs, err = certificatesOf(authority.value); err != nil {
			return badParam(authority.name, "%w", err)
		}
	}
	if cert.value != "" {
		own, err := tls.LoadX509KeyPair(cert.value, cmp.Or(key.value, cert.value))
		if err != nil {
			return badParam(cert.name, "%w", err)
		}
		trust.Certificates = []tls.Certificate{own}
	}
	named := p.SSLCheckHostname
	if named == nil {
		named = v.RedisSSLCheckHostname
	}
	addr.Trust = demanding(trust, strings.ToLower(cmp.Or(p.SSLCertReqs, v.RedisSSLCertReqs)), named)
	return nil
}

// demanding has certificates be checked as Python's ssl module calls it, and the reference does (litellm/_redis.py,
// _get_redis_ssl_context).
func demanding(trust *tls.Config, demand string, named *bool) *tls.Config {
	switch {
	case demand == "none":
		trust.InsecureSkipVerify = true
		return trust
	case named != nil && *named, named == nil && demand != "optional":
		return trust
	}
	// What the library would check, but the name.
	trust.InsecureSkipVerify = true
	trust.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		o := x509.VerifyOptions{Roots: trust.RootCAs, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
	return trust
}

// certificatesOf reads a file of authorities.
func certificatesOf(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// memorystore has tokens of a service account sent as the password, as Google's Memorystore takes them
// (https://cloud.google.com/memorystore/docs/cluster/manage-iam-auth). A connection that was let in stays; each new one
// brings a token that is good.
func (a *App) memorystore(addr *shared.Address, cfg *config.Config, account said) error {
	source := googlecredential.New(googlecredential.Settings{Env: cfg.Env().Get, Client: a.clouds.wire.client()})
	token, err := source.AccountToken(account.value)
	if err != nil {
		return badParam(account.name, "%w", err)
	}
	username := addr.Username
	addr.Login = func(ctx context.Context) (string, string, error) {
		password, err := token(ctx)
		return username, password, err
	}
	return nil
}
