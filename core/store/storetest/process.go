// Package storetest starts the servers that tests need, PostgreSQL, Redis and S3, from what is installed on the machine, and
// holds the contract that every store.Store passes.
//
// A server belongs to the test that starts it and ends with it, also when the test is killed. Packages whose tests share
// one say so:
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// RequireServers makes a test fail, rather than be skipped, when a server is not installed.
	RequireServers = "SALLYPORT_REQUIRE_SERVERS"
	// sharedDir holds what tests of one binary share, set by Main.
	sharedDir = "SALLYPORT_TEST_SERVERS"

	startTimeout = 60 * time.Second
	pollEvery    = 20 * time.Millisecond
)

// missing ends a test that needs a program which is not installed.
func missing(t testing.TB, program string) {
	t.Helper()
	message := program + " is not installed: run make deps"
	if os.Getenv("CI") == "true" || os.Getenv(RequireServers) != "" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// pidFile, in the program's folder, holds its process.
const pidFile = "process.pid"

// supervise runs a program until standard input ends, which it does when the test's process does, whatever ends it.
const supervise = `signal=$1; shift; "$@" & child=$!; echo $child >` + pidFile + `; trap '' INT TERM; cat >/dev/null; kill -"$signal" $child 2>/dev/null; wait $child`

// process is a program under way.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *buffer
	done  chan struct{}
}

// buffer keeps what a program printed, for the message of a test that fails.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is of io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text.Len() > 1<<20 {
		b.text.Reset()
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// run starts a program as a user other than root. The signal ends it.
func run(dir, signal string, argv ...string) (*process, error) {
	return runAs(unprivileged(), dir, signal, argv...)
}

// runAs runs a program with the attributes. The signal ends it.
func runAs(attr *syscall.SysProcAttr, dir, signal string, argv ...string) (*process, error) {
	cmd := exec.Command("sh", append([]string{"-c", supervise, "sh", signal}, argv...)...)
	cmd.Dir = dir
	if err := os.Remove(filepath.Join(dir, pidFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err // the one of the run before would pass for this one's
	}
	out := &buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin, out: out, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ends is no matter
	}()
	return p, nil
}

// stop ends the program and waits for its end.
func (p *process) stop() {
	_ = p.stdin.Close()
	select {
	case <-p.done:
	case <-time.After(startTimeout):
		_ = p.cmd.Process.Kill()
	}
}

// account is a user to run servers as when the test runs as root: PostgreSQL refuses root.
func account() (uid, gid int, ok bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return uid, gid, true
		}
	}
	return 0, 0, false
}

func unprivileged() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true} // an interrupted test run ends the server by its pipe
	if uid, gid, ok := account(); ok {
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return attr
}

// folder makes a folder that the server may write to.
func folder(parent, name string) (string, error) {
	dir, err := os.MkdirTemp(parent, "sallyport-"+name+"-")
	if err != nil {
		return "", err
	}
	if uid, gid, ok := account(); ok {
		err = os.Chown(dir, uid, gid)
	}
	return dir, err
}

// freePort is a port that nobody listens on at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// await asks until the answer is nil and the program has written who it is,
// the program ended, or it took too long. A program may answer before the
// shell that started it has written its process down.
func (p *process) await(ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			if _, err = p.pid(); err == nil {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended: %s", p.out)
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w: %s", startTimeout, err, p.out)
		case <-poll.C:
		}
	}
}

// find looks for a program in PATH and in folders.
func find(program string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(pattern, program))
		if err == nil && len(found) > 0 {
			return found[len(found)-1], nil // the latest version
		}
	}
	return "", errors.New(program + " not found")
}

// pid is the program's own process, as it wrote it down.
func (p *process) pid() (int, error) {
	raw, err := os.ReadFile(filepath.Join(p.cmd.Dir, pidFile))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || pid < 2 {
		return 0, fmt.Errorf("the program's process is %q", raw)
	}
	return pid, nil
}

// signal sends a signal to the program itself.
func (p *process) signal(sig syscall.Signal) error {
	pid, err := p.pid()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}
