package app_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// secure is a vendor behind TLS with a certificate that nobody knows.
type secure struct {
	base, cert, both string // the address; files with its certificate, and with its key, too
	shown            atomic.Int32
}

func newSecure(t *testing.T, auth tls.ClientAuthType) *secure {
	t.Helper()
	cert, key := certificate(t, t.TempDir())
	v := &secure{cert: cert, both: filepath.Join(t.TempDir(), "both.pem")}
	var both []byte
	for _, file := range []string{cert, key} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, b...)
	}
	if err := os.WriteFile(v.both, both, 0o600); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.shown.Store(int32(len(r.TLS.PeerCertificates)))
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, ut.Completion("x", "ok", 1, 1))
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: auth}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	v.base = "https://localhost:" + port + "/v1"
	return v
}

func (v *secure) yaml(params, more string) string {
	return fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: k, api_base: %q%s}}]\n", v.base, params) + more + admin
}

func TestCertificatesOfModels(t *testing.T) {
	t.Parallel()
	v := newSecure(t, tls.NoClientCert)
	cases := []struct {
		name, params, more string
		env                []string
		good               bool
	}{
		{"as always", "", "", nil, false},
		{"SSL_VERIFY=False", "", "", []string{"SSL_VERIFY=False"}, true},
		{"SSL_VERIFY=True", "", "", []string{"SSL_VERIFY=True"}, false},
		{"SSL_VERIFY a file", "", "", []string{"SSL_VERIFY=" + v.cert}, true},
		{"SSL_CERT_FILE", "", "", []string{"SSL_CERT_FILE=" + v.cert}, true},
		{"litellm_settings", "", "litellm_settings: {ssl_verify: false}", nil, true},
		{"litellm_settings, a file", "", "litellm_settings: {ssl_verify: " + v.cert + "}", nil, true},
		{"the setting before the variable", "", "litellm_settings: {ssl_verify: true}", []string{"SSL_VERIFY=False"}, false},
		{"the deployment", ", ssl_verify: false", "", nil, true},
		{"the deployment, a file", ", ssl_verify: " + v.cert, "", nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := apptest.Start(t, v.yaml(c.params, c.more), apptest.Env(c.env...))
			if r := s.Post(chat, ask(`,"num_retries":0`)); (r.Status == 200) != c.good {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if insecure := strings.Contains(s.Log.String(), "NOT CHECKED"); insecure != (c.name == "SSL_VERIFY=False" || c.name == "litellm_settings") {
				t.Errorf("warned: %v", insecure)
			}
		})
	}
	for _, wrong := range []string{"ssl_verify: /none.pem", "ssl_certificate: /none.pem", "ssl_ecdh_curve: oval"} {
		if _, err := apptest.Try(t, v.yaml("", "litellm_settings: {"+wrong+"}")); err == nil {
			t.Errorf("%s: the gateway starts", wrong)
		}
	}
}

func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	v := newSecure(t, tls.RequireAnyClientCert)
	yaml := v.yaml("", "litellm_settings: {ssl_ecdh_curve: P-256}")
	s := apptest.Start(t, yaml, apptest.Env("SSL_VERIFY=False", "SSL_CERTIFICATE="+v.both))
	post(t, s, "m", "")
	if v.shown.Load() != 1 {
		t.Error("no certificate was shown")
	}
	s = apptest.Start(t, yaml, apptest.Env("SSL_VERIFY=False"))
	if r := s.Post(chat, ask(`,"num_retries":0`)); r.Status == 200 {
		t.Error("a vendor that wants a certificate answered without")
	}
}

// TestNetworkReload changes how connections are opened while the gateway runs.
func TestNetworkReload(t *testing.T) {
	t.Parallel()
	v := newSecure(t, tls.NoClientCert)
	s := apptest.Start(t, v.yaml("", "litellm_settings: {ssl_verify: false, force_ipv4: true}"))
	post(t, s, "m", "")
	s.Write(v.yaml("", ""))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if r := s.Post(chat, ask(`,"num_retries":0`)); r.Status == 200 {
		t.Error("certificates are still not checked")
	}
}

func TestForceIPv4(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, ut.Completion("x", "ok", 1, 1))
	})}}
	server.Start()
	t.Cleanup(server.Close)
	yaml := fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: k, api_base: %q}}]\n", server.URL)
	post(t, apptest.Start(t, yaml+admin), "m", "")
	s := apptest.Start(t, yaml+"litellm_settings: {force_ipv4: true}"+admin)
	if r := s.Post(chat, ask(`,"num_retries":0`)); r.Status == 200 {
		t.Error("a model was called over IPv6")
	}
}

// TestProxyVariables calls a model through the proxy that the environment names.
func TestProxyVariables(t *testing.T) {
	t.Parallel()
	v, proxy := ut.New(t, good()), ut.NewProxy(t)
	// A name that leads nowhere: the proxy is who looks it up, and there is none for addresses of this machine.
	base := "http://model.invalid/v1"
	yaml := fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: k, api_base: %q}}]\n", base) + admin
	s := apptest.Start(t, yaml, apptest.Env("HTTP_PROXY="+proxy.URL))
	s.Post(chat, ask(`,"num_retries":0`))
	if len(proxy.Seen()) == 0 {
		t.Error("HTTP_PROXY is not used")
	}
	n := len(proxy.Seen())
	s = apptest.Start(t, yaml, apptest.Env("HTTP_PROXY="+proxy.URL, "NO_PROXY=model.invalid"))
	s.Post(chat, ask(`,"num_retries":0`))
	if len(proxy.Seen()) != n {
		t.Error("NO_PROXY is not heeded")
	}
	s = apptest.Start(t, one(v), apptest.Env("HTTP_PROXY="+proxy.URL))
	post(t, s, "m", "")
	if len(proxy.Seen()) != n {
		t.Error("a model on this machine is called through the proxy")
	}
}
