package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisServer is a Redis server of the test's own, on a free port of 127.0.0.1. It keeps nothing on disk, so a server that
// is started again is empty.
type RedisServer struct {
	t       testing.TB
	dir     string
	port    int
	args    []string
	process *process
}

// Redis starts a server. Args are added to its command line.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	program, err := find("redis-server")
	if err != nil {
		missing(t, "redis-server")
	}
	dir, err := folder(os.TempDir(), "redis")
	if err != nil {
		t.Fatalf("folder of Redis: %v", err)
	}
	return redisServer(t, dir, append([]string{program}, args...))
}

// redisServer starts the server of a command line. The folder goes when the test ends.
func redisServer(t testing.TB, dir string, argv []string) *RedisServer {
	t.Helper()
	s := &RedisServer{t: t, dir: dir, args: argv}
	t.Cleanup(func() {
		s.Stop()
		if err := os.RemoveAll(s.dir); err != nil {
			t.Errorf("remove the folder of Redis: %v", err)
		}
	})
	s.Start()
	return s
}

// Addr is host:port.
func (s *RedisServer) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Port is the port alone.
func (s *RedisServer) Port() int { return s.port }

// URL is the address as Redis clients take it.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

// Client is a client of the server, closed when the test ends.
func (s *RedisServer) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: s.option("--requirepass")})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// option is the value of an option of the command line.
func (s *RedisServer) option(name string) string {
	for i := range s.args {
		if s.args[i] == name && i+1 < len(s.args) {
			return s.args[i+1]
		}
	}
	return ""
}

// Start starts a server that was stopped or killed, on the port it had.
func (s *RedisServer) Start() {
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
	}
	s.t.Fatalf("start Redis: %v", last)
}

func (s *RedisServer) try(port int) error {
	argv := append([]string{}, s.args...)
	argv = append(argv, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir)
	if s.option("--cluster-enabled") == "yes" && s.option("--cluster-port") == "" {
		bus, err := freePort()
		if err != nil {
			return err
		}
		argv = append(argv, "--cluster-port", strconv.Itoa(bus))
	}
	if len(argv) > 1 && argv[1] == sentinelFile {
		argv = []string{argv[0], filepath.Join(s.dir, sentinelFile), "--sentinel", "--port", strconv.Itoa(port), "--bind", "127.0.0.1"}
	}
	p, err := run(s.dir, "TERM", argv...)
	if err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(port), Password: s.option("--requirepass"), MaxRetries: -1})
	defer client.Close()
	if err := p.await(func(ctx context.Context) error { return client.Ping(ctx).Err() }); err != nil {
		p.stop()
		return err
	}
	s.process = p
	return nil
}

// Stop shuts the server down.
func (s *RedisServer) Stop() {
	if s.process != nil {
		_ = s.process.signal(syscall.SIGCONT) // a frozen one does not end
		s.process.stop()
		s.process = nil
	}
}

// Kill ends the server with SIGKILL.
func (s *RedisServer) Kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	s.Stop()
}

// Freeze stops the server's clock, so to speak: connections stay open and nobody answers. Thaw goes on.
func (s *RedisServer) Freeze() { s.t.Helper(); s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *RedisServer) Thaw() { s.t.Helper(); s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.signal(sig); err != nil {
		s.t.Fatalf("signal Redis: %v", err)
	}
}

const sentinelFile = "sentinel.conf"

// Sentinel is a primary, its replicas, and the sentinels that watch them.
type Sentinel struct {
	Primary   *RedisServer
	Replicas  []*RedisServer
	Sentinels []*RedisServer
	Name      string // of the primary, for clients
}

// Addrs are the sentinels' addresses.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

func addrs(servers []*RedisServer) []string {
	all := make([]string, len(servers))
	for i, server := range servers {
		all[i] = server.Addr()
	}
	return all
}

// RedisSentinel starts a primary with one replica and three sentinels, which take half a second without an answer for an
// outage. It returns when they know of each other.
func RedisSentinel(t testing.TB) *Sentinel {
	t.Helper()
	const count, quorum = 3, 2
	s := &Sentinel{Primary: Redis(t), Name: "mymaster"}
	s.Replicas = append(s.Replicas, Redis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Primary.port)))
	for range count {
		s.Sentinels = append(s.Sentinels, newSentinel(t, s.Name, s.Primary.port, quorum))
	}
	client := redis.NewSentinelClient(&redis.Options{Addr: s.Sentinels[0].Addr()})
	defer client.Close()
	err := s.Sentinels[0].process.await(func(ctx context.Context) error {
		state, err := client.Master(ctx, s.Name).Result()
		if err != nil {
			return err
		}
		if state["num-other-sentinels"] != strconv.Itoa(count-1) || state["num-slaves"] != strconv.Itoa(len(s.Replicas)) {
			return fmt.Errorf("%s other sentinels, %s replicas", state["num-other-sentinels"], state["num-slaves"])
		}
		return nil
	})
	if err != nil {
		t.Fatalf("sentinels: %v", err)
	}
	return s
}

func newSentinel(t testing.TB, name string, port, quorum int) *RedisServer {
	t.Helper()
	program, err := find("redis-server")
	if err != nil {
		missing(t, "redis-server")
	}
	dir, err := folder(os.TempDir(), "sentinel")
	if err != nil {
		t.Fatalf("folder of a sentinel: %v", err)
	}
	config := fmt.Sprintf("dir %s\nsentinel monitor %s 127.0.0.1 %d %d\nsentinel down-after-milliseconds %[2]s 500\n"+
		"sentinel failover-timeout %[2]s 3000\n", dir, name, port, quorum)
	file := filepath.Join(dir, sentinelFile)
	err = os.WriteFile(file, []byte(config), 0o666)
	if uid, gid, ok := account(); ok && err == nil {
		err = os.Chown(file, uid, gid) // a sentinel writes what it learns into its configuration
	}
	if err != nil {
		t.Fatalf("configuration of a sentinel: %v", err)
	}
	s := &RedisServer{t: t, dir: dir, args: []string{program, sentinelFile}}
	t.Cleanup(func() {
		s.Stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the folder of a sentinel: %v", err)
		}
	})
	s.Start()
	return s
}

// Cluster is a Redis Cluster of primaries that share the slots.
type Cluster struct{ Nodes []*RedisServer }

// Addrs are the nodes' addresses.
func (c *Cluster) Addrs() []string { return addrs(c.Nodes) }

const slots = 16384

// RedisCluster starts a cluster of three primaries and returns when it serves.
func RedisCluster(t testing.TB) *Cluster {
	t.Helper()
	const count = 3
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	c := &Cluster{}
	for i := range count {
		bus, err := freePort()
		if err != nil {
			t.Fatalf("a free port: %v", err)
		}
		node := Redis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "15000", "--cluster-port", strconv.Itoa(bus))
		client := node.Client()
		from, to := i*slots/count, (i+1)*slots/count-1
		if err := client.ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
			t.Fatalf("slots of a node: %v", err)
		}
		if i > 0 {
			if err := client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", c.Nodes[0].port, c.Nodes[0].option("--cluster-port")).Err(); err != nil {
				t.Fatalf("nodes meet: %v", err)
			}
		}
		c.Nodes = append(c.Nodes, node)
	}
	for _, node := range c.Nodes {
		client := node.Client()
		err := node.process.await(func(ctx context.Context) error {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", count))) {
				err = errors.New("the cluster is not ready")
			}
			return err
		})
		if err != nil {
			t.Fatalf("cluster: %v", err)
		}
	}
	return c
}
