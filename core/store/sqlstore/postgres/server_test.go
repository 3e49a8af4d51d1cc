package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// patience is how long a connection may take. A server that is gone refuses at once.
const patience = 30 * time.Second

// TestOutage stops the server under the store, kills it, and starts it again: what was answered is there.
func TestOutage(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	s := open(t, postgres.Settings{URL: server.Database(t), MaxConns: 3, Timeout: patience})
	ctx := t.Context()
	if err := s.Keys().Create(ctx, &store.Key{Token: token}); err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	record := func() error {
		_, err := s.Spend().Record(ctx, store.SpendBatch{Source: "j", Entries: []store.SpendEntry{{
			Seq: seq + 1, Log: store.SpendLog{RequestID: fmt.Sprint(seq), APIKey: token, Spend: 1, StartTime: time.Now(), EndTime: time.Now()},
		}}})
		return err
	}
	for i, end := range []func(){server.Stop, server.Kill} {
		for range 10 {
			if err := record(); err != nil {
				t.Fatal(err)
			}
			seq++
		}
		end()
		for what, err := range map[string]error{
			"record": record(), "ping": s.Ping(ctx), "write": s.Keys().Create(ctx, &store.Key{Token: fmt.Sprint(i)}),
			"read":    second(s.Keys().Get(ctx, token)),
			"changes": second(s.Changes().Latest(ctx)),
		} {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s without a server: %v", what, err)
			}
		}
		server.Start()
		if err := record(); err != nil {
			t.Errorf("after the outage: %v", err)
		}
		seq++
		key, err := s.Keys().Get(ctx, token)
		if err != nil || key.Spend != float64(seq) {
			t.Errorf("key: %+v, %v; want %d spent", key, err, seq)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestBusyPool has more callers than connections: one waits as long as it is told to, and says why it got none.
func TestBusyPool(t *testing.T) {
	t.Parallel()
	const wait = 500 * time.Millisecond
	s := open(t, postgres.Settings{URL: storetest.Postgres(t) + "&connection_limit=1", Timeout: wait})
	// That long a connection may also take to be made, or to be given back, on a machine that has other things to do. What
	// is tested is only who finds it taken.
	eventually := func(what string, do func() error) {
		t.Helper()
		err := do()
		for end := time.Now().Add(patience); err != nil && time.Now().Before(end); err = do() {
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
				break
			}
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	asked := 0
	eventually("the only connection is free", func() error {
		return s.Tx(t.Context(), func(store.Store) error {
			asked++
			_, err := s.Keys().Count(t.Context())
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "database_connection_pool_limit") {
				t.Errorf("error %v", err)
			}
			if stats := s.Stats(); stats.Max != 1 || stats.Busy != 1 || stats.Kind != "postgres" {
				t.Errorf("stats %+v", stats)
			}
			return nil
		})
	})
	if asked == 0 {
		t.Error("nobody asked for the connection that was taken")
	}
	eventually("the connection is free again", func() error { return second(s.Keys().Count(t.Context())) })
}

func TestSchema(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	conn := connect(t, url)
	check := func(s store.Store, schema string) {
		t.Helper()
		if err := s.Tags().Create(t.Context(), &store.Tag{TagName: "in " + schema}); err != nil {
			t.Fatal(err)
		}
		if found := texts(t, conn, fmt.Sprintf(`SELECT tag_name FROM "%s"."LiteLLM_TagTable"`, schema)); len(found) != 1 {
			t.Errorf("tags in %s: %v", schema, found)
		}
	}
	check(open(t, postgres.Settings{URL: url, Schema: "s1"}), "s1")
	check(open(t, postgres.Settings{URL: url + "&schema=s2", Schema: "s1"}), "s2")
	check(open(t, postgres.Settings{URL: url + "&schema=Odd%20name'"}), "Odd name'")
	if made := columns(t, conn); len(made) != 0 {
		t.Errorf("tables in public: %d", len(made))
	}
}

// TestDirectURL changes the schema through an address whose role may, and works through one whose role may not.
func TestDirectURL(t *testing.T) {
	t.Parallel()
	direct := storetest.Postgres(t)
	conn := connect(t, direct)
	role := "r" + strings.TrimPrefix(texts(t, conn, "SELECT current_database()::text")[0], "t")
	run(t, conn, fmt.Sprintf(`CREATE ROLE "%s" LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
		ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "%[1]s";
		ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO "%[1]s"`, role))
	limited := strings.Replace(direct, "postgres@", role+"@", 1)
	if _, err := postgres.Open(t.Context(), postgres.Settings{URL: limited}); err == nil {
		t.Fatal("a role without rights made tables")
	}
	s := open(t, postgres.Settings{URL: limited, DirectURL: direct})
	if err := s.Tags().Create(t.Context(), &store.Tag{TagName: "x"}); err != nil {
		t.Error(err)
	}
	if _, err := postgres.Open(t.Context(), postgres.Settings{URL: storetest.Postgres(t), DirectURL: "nonsense"}); err == nil ||
		!strings.Contains(err.Error(), "DIRECT_URL") {
		t.Errorf("a bad DIRECT_URL: %v", err)
	}
}

// TestPooler works without statements that are prepared on the server.
func TestPooler(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Settings{URL: storetest.Postgres(t) + "&pgbouncer=true"})
	ctx := t.Context()
	at := time.Date(2026, 2, 1, 1, 2, 3, 0, time.UTC)
	if err := s.Keys().Create(ctx, &store.Key{Token: token, Models: store.List{"m"}, Metadata: store.JSON(`{"a":1}`), Expires: &at}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		key, err := s.Keys().Lookup(ctx, token, time.Now())
		if err != nil || key.Models[0] != "m" || !key.Expires.Equal(at) {
			t.Errorf("key %+v, %v", key, err)
		}
		if _, err := s.Spend().Record(ctx, store.SpendBatch{Source: "j", Entries: []store.SpendEntry{{Seq: 1, Log: store.SpendLog{StartTime: at}}}}); err != nil {
			t.Error(err)
		}
	}
}

// TestPassword asks for the password of each connection.
func TestPassword(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	var asked atomic.Int32
	s := open(t, postgres.Settings{URL: url, MaxConns: 2, Password: func(context.Context) (string, error) {
		return fmt.Sprint("token", asked.Add(1)), nil
	}})
	if err := s.Ping(t.Context()); err != nil || asked.Load() < 2 { // one for the schema's, one for the pool's
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
	_, err := postgres.Open(t.Context(), postgres.Settings{URL: url, Password: func(context.Context) (string, error) {
		return "", errors.New("no credentials")
	}})
	if err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("a password that cannot be had: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	check := func(url string, parts ...string) {
		t.Helper()
		var warned []string
		_, err := postgres.Open(t.Context(), postgres.Settings{URL: url, Timeout: patience, Options: sqlstore.Options{
			Warn: func(m string) { warned = append(warned, m) },
		}})
		if err == nil || strings.Contains(err.Error()+strings.Join(warned, ""), "secret") {
			t.Errorf("%s: %v, %q", url, err, warned)
			return
		}
		for _, part := range parts {
			if !strings.Contains(err.Error()+strings.Join(warned, ""), part) {
				t.Errorf("%s: %v, %q: want %s", url, err, warned, part)
			}
		}
	}
	check("postgresql://u:secret@127.0.0.1:1/n", "unavailable", "127.0.0.1")
	check("postgresql://u:secret@127.0.0.1:1/n?nonsense=1", "nonsense")
	check("postgresql://u:secret@h:port/n")
	check("postgresql://u:secret@127.0.0.1:1/n?sslmode=nonsense", "sslmode")
	check("postgresql://u:secret@127.0.0.1:1/n?sslrootcert=/none.pem&sslmode=verify-full")
	check("")
	none := strings.Replace(storetest.Postgres(t), "/t", "/none", 1)
	check(none, "none")
}
