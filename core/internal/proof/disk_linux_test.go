package proof

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// disk is a way to take the room on a disk from a gateway and to give it back.
type disk struct {
	state string
	fill  func(g *gateway)
	free  func(g *gateway)
}

// limited is a disk on which no file of the process may grow: a limit of the kernel, which needs no rights.
func limited(t *testing.T) disk {
	set := func(g *gateway, most uint64) {
		t.Helper()
		var limit unix.Rlimit
		if err := unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
			t.Fatal(err)
		}
		limit.Cur = min(most, limit.Max)
		if err := unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Fatal(err)
		}
	}
	return disk{
		state: t.TempDir(),
		fill:  func(g *gateway) { set(g, 32<<10) },
		free:  func(g *gateway) { set(g, unix.RLIM_INFINITY) },
	}
}

// mounted is a small file system of its own, filled to the last block. Only root may mount it.
func mounted(t *testing.T) disk {
	state := t.TempDir()
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=48m,mode=700"); err != nil {
		t.Skipf("a file system can only be mounted by root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	ballast := filepath.Join(state, "ballast")
	return disk{
		state: state,
		fill: func(*gateway) {
			f, err := os.Create(ballast)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := io.Copy(f, zeros{}); err == nil {
				t.Fatal("the file system has no end")
			}
		},
		free: func(*gateway) {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		},
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// crowd calls with long prompts, 8 callers at once, until each was refused because nothing can be recorded, and returns
// what those who got an answer were charged.
func (g *gateway) crowd(k string) (paid float64) {
	g.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var calls atomic.Int64
	long := strings.Replace(body("m", ""), `"hi"`, `"`+strings.Repeat("long ", 12_000)+`"`, 1)
	for range 8 {
		wg.Go(func() {
			for calls.Add(1) < 10_000 {
				status, answer, cost := g.chat(k, long)
				switch status {
				case http.StatusOK:
					mu.Lock()
					paid += cost
					mu.Unlock()
				case http.StatusServiceUnavailable:
					if !strings.Contains(answer, "The gateway cannot record what calls cost: the disk of its spend journal is full.") {
						g.t.Errorf("refused with %s", answer)
					}
					return
				default:
					g.t.Errorf("%d %s", status, answer)
					return
				}
			}
			g.t.Error("nobody was refused")
		})
	}
	wg.Wait()
	return paid
}

// chat calls once and tells what it cost.
func (g *gateway) chat(k, request string) (status int, answer string, cost float64) {
	req, _ := http.NewRequest(http.MethodPost, g.url+chatPath, strings.NewReader(request))
	req.Header.Set("Authorization", "Bearer "+k)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error(), 0
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error(), 0
	}
	cost, _ = strconv.ParseFloat(r.Header.Get("X-Litellm-Response-Cost"), 64)
	return r.StatusCode, string(b), cost
}

// TestDiskFull shows what happens when the disk of the journal has no room, and that of SQLite's file with it: callers are
// refused before a model is asked, every call that was answered is in the books to the last one, and calls are let in again
// as soon as there is room, or after a kill -9 in the middle of it.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the gateway and fills a disk")
	}
	f := func(t *testing.T, d disk, kill bool, general string, env ...string) {
		v := vendor(t)
		yaml := settings(v, "store_prompts_in_spend_logs: true, "+general, "", "")
		env = append([]string{"SALLYPORT_STATE_DIR=" + d.state}, env...)
		g := startProcess(t, yaml, env...)
		k := g.key()
		d.fill(g)
		paid := g.crowd(k)
		if paid < 20*callCost {
			t.Errorf("only %v dollars were paid before the disk was full", paid)
		}
		asked := len(v.Requests())
		if status, answer, _ := g.chat(k, body("m", "")); status != http.StatusServiceUnavailable || len(v.Requests()) != asked {
			t.Errorf("a call on a full disk: %d %s", status, answer)
		}
		d.free(g)
		if kill {
			g.kill()
			g = startProcess(t, yaml, env...)
		}
		eventually(t, "calls are let in again", func() bool {
			status, _, cost := g.chat(k, body("m", ""))
			paid += cost
			return status == http.StatusOK
		})
		if kill { // what is not written when it ends is written at the next start
			g.kill()
			g = startProcess(t, yaml, env...)
		}
		var got float64
		eventually(t, "the spend is written", func() bool {
			got = g.spent(k)
			return got >= paid-1e-6
		})
		if !near(got, paid) || !near(paid, float64(len(v.Requests()))*callCost) {
			t.Errorf("callers paid %v, the books say %v, the model answered %d calls", paid, got, len(v.Requests()))
		}
	}
	const often, never = "proxy_batch_write_at: 1", "proxy_batch_write_at: 3600"
	t.Run("sqlite", func(t *testing.T) { f(t, limited(t), false, often) })
	t.Run("sqlite killed", func(t *testing.T) { f(t, limited(t), true, often) })
	t.Run("sqlite mounted", func(t *testing.T) { f(t, mounted(t), false, often) })
	t.Run("postgres killed", func(t *testing.T) { f(t, limited(t), true, never, "DATABASE_URL="+storetest.Postgres(t)) })
	t.Run("postgres mounted", func(t *testing.T) { f(t, mounted(t), true, never, "DATABASE_URL="+storetest.Postgres(t)) })
}
