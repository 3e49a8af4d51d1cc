package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// ownCertificate is a file with a certificate and its key.
func ownCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "own.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// How Redis's certificate is checked, and what the gateway shows: in cache_params, and in the variables of the same names.
func TestCacheRedisTLS(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	port, authority := overTLS(t, server.Addr(), false)
	closed, _ := overTLS(t, server.Addr(), true)
	own, v := ownCertificate(t), ut.New(t)
	f := func(name string, port int, host, want string, settings ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params := []string{"type: redis", "lookup_timeout: 20", "host: " + host, fmt.Sprint("port: ", port), "ssl: true"}
			env := []string{fmt.Sprint("REDIS_PORT=", port), "REDIS_HOST=" + host, "REDIS_SSL=True", "REDIS_SOCKET_TIMEOUT=20"}
			for _, s := range settings {
				name, value, _ := strings.Cut(s, ": ")
				params, env = append(params, s), append(env, "REDIS_"+strings.ToUpper(name)+"="+value)
			}
			ping := func(s *apptest.Server) {
				t.Helper()
				if want == "" {
					wantStatus(t, s.Get("/cache/ping"), 200, "healthy")
					return
				}
				wantStatus(t, s.Get("/cache/ping"), 503, want)
			}
			ping(apptest.Start(t, cached(v, params...)))
			ping(apptest.Start(t, cached(v), apptest.Env(env...)))
		})
	}
	f("unknown authority", port, "127.0.0.1", "unknown authority")
	f("known authority", port, "127.0.0.1", "", "ssl_ca_certs: "+authority)
	f("another name", port, "localhost", "not localhost", "ssl_ca_certs: "+authority)
	f("any name", port, "localhost", "", "ssl_ca_certs: "+authority, "ssl_check_hostname: false")
	f("any name of a known authority only", port, "localhost", "unknown authority", "ssl_check_hostname: false")
	f("optional", port, "localhost", "", "ssl_ca_certs: "+authority, "ssl_cert_reqs: optional")
	f("unchecked", port, "localhost", "", "ssl_cert_reqs: none")
	f("as the reference writes it", port, "localhost", "", "ssl_cert_reqs: None")
	f("nothing shown", closed, "127.0.0.1", "certificate required", "ssl_ca_certs: "+authority)
	f("shown", closed, "127.0.0.1", "", "ssl_ca_certs: "+authority, "ssl_certfile: "+own)
	f("shown, with a key apart", closed, "127.0.0.1", "", "ssl_ca_certs: "+authority, "ssl_certfile: "+own, "ssl_keyfile: "+own)
}

// The variables that LiteLLM reads (litellm/_redis.py), one server at a time. Settings of the file come first.
func TestCacheRedisVariables(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	keysOf := func(db int) bool {
		c := server.Client()
		conn := c.Conn()
		defer conn.Close()
		if err := conn.Select(t.Context(), db).Err(); err != nil {
			t.Fatal(err)
		}
		n, err := conn.DBSize(t.Context()).Result()
		return err == nil && n > 0
	}
	host := []string{"REDIS_HOST=127.0.0.1", fmt.Sprint("REDIS_PORT=", server.Port()), "REDIS_SOCKET_TIMEOUT=20", "REDIS_DB=3", "REDIS_MAX_CONNECTIONS=2"}
	s := apptest.Start(t, cached(v), apptest.Env(host...))
	miss(t, s, chat, ask(""))
	eventually(t, func() bool { return keysOf(3) })
	s = apptest.Start(t, cached(v, "type: redis", "db: 4"), apptest.Env(host...))
	miss(t, s, chat, ask(""))
	eventually(t, func() bool { return keysOf(4) })
	user := storetest.Redis(t, "--requirepass", "hunter2")
	if err := user.Client().ACLSetUser(t.Context(), "cache", "on", ">hunter3", "~*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	pinged := func(want int, about string, env ...string) {
		t.Helper()
		r := apptest.Start(t, cached(v), apptest.Env(append(env, "REDIS_SOCKET_TIMEOUT=20")...)).Get("/cache/ping")
		if r.Status != want || !strings.Contains(r.Body, about) || strings.Contains(r.Body, "hunter") {
			t.Errorf("%v: %d %s", env, r.Status, r.Body)
		}
	}
	port := fmt.Sprint("REDIS_PORT=", user.Port())
	pinged(200, "healthy", "REDIS_HOST=127.0.0.1", port, "REDIS_USERNAME=cache", "REDIS_PASSWORD=hunter3")
	pinged(503, "WRONGPASS", "REDIS_HOST=127.0.0.1", port, "REDIS_USERNAME=cache", "REDIS_PASSWORD=hunter2")
	pinged(200, "healthy", "REDIS_URL="+fmt.Sprintf("redis://cache:hunter3@127.0.0.1:%d/1", user.Port()))
	wrong := func(want string, env ...string) {
		t.Helper()
		_, err := apptest.Try(t, cached(v), apptest.Env(append(env, "REDIS_HOST=127.0.0.1")...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", env, err, want)
		}
	}
	wrong("REDIS_SSL_CA_CERTS", "REDIS_SSL=True", "REDIS_SSL_CA_CERTS=/nowhere.pem")
	wrong("REDIS_SSL_CA_CERTS: certificates are for TLS", "REDIS_SSL_CA_CERTS=/nowhere.pem")
	wrong("REDIS_SSL_CERTFILE", "REDIS_SSL=True", "REDIS_SSL_CERTFILE=/nowhere.pem")
	wrong("REDIS_SSL_KEYFILE", "REDIS_SSL=True", "REDIS_SSL_KEYFILE=/nowhere.pem")
	wrong("REDIS_SSL_CERT_REQS", "REDIS_SSL=True", "REDIS_SSL_CERT_REQS=perhaps")
	wrong("REDIS_GCP_SERVICE_ACCOUNT", "REDIS_GCP_SERVICE_ACCOUNT=nobody")
	wrong("REDIS_DB", "REDIS_DB=many")
}

// Sentinels with a password of their own, and a cluster, by variables. Redis takes the sentinels' password if it has none.
func TestCacheRedisVariablesOfMany(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	ping := func(env ...string) {
		t.Helper()
		s := apptest.Start(t, cached(v), apptest.Env(append(env, "REDIS_SOCKET_TIMEOUT=20")...))
		eventually(t, func() bool { return s.Get("/cache/ping").Status == 200 })
	}
	c := storetest.RedisSentinel(t)
	var nodes []string
	for _, n := range c.Sentinels {
		nodes = append(nodes, fmt.Sprintf(`["127.0.0.1", %d]`, n.Port()))
		if err := n.Client().ACLSetUser(t.Context(), "default", "resetpass", ">sesame").Err(); err != nil {
			t.Fatal(err)
		}
	}
	primary := c.Primary.Client()
	if err := primary.ConfigSet(t.Context(), "requirepass", "sesame").Err(); err != nil {
		t.Fatal(err)
	}
	ping("REDIS_SENTINEL_NODES=["+strings.Join(nodes, ",")+"]", "REDIS_SERVICE_NAME="+c.Name, "REDIS_SENTINEL_PASSWORD=sesame")
	cluster := storetest.RedisCluster(t)
	ping(fmt.Sprintf(`REDIS_CLUSTER_NODES=[{"host": "127.0.0.1", "port": "%d"}]`, cluster.Nodes[0].Port()))
}
