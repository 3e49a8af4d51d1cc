package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a PostgreSQL server of the test's own, on a free port of 127.0.0.1. It does not wait for the disk, so
// it is fast and survives being killed, but not the end of the machine.
type PostgresServer struct {
	t       testing.TB
	program string
	dir     string
	port    int
	process *process
}

// Postgres returns the address of a new, empty database. With Main all tests of a binary share a server; otherwise it is
// the test's own.
func Postgres(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv(sharedDir); dir != "" {
		return create(t, sharedPostgres(t, dir))
	}
	return StartPostgres(t).Database(t)
}

// StartPostgres starts a server for one test, which may stop and start it as it likes.
func StartPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	s := newPostgres(t, os.TempDir())
	t.Cleanup(func() {
		s.Stop()
		if err := os.RemoveAll(s.dir); err != nil {
			t.Errorf("remove the database: %v", err)
		}
	})
	return s
}

func newPostgres(t testing.TB, parent string) *PostgresServer {
	t.Helper()
	const installed = "/usr/lib/postgresql/*/bin"
	others := []string{installed, "/usr/libexec/postgresql*", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"}
	program, err := find("postgres", others...)
	initdb, err2 := find("initdb", others...)
	if err != nil || err2 != nil {
		missing(t, "PostgreSQL")
	}
	dir, err := folder(parent, "postgres")
	if err != nil {
		t.Fatalf("folder of the database: %v", err)
	}
	s := &PostgresServer{t: t, program: program, dir: dir}
	create := exec.Command(initdb, "--pgdata", s.data(), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8",
		"--locale", "C", "--no-sync")
	create.SysProcAttr, create.Dir = unprivileged(), dir
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	s.Start()
	return s
}

func (s *PostgresServer) data() string { return filepath.Join(s.dir, "data") }

// URL is the address of a database of the server.
func (s *PostgresServer) URL(database string) string {
	return fmt.Sprintf("postgresql://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Database makes an empty database and returns its address.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	return create(t, s.URL("postgres"))
}

func create(t testing.TB, server string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to the test's PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	name := "t" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	return strings.Replace(server, "/postgres?", "/"+name+"?", 1)
}

// Start starts a server that was stopped or killed, on the port it had.
func (s *PostgresServer) Start() {
	s.t.Helper()
	const attempts = 5
	var last error
	for range attempts {
		port := s.port
		if port == 0 {
			free, err := freePort()
			if err != nil {
				s.t.Fatalf("a free port: %v", err)
			}
			port = free
		}
		if last = s.try(port); last == nil {
			s.port = port
			return
		}
		// The port may have been taken meanwhile, or the processes of a killed server are not gone yet.
		<-time.After(pollEvery)
	}
	s.t.Fatalf("start PostgreSQL: %v", last)
}

func (s *PostgresServer) try(port int) error {
	p, err := run(s.dir, "INT", s.program, "-D", s.data(), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
		"-c", "shared_buffers=64MB", "-c", "max_wal_size=512MB", "-c", "deadlock_timeout=20ms")
	if err != nil {
		return err
	}
	err = p.await(func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, fmt.Sprintf("postgresql://postgres@127.0.0.1:%d/postgres?sslmode=disable", port))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		p.stop()
		return err
	}
	s.process = p
	return nil
}

// Stop shuts the server down: connections end at once, nothing is lost.
func (s *PostgresServer) Stop() {
	if s.process != nil {
		s.process.stop()
		s.process = nil
	}
}

// Kill ends the server with SIGKILL, in the middle of what it does.
func (s *PostgresServer) Kill() {
	s.t.Helper()
	if err := s.process.signal(syscall.SIGKILL); err != nil {
		s.t.Fatalf("kill the server: %v", err)
	}
	s.Stop()
}

// sharedPostgres starts the server of a test binary, or finds it.
func sharedPostgres(t testing.TB, dir string) string {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(dir, "postgres.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatalf("lock of the shared server: %v", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock of the shared server: %v", err)
	}
	file := filepath.Join(dir, "postgres.url")
	if url, err := os.ReadFile(file); err == nil {
		return string(url)
	}
	s := newPostgres(t, dir)
	if err := os.WriteFile(file, []byte(s.URL("postgres")), 0o600); err != nil {
		t.Fatalf("remember the shared server: %v", err)
	}
	return s.URL("postgres")
}

// Main runs the tests of a package whose tests share servers, and returns the exit code.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sallyport-shared-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "folder of shared servers:", err)
		return 1
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the servers run as somebody else
		fmt.Fprintln(os.Stderr, "folder of shared servers:", err)
		return 1
	}
	if err := os.Setenv(sharedDir, dir); err != nil {
		fmt.Fprintln(os.Stderr, "folder of shared servers:", err)
		return 1
	}
	code := m.Run()
	endShared(dir)
	return code
}

// endShared ends the shared server and removes the folder. The server's supervisor would do it a moment later.
func endShared(dir string) {
	pids, _ := filepath.Glob(filepath.Join(dir, "*", "data", "postmaster.pid"))
	for _, file := range pids {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(raw), "\n")
		if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGQUIT) // immediate shutdown: nothing in it is needed again
			waitGone(file)
		}
	}
	_ = os.RemoveAll(dir)
}

func waitGone(file string) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for end := time.Now().Add(startTimeout); time.Now().Before(end); <-poll.C {
		if _, err := os.Stat(file); err != nil {
			return
		}
	}
}
