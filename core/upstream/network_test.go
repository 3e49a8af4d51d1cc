package upstream_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
)

// ask makes a call and returns the body of its answer, or the error.
func ask(t *testing.T, cl *upstream.Client, addr, trust string) string {
	t.Helper()
	c := llm.Call{Target: &llm.Target{Scheme: "https", Host: "example.com", Addr: addr, Trust: trust}, Method: "GET", Path: []byte("/")}
	var a llm.Answer
	if err := cl.Do(t.Context(), &c, &a); err != nil {
		return "error: " + llm.AsError(err).Error()
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Error(err)
	}
	if err := a.Body.Close(); err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestTrust(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hi") }))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cl := upstream.New(upstream.Settings{})
	defer cl.Close()
	f := func(trust, want string) {
		t.Helper()
		if got := ask(t, cl, s.Listener.Addr().String(), trust); !strings.HasPrefix(got, want) {
			t.Errorf("trust %q: got %q, want %q", trust, got, want)
		}
	}
	f("", "error: ")
	f(upstream.TrustAnyone, "hi")
	f("", "error: ") // the connection of the other trust is not used
	f(file, "hi")
	f(file+".not", "error: upstream.Do: The call cannot be made: the file of certificates cannot be read")
	f(os.Args[0], "error: ")
	// What holds for all can change while the client is in use.
	cl.Use(upstream.Network{TLS: &tls.Config{InsecureSkipVerify: true}})
	f("", "hi")
	f(file, "hi")
	cl.Use(upstream.Network{})
	f("", "error: ")
}

func TestForceIPv4(t *testing.T) {
	t.Parallel()
	var last string
	dial := func(_ context.Context, network, _ string) (net.Conn, error) {
		last = network
		return nil, io.ErrClosedPipe
	}
	cl := upstream.New(upstream.Settings{Dial: dial})
	f := func(want string) {
		t.Helper()
		if ask(t, cl, "127.0.0.1:1", ""); last != want {
			t.Errorf("dialed %q, want %q", last, want)
		}
	}
	f("tcp")
	cl.Use(upstream.Network{ForceIPv4: true})
	f("tcp4")
	cl.Use(upstream.Network{})
	f("tcp")
}
