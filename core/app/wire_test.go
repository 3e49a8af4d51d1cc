package app_test

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws/awstest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// behind puts a server behind TLS with a certificate that nobody knows. It returns the address and the certificate's file.
func behind(t *testing.T, address string) (secured, cert string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host }}
	s := httptest.NewUnstartedServer(http.Handler(proxy))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1), cert
}

// Credentials are fetched over connections that are opened like those to models.
func TestCredentialsBehindTLS(t *testing.T) {
	t.Parallel()
	b, sts, v, l := newBedrock(t), awstest.NewSTS(t), upstreamtest.New(t, upstreamtest.JSON(200, completion)), newLogin(t)
	tokens, tokensCert := behind(t, sts.URL)
	login, loginCert := behind(t, l.URL)
	f := func(model, cert string, env ...string) {
		t.Helper()
		yaml := "model_list: [{model_name: m, litellm_params: {model: " + model + "}}]\n" + admin + "litellm_settings: {num_retries: 0, ssl_verify: "
		s := apptest.Start(t, yaml+"true}", apptest.Env(env...))
		if r := s.Post(chat, ask("")); r.Status == 200 {
			t.Errorf("%s: an unknown certificate is good", model)
		}
		for _, verify := range []string{cert, "false"} {
			s.Write(yaml + verify + "}")
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
			hello(t, s, "m")
		}
	}
	f("bedrock/x.y", tokensCert, "AWS_BEDROCK_RUNTIME_ENDPOINT="+b.URL, "AWS_STS_ENDPOINT="+tokens,
		"AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1", "AWS_ROLE_NAME=arn:aws:iam::1:role/r1")
	f("azure/dep", loginCert, "AZURE_API_BASE="+v.URL, "AZURE_AUTHORITY_HOST="+login,
		"AZURE_TENANT_ID=d1", "AZURE_CLIENT_ID=c1", "AZURE_CLIENT_SECRET=s1")
}
