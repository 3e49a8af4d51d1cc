package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sallyport")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "sallyport")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// process is a running gateway.
type process struct {
	*exec.Cmd
	t      *testing.T
	url    string
	stderr *apptest.Log
	exited chan error
}

// command prepares the program with an environment of its own.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, env...)
	return c
}

// start runs the program and waits until it says what it serves.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: command(t, env, args...), t: t, stderr: &apptest.Log{}, exited: make(chan error, 1)}
	p.Stderr = p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), " serves "); ok {
			p.url = url
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		p.exited <- p.Wait()
	}()
	if p.url == "" {
		<-p.exited
		t.Fatalf("the gateway did not start: %s", p.stderr)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

func (p *process) do(method, path, body string) (int, string) {
	p.t.Helper()
	req, _ := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer sk-1234")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// stop sends SIGTERM and returns how the program ended.
func (p *process) stop() error {
	p.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

func (p *process) wait() error {
	p.t.Helper()
	select {
	case err := <-p.exited:
		return err
	case <-time.After(20 * time.Second):
		p.t.Fatalf("the gateway did not stop: %s", p.stderr)
		return nil
	}
}

// eventually waits for something that another process does on its own.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not happen", what)
		case <-tick.C:
		}
	}
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mocked(name string) string {
	return fmt.Sprintf(`
model_list: [{model_name: %s, litellm_params: {model: openai/x, mock_response: hello}}]
general_settings: {master_key: sk-1234}
`, name)
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--version", "-v"} {
		out, err := command(t, nil, flag).Output()
		if err != nil || !strings.HasPrefix(string(out), "sallyport ") {
			t.Fatalf("%s: %s %v", flag, out, err)
		}
	}
	out, err := command(t, nil, "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--config", "--host", "--port", "--model", "--debug", "--detailed_debug", "--test", "--health", "config check", "SIGHUP"} {
		if !strings.Contains(string(out), want) {
			t.Fatalf("help does not name %s:\n%s", want, out)
		}
	}
}

func TestUsageMistakes(t *testing.T) {
	t.Parallel()
	f := func(want string, args ...string) {
		t.Helper()
		out, err := command(t, nil, args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Fatalf("%v: %v %s, want %q and exit status 2", args, err, out, want)
		}
	}
	f("--nonsense", "--nonsense")
	f("unexpected argument", "config.yaml")
	f("exclude each other", "--config", "a", "--model", "b")
	f("goes with --model", "--alias", "a")
	f("not between", "--port", "70000")
	f("go together", "--ssl_keyfile_path", "x")
	f("Usage", "config", "chek")
}

func TestServeReloadStop(t *testing.T) {
	t.Parallel()
	cfg := write(t, filepath.Join(t.TempDir(), "config.yaml"), mocked("m"))
	p := start(t, nil, "--config", cfg, "--host", "127.0.0.1", "--port", freePort(t), "--debug")
	if status, body := p.do("POST", "/v1/chat/completions", `{"model":"m","messages":[]}`); status != 200 || !strings.Contains(body, "hello") {
		t.Fatalf("%d %s", status, body)
	}
	serves := func(model string) func() bool {
		return func() bool { _, body := p.do("GET", "/v1/models", ""); return strings.Contains(body, `"`+model+`"`) }
	}
	write(t, cfg, mocked("saved"))
	eventually(t, "a reload after the file was saved", serves("saved"))

	write(t, cfg, "general_settings: {master_kee: x}")
	eventually(t, "an error about the bad file", func() bool { return strings.Contains(p.stderr.String(), "master_kee") })
	if !serves("saved")() {
		t.Fatal("the bad file replaced the good one")
	}

	write(t, cfg, mocked("hup"))
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a reload after SIGHUP", serves("hup"))
	if err := p.stop(); err != nil {
		t.Fatalf("SIGTERM: %v\n%s", err, p.stderr)
	}
}

func TestCPUProfile(t *testing.T) {
	t.Parallel()
	cfg, file := write(t, filepath.Join(t.TempDir(), "config.yaml"), mocked("m")), filepath.Join(t.TempDir(), "cpu.pprof")
	p := start(t, nil, "--config", cfg, "--host", "127.0.0.1", "--port", freePort(t), "--cpu-profile", file)
	p.do("POST", "/v1/chat/completions", `{"model":"m","messages":[]}`)
	if err := p.stop(); err != nil {
		t.Fatalf("SIGTERM: %v\n%s", err, p.stderr)
	}
	content, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if got, err := profile.Parse(content); err != nil || len(got.SampleType) != 2 || got.SampleType[1].Type != "cpu" {
		t.Fatalf("not a CPU profile: %v, %v", got, err)
	}

	out, err := command(t, nil, "--config", cfg, "--cpu-profile", filepath.Join(t.TempDir(), "no", "folder")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--cpu_profile") {
		t.Fatalf("a profile that cannot be written: %v\n%s", err, out)
	}
}

// SIGTERM lets a request under way end before the process exits with 0.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	v := ut.New(t, gate.Before(ut.JSON(200, ut.Completion("x", "at last", 1, 1))))
	cfg := write(t, filepath.Join(t.TempDir(), "config.yaml"), fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: sk-u, api_base: "%s/v1"}}]
general_settings: {master_key: sk-1234}
`, v.URL))
	p := start(t, nil, "--config", cfg, "--host", "127.0.0.1", "--port", freePort(t))
	answer := make(chan string, 1)
	go func() {
		_, body := p.do("POST", "/v1/chat/completions", `{"model":"m","messages":[]}`)
		answer <- body
	}()
	<-gate.Reached()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(p.url, "http://")
	eventually(t, "the end of accepting", func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	gate.Open()
	if body := <-answer; !strings.Contains(body, "at last") {
		t.Fatalf("the request under way got %s", body)
	}
	if err := p.wait(); err != nil {
		t.Fatalf("exit: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := write(t, filepath.Join(dir, "a.yaml"), "model_list: [{model_name: from-env, litellm_params: {model: openai/x, mock_response: hi}}]")
	other := write(t, filepath.Join(dir, "b.yaml"), mocked("from-flag"))
	port := freePort(t)
	env := []string{"CONFIG_FILE_PATH=" + cfg, "HOST=127.0.0.1", "PORT=" + port, "LITELLM_MASTER_KEY=sk-1234"}
	p := start(t, env)
	if !strings.HasSuffix(p.url, ":"+port) {
		t.Fatalf("serves %s, want port %s", p.url, port)
	}
	if _, body := p.do("GET", "/v1/models", ""); !strings.Contains(body, "from-env") {
		t.Fatalf("models %s", body)
	}
	env[2] = "PORT=" + freePort(t)
	p = start(t, env, "--config", other)
	if _, body := p.do("GET", "/v1/models", ""); !strings.Contains(body, "from-flag") {
		t.Fatalf("models %s", body)
	}
	out, err := command(t, []string{"CONFIG_FILE_PATH=" + dir + "/none.yaml"}).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "none.yaml") {
		t.Fatalf("a configuration that does not exist: %v %s", err, out)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	cfg := write(t, filepath.Join(t.TempDir(), "c.yaml"), mocked("m"))
	out, err := command(t, nil, "--config", cfg, "--host", "127.0.0.1", "--port", port).CombinedOutput()
	if err == nil || !strings.Contains(string(out), port+" is in use") {
		t.Fatalf("%v %s", err, out)
	}
}

func TestModelFlag(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	p := start(t, []string{"OPENAI_API_KEY=sk-from-env", "LITELLM_MASTER_KEY=sk-1234"},
		"--model", "openai/gpt-4o", "--alias", "best", "--api_base", v.URL+"/v1", "--host", "127.0.0.1", "--port", freePort(t))
	if status, body := p.do("POST", "/v1/chat/completions", `{"model":"best","messages":[]}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got := v.Last(); got.Header.Get("Authorization") != "Bearer sk-from-env" || !strings.Contains(string(got.Body), `"gpt-4o"`) {
		t.Fatalf("sent %v %s", got.Header, got.Body)
	}
}

func TestClientFlags(t *testing.T) {
	t.Parallel()
	cfg := write(t, filepath.Join(t.TempDir(), "c.yaml"), mocked("m"))
	at := []string{"--config", cfg, "--host", "127.0.0.1", "--port", freePort(t)}
	out, err := command(t, nil, append(at, "--test")...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no gateway answers at") {
		t.Fatalf("--test without a gateway: %v %s", err, out)
	}
	start(t, nil, at...)
	if out, err := command(t, nil, append(at, "--test")...).CombinedOutput(); err != nil || !strings.Contains(string(out), "hello") {
		t.Fatalf("--test: %v %s", err, out)
	}
	if out, err := command(t, nil, append(at, "--health")...).CombinedOutput(); err != nil || !strings.Contains(string(out), `"healthy_count": 1`) {
		t.Fatalf("--health: %v %s", err, out)
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := func(yaml string, code int, want ...string) {
		t.Helper()
		out, err := command(t, nil, "config", "check", write(t, filepath.Join(dir, "c.yaml"), yaml)).CombinedOutput()
		got := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			got = exit.ExitCode()
		}
		for _, w := range want {
			if got != code || !strings.Contains(string(out), w) {
				t.Fatalf("exit %d, want %d and %q:\n%s", got, code, w, out)
			}
		}
	}
	f(mocked("m"), 0, "model_list[0].model_name", "in effect", "c.yaml:2")
	f("litellm_settings:\n  request_timeout: 1\n  request_timout: 1\n", 1, "request_timeout", "in effect", "c.yaml:3", "unknown")
	f("general_settings:\n  master_key: sk-1234\n  litellm_license: abc-def-ghi\n", 0, "not needed here")
	f("guardrails:\n  - guardrail_name: g\n    litellm_params:\n      guardrail: nowhere.wasm\n      mode: pre_call\n", 1, "c.yaml:4", "nowhere.wasm")
	f("model_list:\n  - model_name: m\n    litellm_params: {model: opnai/x}\n", 1, "c.yaml:3", "openai")
	out, err := command(t, nil, "config", "check", "--json", write(t, filepath.Join(dir, "c.yaml"), mocked("m"))).Output()
	if err != nil || !json.Valid(out) {
		t.Fatalf("--json: %v %s", err, out)
	}
	if bytes.Contains(out, []byte("sk-1234")) {
		t.Fatalf("the master key is printed: %s", out)
	}
}

// With JSON_LOGS, standard error is JSON from the first line on, also when the configuration is broken.
func TestJSONLogsOfABrokenStart(t *testing.T) {
	t.Parallel()
	c := command(t, []string{"JSON_LOGS=true"}, "--config", write(t, filepath.Join(t.TempDir(), "c.yaml"), "general_settings: {a: 1, b: 2}"))
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Run(); err == nil {
		t.Fatal("it started")
	}
	for _, line := range strings.Split(strings.TrimSpace(stderr.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Fatalf("%q is not JSON", line)
		}
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	cfg := write(t, filepath.Join(t.TempDir(), "c.yaml"), mocked("m"))
	verbose := write(t, filepath.Join(t.TempDir(), "v.yaml"), "litellm_settings: {set_verbose: true}\n"+mocked("m"))
	f := func(env string, line bool, cfg string, flags ...string) {
		t.Helper()
		p := start(t, []string{env}, append(flags, "--config", cfg, "--host", "127.0.0.1", "--port", freePort(t))...)
		p.do("POST", "/v1/chat/completions", `{"model":"m","messages":[]}`)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(p.stderr.String(), "/v1/chat/completions"); got != line {
			t.Fatalf("%s %s: a line for the request is %v, want %v:\n%s", env, cfg, got, line, p.stderr)
		}
	}
	f("LITELLM_LOG=DEBUG", true, cfg)
	f("LITELLM_LOG=ERROR", false, cfg)
	f("SET_VERBOSE=True", true, cfg)
	f("SET_VERBOSE=False", false, cfg)
	f("X=", true, verbose)
	f("X=", true, cfg, "--detailed_debug")
	f("X=", false, cfg, "--debug")
	out, err := command(t, []string{"LITELLM_LOG=nosuch"}, "--config", cfg).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "CRITICAL") {
		t.Fatalf("an unknown level: %v %s", err, out)
	}
}

// freePort finds a port that nobody listens on. Another process may take it before the gateway does, which then fails
// to start and says so.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}
