package sdkclients_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sdkclients "github.com/sallyport-ai/sallyport/examples/sdk-clients"
)

const key = "sk-1234"

// want is what every client prints: the same calls give the same answers in every SDK.
const want = `chat: Hello from the mock vendor. (12 + 6 tokens)
stream: Hello from the mock vendor. (12 + 6 tokens)
tools: get_weather(Paris): It is 21 degrees in Paris.
embeddings: 2 vectors of 3, the first begins with 0.25
models: gpt-4o, gpt-4o-limited, text-embedding-3-small
bad key: refused with 401
unknown model: refused with 400
upstream limit: refused with 429
`

// TestClients starts the gateway's binary in front of the mock vendor and runs the
// clients of all languages against it.
func TestClients(t *testing.T) {
	t.Parallel()
	baseURL := startGateway(t, "config.yaml") + "/v1"

	t.Run("go", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		if err := sdkclients.Run(t.Context(), baseURL, key, &out); err != nil {
			t.Error(err)
		}
		compare(t, want, out.String())
	})
	env := []string{"OPENAI_BASE_URL=" + baseURL, "OPENAI_API_KEY=" + key}
	program(t, want, env, "node", "node_modules/openai", "node", "client.mjs")
	program(t, want, env, "python", ".venv/.installed", ".venv/bin/python", "client.py")
}

// program runs a client in a process of its own, when it is installed.
func program(t *testing.T, want string, env []string, name, installed string, command ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		_, noSDK := os.Stat(installed)
		interpreter, noInterpreter := exec.LookPath(command[0])
		if noSDK != nil || noInterpreter != nil {
			lacking(t, name)
		}
		cmd := exec.CommandContext(t.Context(), interpreter, command[1:]...)
		// Nothing else of the environment: a proxy setting would lead the client astray.
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%v\n%s", err, stderr.String())
		}
		compare(t, want, string(out))
	})
}

func compare(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("output of the client (-want +got):\n%s", diff)
	}
}

// lacking skips a test whose SDK is not installed, where that is allowed.
func lacking(t *testing.T, name string) {
	t.Helper()
	message := fmt.Sprintf("the %s SDK is not installed: run make deps", name)
	if os.Getenv("CI") == "true" || os.Getenv("SALLYPORT_REQUIRE_SDKS") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// startGateway builds and starts the gateway with a configuration of this folder in front of the mock
// vendor, and returns its URL when it is ready.
func startGateway(t *testing.T, file string) string {
	t.Helper()
	vendor := httptest.NewServer(sdkclients.Vendor())
	t.Cleanup(vendor.Close)

	dir := t.TempDir()
	binary := filepath.Join(dir, "sallyport")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./core/cmd/sallyport")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	config, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}

	port := freePort(t)
	var log bytes.Buffer
	// Not t.Context(), which kills at the end: the gateway is asked to end.
	gateway := exec.Command(binary, "--config", config, "--host", "127.0.0.1", "--port", port)
	gateway.Dir = dir
	gateway.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"UPSTREAM_BASE_URL=" + vendor.URL + "/v1", "UPSTREAM_ROOT_URL=" + vendor.URL, "UPSTREAM_API_KEY=" + sdkclients.UpstreamKey, "GATEWAY_KEY=" + key,
		"OPENAI_BASE_URL=" + vendor.URL + "/v1", "OPENAI_API_KEY=" + sdkclients.UpstreamKey,
	}
	gateway.Stdout, gateway.Stderr = &log, &log
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- gateway.Wait() }()
	t.Cleanup(func() { stop(t, gateway, ended, &log) })

	url := "http://127.0.0.1:" + port
	if err := ready(t.Context(), url, ended); err != nil {
		t.Fatalf("the gateway is not ready: %v", err)
	}
	return url
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// ready asks until the gateway says that it lives, or has ended.
func ready(ctx context.Context, url string, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health/liveliness", http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// stop ends the gateway, which is to end by itself when asked, and shows its log when
// the test has failed.
func stop(t *testing.T, gateway *exec.Cmd, ended chan error, log *bytes.Buffer) {
	_ = gateway.Process.Signal(syscall.SIGTERM) // fails when it has ended
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the gateway did not end on SIGTERM")
		_ = gateway.Process.Kill()
		<-ended
	}
	if t.Failed() {
		t.Logf("log of the gateway:\n%s", log)
	}
}
