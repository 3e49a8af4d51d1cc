package app_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// overTLS stands before a server that speaks no TLS, and may demand some certificate. It returns its port, and the file with
// its own, which is for 127.0.0.1.
func overTLS(t *testing.T, addr string, demanding bool) (port int, file string) {
	t.Helper()
	like := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	t.Cleanup(like.Close)
	how := &tls.Config{Certificates: like.TLS.Certificates, MinVersion: tls.VersionTLS12}
	if demanding {
		how.ClientAuth = tls.RequireAnyClientCert
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				to, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer to.Close()
				go func() { _, _ = io.Copy(to, c); to.Close() }()
				_, _ = io.Copy(c, to)
			}()
		}
	}()
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: like.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().(*net.TCPAddr).Port, file
}

// tokens are Google's metadata server and its API for tokens of service accounts. Each token is good for one connection.
type tokens struct {
	*httptest.Server
	mu    sync.Mutex
	now   string
	asked []string
}

func newTokens(t *testing.T) *tokens {
	s := &tokens{now: "first-token"}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/computeMetadata/") {
			_, _ = io.WriteString(w, `{"access_token":"mine","expires_in":3600,"token_type":"Bearer"}`)
			return
		}
		s.asked = append(s.asked, r.URL.Path+" "+r.Header.Get("Authorization"))
		fmt.Fprintf(w, `{"accessToken":%q,"expireTime":%q}`, s.now, time.Now().UTC().Format(time.RFC3339))
	}))
	t.Cleanup(s.Close)
	return s
}

// Memorystore is logged in to with tokens of a service account, over TLS with Google's own authority. A new connection
// brings a new token.
func TestCacheMemorystore(t *testing.T) {
	t.Parallel()
	const account = "projects/-/serviceAccounts/cache@p.iam.gserviceaccount.com"
	server := storetest.Redis(t, "--requirepass", "first-token")
	port, roots := overTLS(t, server.Addr(), false)
	google := newTokens(t)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	env := apptest.Env("GCE_METADATA_HOST="+strings.TrimPrefix(google.URL, "http://"), "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS="+google.URL,
		"CLOUDSDK_CONFIG="+t.TempDir())
	params := []string{"type: redis", "host: 127.0.0.1", fmt.Sprint("port: ", port), "ssl: true", "gcp_service_account: " + account, "gcp_ssl_ca_certs: " + roots, "lookup_timeout: 20"}
	s := apptest.Start(t, cached(v, params...), env)
	eventually(t, func() bool { return s.Get("/cache/ping").Status == 200 })
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	eventually(t, func() bool {
		n, err := server.Client().DBSize(t.Context()).Result()
		return err == nil && n > 0
	})
	google.mu.Lock()
	if len(google.asked) == 0 || google.asked[0] != "/v1/"+account+":generateAccessToken Bearer mine" {
		t.Errorf("asked %q", google.asked)
	}
	google.now = "second-token"
	google.mu.Unlock()
	// The first token is over: whoever comes anew needs another one.
	client := server.Client()
	if err := client.ConfigSet(t.Context(), "requirepass", "second-token").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.ClientKillByFilter(t.Context(), "TYPE", "normal").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Get("/cache/ping").Status == 200 })
	eventually(t, func() bool { return s.Post(chat, ask("")).Header.Get("x-litellm-cache-key") != "" })
	if out := s.Log.String() + s.Get("/cache/ping").Body; strings.Contains(out, "-token") {
		t.Errorf("a token is shown: %s", out)
	}
	// By variables, for the cache and for what replicas share.
	v2 := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s = apptest.Start(t, cached(v2), env, apptest.Env("REDIS_HOST=127.0.0.1", fmt.Sprint("REDIS_PORT=", port), "REDIS_SSL=True", "REDIS_SOCKET_TIMEOUT=20",
		"REDIS_GCP_SERVICE_ACCOUNT="+account, "REDIS_GCP_SSL_CA_CERTS="+roots))
	wantStatus(t, s.Get("/cache/ping"), 200, "healthy")
	eventually(t, func() bool { // this replica has made itself known
		n, err := client.Exists(t.Context(), "sallyport:replicas").Result()
		return err == nil && n == 1
	})
	wrong := func(about string, params ...string) {
		t.Helper()
		if _, err := apptest.Try(t, cached(v, append([]string{"type: redis", "host: 127.0.0.1"}, params...)...), env); err == nil || !strings.Contains(err.Error(), about) {
			t.Errorf("%v: %v", params, err)
		}
	}
	wrong("gcp_service_account", "gcp_service_account: nobody")
	wrong("ssl", "gcp_service_account: "+account, "gcp_ssl_ca_certs: "+roots)
	wrong("gcp_ssl_ca_certs", "gcp_ssl_ca_certs: "+roots)
	wrong("gcp_ssl_ca_certs", "ssl: true", "gcp_service_account: "+account, "gcp_ssl_ca_certs: "+t.TempDir()+"/none.pem")
}
