package proof

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// gateway is the program as a process of its own.
type gateway struct {
	t    testing.TB
	url  string
	cmd  *exec.Cmd
	done chan struct{}

	answered atomic.Int64 // calls of load
}

// programDir names the folder of the program.
const programDir = "SALLYPORT_PROOF_PROGRAM"

// program builds the gateway once.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(programDir), "sallyport")
	out, err := exec.Command("go", "build", "-o", path, "github.com/sallyport-ai/sallyport/core/cmd/sallyport").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func startProcess(t testing.TB, yaml string, env ...string) *gateway {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, cmd: exec.Command(path, "--config", config, "--host", "127.0.0.1", "--port", freePort(t)), done: make(chan struct{})}
	g.cmd.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.cmd.Stderr = io.Discard
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		scan := bufio.NewScanner(out)
		for scan.Scan() {
		}
	}()
	go func() { _ = g.cmd.Wait(); close(g.done) }()
	t.Cleanup(g.kill)
	g.url = "http://127.0.0.1:" + g.cmd.Args[len(g.cmd.Args)-1]
	eventually(t, "the gateway answers", func() bool {
		r, err := http.Get(g.url + "/health/liveness")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	return g
}

// kill ends the process as kill -9 does.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill()
	<-g.done
}

func freePort(t testing.TB) string {
	t.Helper()
	v := vendor(t)
	v.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(v.URL, "http://"), ":")
	return port
}

// load calls until ctx ends or the gateway is gone, and returns the dollars that callers were told they paid.
func (g *gateway) load(ctx context.Context, k string, callers int) (paid float64) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for ctx.Err() == nil {
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, g.url+chatPath, strings.NewReader(body("m", "")))
				req.Header.Set("Authorization", "Bearer "+k)
				r, err := client.Do(req)
				if err != nil {
					return
				}
				_, err = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != 200 {
					continue
				}
				cost, _ := strconv.ParseFloat(r.Header.Get("X-Litellm-Response-Cost"), 64)
				mu.Lock()
				paid += cost
				mu.Unlock()
				g.answered.Add(1)
			}
		})
	}
	wg.Wait()
	return paid
}

// killUnderLoad kills the gateway once it has answered some calls and has had time to write spend.
func (g *gateway) killUnderLoad(ctx context.Context) {
	const some, writes = 20, 1300 * time.Millisecond
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for begun := time.Now(); ctx.Err() == nil && (g.answered.Load() < some || time.Since(begun) < writes); {
		<-poll.C
	}
	g.kill()
}

// TestKilled shows that a gateway which is killed under load has the spend of every call that a caller has got an answer
// to, down to the last one: on SQLite and on PostgreSQL.
func TestKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and kills the gateway")
	}
	f := func(t *testing.T, database ...string) {
		v := vendor(t)
		yaml := settings(v, "proxy_batch_write_at: 1", "", "")
		env := append([]string{"SALLYPORT_STATE_DIR=" + t.TempDir()}, database...)
		g := startProcess(t, yaml, env...)
		k := g.key()
		var paid float64
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			go g.killUnderLoad(ctx)
			paid += g.load(ctx, k, 8)
			cancel()
			g.kill()
			g = startProcess(t, yaml, env...)
		}
		if paid < 10*callCost {
			t.Fatalf("only %v dollars were paid: the test proves nothing", paid)
		}
		served := float64(len(v.Requests())) * callCost
		var got float64
		defer func() {
			t.Logf("callers paid %.2f, the books say %.2f, the model answered %.2f", paid, got, served)
		}()
		eventually(t, "the spend is written", func() bool {
			got = g.spent(k)
			return got >= paid-1e-6
		})
		// A call that the model answered and whose caller got nothing may be among them, and no other.
		if got > served+1e-6 {
			t.Error("more was booked than the model answered")
		}
	}
	t.Run("sqlite", func(t *testing.T) { f(t) })
	t.Run("postgres", func(t *testing.T) { f(t, "DATABASE_URL="+storetest.Postgres(t)) })
}

// ask calls a management route of the process.
func (g *gateway) ask(method, path, body string) (int, string) {
	req, _ := http.NewRequest(method, g.url+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+master)
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

func (g *gateway) key() string {
	g.t.Helper()
	status, b := g.ask("POST", "/key/generate", `{"max_budget": 1000000}`)
	_, rest, _ := strings.Cut(b, `"key":"`)
	k, _, found := strings.Cut(rest, `"`)
	if status != 200 || !found {
		g.t.Fatalf("%d %s", status, b)
	}
	return k
}

func (g *gateway) spent(k string) float64 {
	_, b := g.ask("GET", "/key/info?key="+k, "")
	_, rest, _ := strings.Cut(b, `"spend":`)
	number, _, _ := strings.Cut(rest, ",")
	f, _ := strconv.ParseFloat(strings.TrimSpace(number), 64)
	return f
}
