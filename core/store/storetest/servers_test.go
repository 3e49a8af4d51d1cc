package storetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	url := server.Database(t)
	ctx := within(t, time.Minute)
	count := func() (n int, err error) {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return 0, err
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS t (n INT); INSERT INTO t VALUES (1)"); err != nil {
			return 0, err
		}
		return n, conn.QueryRow(ctx, "SELECT COUNT(*) FROM t").Scan(&n)
	}
	for i, end := range []func(){server.Stop, server.Kill, server.Stop} {
		if n, err := count(); err != nil || n != i+1 {
			t.Fatalf("after %d restarts: %d rows, %v", i, n, err)
		}
		end()
		if _, err := count(); err == nil {
			t.Fatal("a stopped server answers")
		}
		server.Start()
	}
	if other := server.Database(t); other == url {
		t.Error("two databases have one address")
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	client, ctx := server.Client(), within(t, time.Minute)
	for _, end := range []func(){server.Stop, server.Kill} {
		if err := client.Set(ctx, "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		end()
		if err := client.Ping(ctx).Err(); err == nil {
			t.Fatal("a stopped server answers")
		}
		server.Start()
		if err := client.Get(ctx, "k").Err(); err != redis.Nil {
			t.Errorf("a server that was started again: %v", err)
		}
	}
	server.Freeze()
	hasty, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := client.WithTimeout(100 * time.Millisecond).Ping(hasty).Err(); err == nil {
		t.Error("a frozen server answers")
	}
	server.Thaw()
	if err := client.Ping(ctx).Err(); err != nil {
		t.Errorf("a server that thawed: %v", err)
	}
}

func TestRedisPassword(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t, "--requirepass", "secret")
	if err := server.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	open := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer open.Close()
	if err := open.Ping(t.Context()).Err(); err == nil {
		t.Error("no password was needed")
	}
}

func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	s := storetest.RedisSentinel(t)
	ctx := within(t, time.Minute)
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.Name, SentinelAddrs: s.Addrs()})
	defer client.Close()
	if err := client.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Primary.Kill()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for client.Set(ctx, "k", "v2", 0).Err() != nil {
		select {
		case <-ctx.Done():
			t.Fatal("no replica took over")
		case <-poll.C:
		}
	}
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	c := storetest.RedisCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs()})
	defer client.Close()
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		if err := client.Set(t.Context(), key, "v", 0).Err(); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
