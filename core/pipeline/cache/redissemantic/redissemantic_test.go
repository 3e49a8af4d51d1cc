package redissemantic_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/redissemantic"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// server speaks as much of Redis with its search module as a semantic cache uses, in RESP2, as the commands' pages have it:
// https://redis.io/docs/latest/commands/ft.create/, ft.search, hset, pexpire, scan, unlink.
type server struct {
	mu     sync.Mutex
	hashes map[string]map[string]string
	until  map[string]time.Time
	index  string
	prefix string
	ln     net.Listener
	conns  []net.Conn
}

func start(t testing.TB) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{hashes: map[string]map[string]string{}, until: map[string]time.Time{}, ln: ln}
	t.Cleanup(s.stop)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
	return s
}

func (s *server) stop() {
	_ = s.ln.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	var queued [][]string
	multi := false
	for {
		args, err := command(r)
		if err != nil {
			return
		}
		switch name := strings.ToUpper(args[0]); {
		case name == "MULTI":
			multi, queued = true, nil
			_, _ = io.WriteString(c, "+OK\r\n")
		case name == "EXEC":
			multi = false
			_, _ = fmt.Fprintf(c, "*%d\r\n", len(queued))
			for _, q := range queued {
				_, _ = io.WriteString(c, s.do(q))
			}
		case multi:
			queued = append(queued, args)
			_, _ = io.WriteString(c, "+QUEUED\r\n")
		default:
			_, _ = io.WriteString(c, s.do(args))
		}
	}
}

func command(r *bufio.Reader) ([]string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		if line, err = r.ReadString('\n'); err != nil {
			return nil, err
		}
		size, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "$")))
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func bulk(v string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v) }

func (s *server) do(a []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, at := range s.until {
		if time.Now().After(at) {
			delete(s.until, k)
			delete(s.hashes, k)
		}
	}
	switch strings.ToUpper(a[0]) {
	case "FT._LIST":
		return "*0\r\n"
	case "FT.CREATE":
		if s.index != "" {
			return "-Index already exists\r\n"
		}
		if a[2] != "ON" || a[3] != "HASH" || a[4] != "PREFIX" || a[5] != "1" || a[7] != "SCHEMA" || a[9] != "TAG" || a[11] != "VECTOR" || a[13] != "6" {
			return "-ERR syntax: " + strings.Join(a, " ") + "\r\n"
		}
		s.index, s.prefix = a[1], a[6]
		return "+OK\r\n"
	case "FT.SEARCH":
		return s.search(a)
	case "HSET":
		if s.hashes[a[1]] == nil {
			s.hashes[a[1]] = map[string]string{}
		}
		for i := 2; i+1 < len(a); i += 2 {
			s.hashes[a[1]][a[i]] = a[i+1]
		}
		return ":1\r\n"
	case "PEXPIRE":
		ms, _ := strconv.Atoi(a[2])
		s.until[a[1]] = time.Now().Add(time.Duration(ms) * time.Millisecond)
		return ":1\r\n"
	case "PERSIST":
		delete(s.until, a[1])
		return ":0\r\n"
	case "SCAN":
		var keys strings.Builder
		n := 0
		for k := range s.hashes {
			if ok, _ := path.Match(a[3], k); ok {
				keys.WriteString(bulk(k))
				n++
			}
		}
		return fmt.Sprintf("*2\r\n$1\r\n0\r\n*%d\r\n%s", n, keys.String())
	case "UNLINK":
		for _, k := range a[1:] {
			delete(s.hashes, k)
		}
		return fmt.Sprintf(":%d\r\n", len(a)-1)
	}
	return "-ERR unknown command '" + a[0] + "'\r\n" // HELLO and CLIENT among them: the client goes on in RESP2
}

func (s *server) search(a []string) string {
	if s.index != a[1] {
		return "-" + a[1] + ": no such index\r\n"
	}
	scope, rest, ok := strings.Cut(strings.TrimPrefix(a[2], "(@scope:{"), "})=>[KNN 1 @vector $v AS distance]")
	if !ok || rest != "" || a[3] != "PARAMS" || a[5] != "v" || a[len(a)-2] != "DIALECT" || a[len(a)-1] != "2" {
		return "-Syntax error at offset 0\r\n"
	}
	best, nearest := "", 3.0
	for k, h := range s.hashes {
		if !strings.HasPrefix(k, s.prefix) || h["scope"] != scope || len(h["vector"]) != len(a[6]) {
			continue
		}
		if d := 1 - cosine(h["vector"], a[6]); d < nearest {
			best, nearest = k, d
		}
	}
	if best == "" {
		return "*1\r\n:0\r\n"
	}
	return "*3\r\n:1\r\n" + bulk(best) + "*4\r\n" + bulk("distance") + bulk(fmt.Sprint(nearest)) + bulk("entry") + bulk(s.hashes[best]["entry"])
}

func cosine(a, b string) float64 {
	var ab, aa, bb float64
	for i := 0; i+4 <= len(a); i += 4 {
		x := float64(math.Float32frombits(binary.LittleEndian.Uint32([]byte(a[i : i+4]))))
		y := float64(math.Float32frombits(binary.LittleEndian.Uint32([]byte(b[i : i+4]))))
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

func TestContract(t *testing.T) {
	t.Parallel()
	s := start(t)
	cachetest.Semantic(t, cachetest.SemanticOptions{
		Keeps: true, Break: func(testing.TB) { s.stop() },
		Open: func(testing.TB) cache.Semantic {
			c := redis.NewClient(&redis.Options{Addr: s.ln.Addr().String(), Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: -1})
			return redissemantic.New(c, "")
		},
	})
}

// The contract over a Redis with the module itself, in both versions of the protocol.
func TestServer(t *testing.T) {
	t.Parallel()
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) {
			t.Parallel()
			s := storetest.RedisSearch(t)
			cachetest.Semantic(t, cachetest.SemanticOptions{
				Keeps: true, Break: func(testing.TB) { s.Stop() },
				Open: func(testing.TB) cache.Semantic {
					return redissemantic.New(redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: protocol, ContextTimeoutEnabled: true, MaxRetries: -1}), "")
				},
			})
		})
	}
}

// A server without the module is told so.
func TestWithoutModule(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	s := redissemantic.New(redis.NewClient(&redis.Options{Addr: server.Addr()}), "i")
	defer s.Close()
	for _, err := range []error{s.Ping(t.Context()), s.Add(t.Context(), "s", "id", cachetest.Axis(0), []byte("v"), 0)} {
		if err == nil || !strings.Contains(err.Error(), "search module") {
			t.Errorf("%v", err)
		}
	}
}
