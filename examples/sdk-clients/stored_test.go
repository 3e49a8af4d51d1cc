package sdkclients_test

import (
	"bytes"
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	sdkclients "github.com/sallyport-ai/sallyport/examples/sdk-clients"
)

const (
	wantStored = `fine tuning: validating_files Queued cancelled
assistant: helper: Hello true
vector store: completed about cats true
background: completed Hello from the mock vendor. (1 item) NotFoundError 404
`
	wantTalk = "realtime: session.created response.created response.output_text.delta response.done\n"
)

// TestStored runs the clients of all languages against what vendors store and run.
func TestStored(t *testing.T) {
	t.Parallel()
	baseURL := startGateway(t, "stored.yaml") + "/v1"
	t.Run("go", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		if err := sdkclients.RunStored(t.Context(), baseURL, key, &out); err != nil {
			t.Error(err)
		}
		compare(t, wantStored, out.String())
	})
	secure, authority := overTLS(t, baseURL)
	env := []string{"OPENAI_BASE_URL=" + baseURL, "OPENAI_API_KEY=" + key}
	program(t, wantStored+wantTalk, append(env, "REALTIME_BASE_URL="+secure, "NODE_EXTRA_CA_CERTS="+authority), "node", "node_modules/openai", "node", "stored.mjs")
	program(t, wantStored+wantTalk, env, "python", ".venv/.installed", ".venv/bin/python", "stored.py")
}

// overTLS is an address that leads to another over TLS, and the file of the certificate to trust.
func overTLS(t *testing.T, to string) (address, authority string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	root := *target
	root.Path = ""
	proxy := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&root))
	t.Cleanup(proxy.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return proxy.URL + target.Path, authority
}
