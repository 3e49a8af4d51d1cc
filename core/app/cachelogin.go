package app

import (
	"context"
	"crypto/x509"
	"os"

	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
	googlecredential "github.com/sallyport-ai/sallyport/core/upstream/credential/google"
)

// memorystore has tokens of a service account sent as the password, as Google's Memorystore takes them
// (https://cloud.google.com/memorystore/docs/cluster/manage-iam-auth), if the settings name one. A connection that was let in
// stays; each new one brings a token that is good.
func (b *builder) memorystore(addr *shared.Address) error {
	p := b.cfg.LiteLLMSettings.CacheParams
	if p.GCPServiceAccount == "" {
		if p.GCPRoots != "" {
			return badParam("gcp_ssl_ca_certs", "this is for gcp_service_account, which is not set")
		}
		return nil
	}
	source := googlecredential.New(googlecredential.Settings{Env: b.cfg.Env().Get, Client: b.clouds.wire.client()})
	token, err := source.AccountToken(p.GCPServiceAccount)
	if err != nil {
		return badParam("gcp_service_account", "%w", err)
	}
	addr.Login = func(ctx context.Context) (username, password string, err error) {
		password, err = token(ctx)
		return addr.Username, password, err
	}
	if p.GCPRoots == "" {
		return nil
	}
	if !addr.TLS {
		return badParam("gcp_ssl_ca_certs", "certificates are for TLS: set ssl to true")
	}
	pem, err := os.ReadFile(p.GCPRoots)
	if err != nil {
		return badParam("gcp_ssl_ca_certs", "%w", err)
	}
	addr.Roots = x509.NewCertPool()
	if !addr.Roots.AppendCertsFromPEM(pem) {
		return badParam("gcp_ssl_ca_certs", "%s holds no certificate", p.GCPRoots)
	}
	return nil
}
