package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

const (
	storeGone = "the store of the cache does not answer"
	storeBack = "the store of the cache answers again"
)

// watched is a gateway with a cache whose metrics can be read.
func watched(v *ut.Vendor, params ...string) string {
	return cached(v, params...) + "  callbacks: [prometheus]\n"
}

func redisParams(server *storetest.RedisServer, more ...string) []string {
	return append([]string{"type: redis", "host: 127.0.0.1", fmt.Sprint("port: ", server.Port())}, more...)
}

// gone asks new questions, all of which are answered, until the store is left alone; then answers are kept in memory.
func gone(t *testing.T, s *apptest.Server, seed int) {
	t.Helper()
	eventually(t, func() bool {
		seed++
		wantStatus(t, s.Post(chat, ask(fmt.Sprintf(`,"seed":%d`, seed))), 200, "")
		return strings.Contains(s.Log.String(), storeGone)
	})
	miss(t, s, chat, ask(`,"seed":-1`))
	hit(t, s, chat, ask(`,"seed":-1`))
	if r := s.Get("/metrics"); !strings.Contains(r.Body, "sallyport_cache_store_unreachable 1") {
		t.Error("the metrics do not say that the store is gone")
	}
}

// back waits until the store is used again. The outage was told once.
func back(t *testing.T, s *apptest.Server) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(s.Log.String(), storeBack) })
	if n := strings.Count(s.Log.String(), storeGone); n != 1 {
		t.Errorf("%d lines about the outage", n)
	}
	eventually(t, func() bool { return strings.Contains(s.Get("/metrics").Body, "sallyport_cache_store_unreachable 0") })
}

// Redis stops answering while a request is under way, with its connections open: the request is answered, and so are those
// that follow.
func TestCacheStopsMidRequest(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	gate := ut.NewGate()
	v := ut.New(t, gate.Before(ut.JSON(200, ut.Completion("m", "x", 1, 1))))
	s := apptest.Start(t, watched(v, redisParams(server, "lookup_timeout: 0.2")...))
	answered := make(chan *apptest.Response, 1)
	go func() { answered <- s.Post(chat, ask("")) }()
	<-gate.Reached()
	server.Freeze()
	gate.Open()
	wantStatus(t, <-answered, 200, `"x"`)
	gone(t, s, 100)
	server.Thaw()
	back(t, s)
}

// A Redis that has no room gives what it has. What it refuses is kept in memory, until there is room again.
func TestCacheRedisFull(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, watched(v, redisParams(server, "lookup_timeout: 20", "ttl: 3600")...))
	client := server.Client()
	room := func(bytes string) {
		t.Helper()
		if err := client.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	inRedis := func(n int64) {
		t.Helper()
		eventually(t, func() bool {
			size, err := client.DBSize(t.Context()).Result()
			return err == nil && size == n
		})
	}
	refused := func(n int) {
		t.Helper()
		eventually(t, func() bool {
			return strings.Contains(s.Get("/metrics").Body, fmt.Sprintf("sallyport_cache_events_total{event=\"refused\"} %d\n", n))
		})
	}
	miss(t, s, chat, ask(""))
	inRedis(1)
	room("1")
	const more = 5 // than the failures after which a store is left alone
	for seed := range more {
		miss(t, s, chat, ask(fmt.Sprintf(`,"seed":%d`, seed)))
	}
	refused(more)
	for seed := range more {
		hit(t, s, chat, ask(fmt.Sprintf(`,"seed":%d`, seed)))
	}
	hit(t, s, chat, ask("")) // from Redis
	if n := strings.Count(s.Log.String(), "the store of the cache takes no writes"); n != 1 || strings.Contains(s.Log.String(), storeGone) {
		t.Errorf("the log says it %d times: %s", n, s.Log)
	}
	if r := s.Get("/metrics"); !strings.Contains(r.Body, "sallyport_cache_store_full 1") || !strings.Contains(r.Body, "sallyport_cache_store_unreachable 0") {
		t.Error("the metrics do not say that the store is full")
	}
	wantStatus(t, s.Get("/cache/ping"), 503, "OOM")
	inRedis(1)
	room("0")
	miss(t, s, chat, ask(`,"seed":-1`))
	inRedis(2)
	hit(t, apptest.Start(t, cached(v, redisParams(server, "lookup_timeout: 20")...)), chat, ask(`,"seed":-1`))
}

// An entry that is spoilt, of another version, or another answer's is a miss, and is replaced.
func TestCacheSpoiltEntries(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	client := server.Client()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	// Each look is that of another gateway: one's own writes are found in memory.
	start := func() *apptest.Server {
		return apptest.Start(t, watched(v, redisParams(server, "lookup_timeout: 20", "ttl: 3600")...))
	}
	keep := func(body string) (key, entry string) {
		t.Helper()
		s := start()
		miss(t, s, chat, body)
		key = hit(t, s, chat, body).Header.Get("x-litellm-cache-key")
		eventually(t, func() bool {
			found, _, err := client.Scan(t.Context(), 0, key+"*", 1000).Result()
			if err != nil || len(found) != 1 {
				return false
			}
			key = found[0]
			entry, err = client.Get(t.Context(), key).Result()
			return err == nil
		})
		return key, entry
	}
	key, entry := keep(ask(""))
	hit(t, start(), chat, ask(""))
	_, other := keep(ask(`,"seed":1`))
	spoil := func(what, value string) {
		t.Helper()
		if err := client.Set(t.Context(), key, value, redis.KeepTTL).Err(); err != nil {
			t.Fatal(err)
		}
		s := start()
		miss(t, s, chat, ask(""))
		if r := s.Get("/metrics"); !strings.Contains(r.Body, `sallyport_cache_events_total{event="invalid"} 1`) {
			t.Errorf("%s: it is not counted", what)
		}
		hit(t, s, chat, ask(""))
	}
	spoil("a bit is wrong", entry[:len(entry)-3]+string(entry[len(entry)-3]^1)+entry[len(entry)-2:])
	spoil("it is cut", entry[:len(entry)/2])
	spoil("an older version", "SPA\x00"+entry[4:])
	spoil("a later version", "SPA\x7f"+entry[4:])
	spoil("something else", "hello")
	spoil("nothing", "")
	spoil("another answer", other)
}

// A primary of a cluster ends: requests are answered, from memory what the cluster no longer has, until it is back.
func TestCacheClusterPrimaryEnds(t *testing.T) {
	t.Parallel()
	c := storetest.RedisCluster(t)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, watched(v, "type: redis", fmt.Sprintf("redis_startup_nodes: [{host: 127.0.0.1, port: %d}]", c.Nodes[0].Port()), "lookup_timeout: 20"))
	for i := range 10 {
		miss(t, s, chat, ask(fmt.Sprintf(`,"seed":%d`, i)))
		hit(t, s, chat, ask(fmt.Sprintf(`,"seed":%d`, i)))
	}
	c.Nodes[1].Kill()
	gone(t, s, 100)
	if r := s.Get("/cache/ping"); r.Status != 503 {
		t.Errorf("ping: %d", r.Status)
	}
	c.Nodes[1].Start()
	back(t, s)
}
