package redis_test

import (
	"strings"
	"testing"

	client "github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/redis"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func contract(t *testing.T, o *client.UniversalOptions, foreign func(testing.TB) client.Cmdable, breakIt func(testing.TB)) {
	o.ContextTimeoutEnabled, o.MaxRetries = true, -1
	cachetest.Store(t, cachetest.Options{
		Keeps: true, Counts: true, Break: breakIt,
		Open: func(testing.TB) cache.Store { return redis.New(client.NewUniversalClient(o)) },
		Foreign: func(t testing.TB) func(testing.TB) {
			c := foreign(t)
			for _, k := range []string{"limits", "sallyport:limits", "ns0:5"} {
				if err := c.Set(t.Context(), k, "theirs", 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			return func(t testing.TB) {
				for _, k := range []string{"limits", "sallyport:limits", "ns0:5"} {
					if v, err := c.Get(t.Context(), k).Result(); err != nil || v != "theirs" {
						t.Errorf("what others keep under %s: %q, %v", k, v, err)
					}
				}
			}
		},
	})
}

func TestServer(t *testing.T) {
	t.Parallel()
	s := storetest.Redis(t)
	contract(t, &client.UniversalOptions{Addrs: []string{s.Addr()}}, func(testing.TB) client.Cmdable { return s.Client() },
		func(testing.TB) { s.Kill() })
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	s := storetest.RedisSentinel(t)
	contract(t, &client.UniversalOptions{Addrs: s.Addrs(), MasterName: s.Name}, func(testing.TB) client.Cmdable { return s.Primary.Client() }, nil)
}

func TestCluster(t *testing.T) {
	t.Parallel()
	s := storetest.RedisCluster(t)
	contract(t, &client.UniversalOptions{Addrs: s.Addrs(), IsClusterMode: true}, func(t testing.TB) client.Cmdable {
		c := client.NewClusterClient(&client.ClusterOptions{Addrs: s.Addrs()})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}, nil)
}

func TestInfo(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	s := redis.New(client.NewUniversalClient(&client.UniversalOptions{Addrs: []string{server.Addr()}}))
	defer s.Close()
	info, clients, err := s.Info(t.Context())
	if err != nil || !strings.Contains(info, "redis_version:") || !strings.Contains(clients, "addr=") {
		t.Errorf("info: %.80q and %.80q, %v", info, clients, err)
	}
}
