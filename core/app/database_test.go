package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// databaseServer is a PostgreSQL server, and what a gateway needs to know of one of its databases.
type databaseServer struct{ *storetest.PostgresServer }

// database makes a database and returns its address, name and a connection to look into it.
func (s databaseServer) database(t *testing.T) (address, name string, conn *pgx.Conn) {
	t.Helper()
	address = s.Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err = pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return address, strings.TrimPrefix(u.Path, "/"), conn
}

func (s databaseServer) port(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(s.URL("x"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// count reads one number.
func count(t *testing.T, conn *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func withSettings(settings string) string {
	return strings.Replace(mockConfig, "store_model_in_db: true", settings, 1)
}

// makesKey has a gateway make a key, so that a row is written.
func makesKey(t *testing.T, s *apptest.Server) string {
	t.Helper()
	made := s.Post("/key/generate", `{}`, "Authorization: Bearer sk-master")
	wantStatus(t, made, http.StatusOK, `"key":"sk-`)
	return member(t, made, "key")
}

// TestDatabaseSettings starts gateways on a real PostgreSQL by every setting that says where it is and how it is used.
func TestDatabaseSettings(t *testing.T) {
	t.Parallel()
	server := databaseServer{storetest.StartPostgres(t)}
	const keys = `SELECT COUNT(*) FROM "LiteLLM_VerificationToken"`
	for name, check := range map[string]func(t *testing.T){
		"DATABASE_URL": func(t *testing.T) {
			address, _, conn := server.database(t)
			makesKey(t, apptest.Start(t, mockConfig, apptest.Env("DATABASE_URL="+address)))
			wantNumber(t, "keys", count(t, conn, keys), 1)
		},
		"database_url": func(t *testing.T) {
			address, _, conn := server.database(t)
			other, _, _ := server.database(t)
			makesKey(t, apptest.Start(t, withSettings(fmt.Sprintf("database_url: %q", address)), apptest.Env("DATABASE_URL="+other)))
			wantNumber(t, "keys", count(t, conn, keys), 1)
		},
		"parts": func(t *testing.T) {
			_, name, conn := server.database(t)
			front := newPasswordFront(t, server.port(t))
			s := apptest.Start(t, mockConfig, apptest.Env("DATABASE_HOST=127.0.0.1", "DATABASE_PORT="+front.port, "DATABASE_NAME="+name,
				"DATABASE_USERNAME=postgres", "DATABASE_USER=other", "DATABASE_PASSWORD=p@ss/w:rd"))
			makesKey(t, s)
			wantNumber(t, "keys", count(t, conn, keys), 1)
			for _, got := range front.passwords() {
				if got != "postgres p@ss/w:rd" {
					t.Errorf("user and password %q", got)
				}
			}
			if log := s.Log.String(); strings.Contains(log, "p@ss") || !strings.Contains(log, "DATABASE_USER") {
				t.Errorf("the log holds the password, or no warning of the second user: %s", log)
			}
		},
		"DATABASE_USER": func(t *testing.T) {
			_, name, conn := server.database(t)
			makesKey(t, apptest.Start(t, mockConfig, apptest.Env("DATABASE_HOST=127.0.0.1", "DATABASE_PORT="+server.port(t), "DATABASE_NAME="+name,
				"DATABASE_USER=postgres")))
			wantNumber(t, "keys", count(t, conn, keys), 1)
		},
		"DATABASE_SCHEMA": func(t *testing.T) {
			_, name, conn := server.database(t)
			makesKey(t, apptest.Start(t, mockConfig, apptest.Env("DATABASE_HOST=127.0.0.1", "DATABASE_PORT="+server.port(t), "DATABASE_NAME="+name,
				"DATABASE_USER=postgres", "DATABASE_SCHEMA=s1")))
			wantNumber(t, "keys", count(t, conn, `SELECT COUNT(*) FROM s1."LiteLLM_VerificationToken"`), 1)
			wantNumber(t, "tables in public", count(t, conn, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"), 0)
		},
		"DIRECT_URL": func(t *testing.T) {
			address, name, conn := server.database(t)
			role := "r" + name
			for _, sql := range []string{
				"CREATE ROLE " + role + " LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
				"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + role,
				"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO " + role,
			} {
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			limited := strings.Replace(address, "postgres@", role+"@", 1)
			if _, err := apptest.Try(t, mockConfig, apptest.Env("DATABASE_URL="+limited)); err == nil {
				t.Error("a role without rights made tables")
			}
			makesKey(t, apptest.Start(t, mockConfig, apptest.Env("DATABASE_URL="+limited, "DIRECT_URL="+address)))
			wantNumber(t, "keys", count(t, conn, keys), 1)
			wantNumber(t, "tables of the other role", count(t, conn, "SELECT COUNT(*) FROM pg_tables WHERE tableowner = '"+role+"'"), 0)
		},
		"schema kept": func(t *testing.T) {
			address, _, conn := server.database(t)
			for _, start := range []func() error{
				func() error {
					return second(apptest.Try(t, mockConfig, apptest.Env("DATABASE_URL="+address, "DISABLE_SCHEMA_UPDATE=true")))
				},
				func() error {
					return second(apptest.Try(t, withSettings("disable_prisma_schema_update: true"), apptest.Env("DATABASE_URL="+address)))
				},
			} {
				if err := start(); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "table LiteLLM_") {
					t.Errorf("start on an empty database: %v", err)
				}
			}
			wantNumber(t, "tables", count(t, conn, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"), 0)
		},
		"pool": func(t *testing.T) {
			address, name, conn := server.database(t)
			s := apptest.Start(t, withSettings("database_connection_pool_limit: 2, database_connection_timeout: 10"), apptest.Env("DATABASE_URL="+address))
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() { makesKey(t, s) })
			}
			group.Wait()
			if n := count(t, conn, "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '"+name+"' AND pid <> pg_backend_pid()"); n < 1 || n > 2 {
				t.Errorf("%d connections", n)
			}
			// While nobody answers, callers wait ten seconds for a connection and no longer.
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), `LOCK TABLE "LiteLLM_VerificationToken"`); err != nil {
				t.Fatal(err)
			}
			refused := make(chan *apptest.Response, 4)
			for range 4 {
				go func() { refused <- s.Post("/key/generate", `{}`, "Authorization: Bearer sk-master") }()
			}
			r := <-refused
			if r.Status < 500 || !strings.Contains(s.Log.String()+r.Body, "database_connection_pool_limit") {
				t.Errorf("without a free connection: %d %s", r.Status, r.Body)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				<-refused
			}
		},
		"IAM_TOKEN_DB_AUTH": func(t *testing.T) {
			_, name, conn := server.database(t)
			front := newPasswordFront(t, server.port(t))
			env := []string{
				"DATABASE_HOST=127.0.0.1", "DATABASE_PORT=" + front.port, "DATABASE_NAME=" + name, "DATABASE_USER=postgres", "IAM_TOKEN_DB_AUTH=true",
				"AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=hidden-key",
			}
			if _, err := apptest.Try(t, mockConfig, apptest.Env(env...)); err == nil || !strings.Contains(err.Error(), "AWS_REGION_NAME") {
				t.Errorf("without a region: %v", err)
			}
			s := apptest.Start(t, mockConfig, apptest.Env(append(env, "AWS_REGION_NAME=eu-west-1")...))
			makesKey(t, s)
			before := len(front.passwords())
			// Connections that end are replaced, each with a token of its own.
			if _, err := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", name); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool {
				return s.Post("/key/generate", `{}`, "Authorization: Bearer sk-master").Status == http.StatusOK && len(front.passwords()) > before
			})
			for _, got := range front.passwords() {
				user, token, _ := strings.Cut(got, " ")
				host, query, _ := strings.Cut(token, "/?")
				v, err := url.ParseQuery(query)
				if err != nil || user != "postgres" || host != "127.0.0.1:"+front.port || v.Get("DBUser") != "postgres" || v.Get("X-Amz-Expires") != "900" ||
					!strings.HasPrefix(v.Get("X-Amz-Credential"), "AKID/") || !strings.Contains(v.Get("X-Amz-Credential"), "/eu-west-1/rds-db/") {
					t.Errorf("password %q", got)
				}
			}
			if log := s.Log.String(); strings.Contains(log, "X-Amz") || strings.Contains(log, "hidden-key") {
				t.Error("the log holds a token or a key")
			}
		},
		"reference": func(t *testing.T) {
			address, _, conn := server.database(t)
			fixture, err := os.ReadFile("../store/sqlstore/postgres/testdata/prisma.sql")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), string(fixture)); err != nil {
				t.Fatal(err)
			}
			s := apptest.Start(t, mockConfig, apptest.Env("DATABASE_URL="+address))
			wantStatus(t, s.Get("/key/info?key=sk-1234", "Authorization: Bearer sk-master"), http.StatusOK, `"spend":1.25`)
			wantStatus(t, chatWith(s, "m", "sk-1234"), http.StatusUnauthorized, "team") // its team may use gpt-4o only
			if _, err := conn.Exec(t.Context(), `UPDATE "LiteLLM_TeamTable" SET "models" = '{m}'`); err != nil {
				t.Fatal(err)
			}
			again := apptest.Start(t, mockConfig, apptest.Env("DATABASE_URL="+address))
			wantStatus(t, chatWith(again, "m", "sk-1234"), http.StatusOK, "hello")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t)
		})
	}
}

func second[T any](_ T, err error) error { return err }

func wantNumber(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%d %s, want %d", got, what, want)
	}
}

// passwordFront stands before a server that trusts everybody, asks for a password all the same, and keeps it.
type passwordFront struct {
	port string
	to   string
	mu   sync.Mutex
	seen []string // user and password
}

func newPasswordFront(t *testing.T, port string) *passwordFront {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := net.SplitHostPort(l.Addr().String())
	f := &passwordFront{port: own, to: "127.0.0.1:" + port}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				f.serve(conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return f
}

func (f *passwordFront) passwords() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.seen...)
}

func (f *passwordFront) serve(conn net.Conn) {
	backend := pgproto3.NewBackend(conn, conn)
	var startup *pgproto3.StartupMessage
	for startup == nil {
		message, err := backend.ReceiveStartupMessage()
		if err != nil {
			return
		}
		switch m := message.(type) {
		case *pgproto3.StartupMessage:
			startup = m
		default: // of TLS
			if _, err := conn.Write([]byte{'N'}); err != nil {
				return
			}
		}
	}
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if backend.Flush() != nil || backend.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	message, err := backend.Receive()
	if err != nil {
		return
	}
	password, ok := message.(*pgproto3.PasswordMessage)
	if !ok {
		return
	}
	f.mu.Lock()
	f.seen = append(f.seen, startup.Parameters["user"]+" "+password.Password)
	f.mu.Unlock()
	f.forward(conn, startup)
}

// forward begins anew with the server, which asks for nothing.
func (f *passwordFront) forward(conn net.Conn, startup *pgproto3.StartupMessage) {
	server, err := net.DialTimeout("tcp", f.to, 5*time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	raw, err := startup.Encode(nil)
	if err != nil {
		return
	}
	if _, err := server.Write(raw); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(conn, server)
		_ = conn.Close()
	}()
	_, _ = io.Copy(server, conn)
	_ = server.Close()
	<-done
}

// TestSaltKey checks that a provider's key lies encrypted in the database, and what happens with another salt key.
func TestSaltKey(t *testing.T) {
	t.Parallel()
	vendor := upstreamtest.New(t, upstreamtest.JSON(http.StatusOK, completion))
	path := filepath.Join(t.TempDir(), "s.db")
	start := func(salt string) (*apptest.Server, error) {
		return apptest.Try(t, mockConfig, apptest.Env("DATABASE_URL=sqlite://"+path, "LITELLM_SALT_KEY="+salt))
	}
	s, err := start("s1")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, s.Post("/model/new", `{"model_name":"n","litellm_params":{"model":"openai/y","api_key":"sk-provider-abc","api_base":"`+vendor.URL+`"}}`,
		"Authorization: Bearer sk-master"), http.StatusOK, `"model_name":"n"`)
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "sk-provider-abc") {
			t.Errorf("the key lies in plain text in the file%s", suffix)
		}
	}
	again, err := start("s1")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, chatWith(again, "n", "sk-master"), http.StatusOK, "Hi.")
	if got := vendor.Last().Header.Get("Authorization"); got != "Bearer sk-provider-abc" {
		t.Errorf("the vendor got %q", got)
	}
	other, err := start("s2")
	text := ""
	if err != nil {
		text = err.Error()
	} else {
		text = other.Log.String()
	}
	if !strings.Contains(text, "LITELLM_SALT_KEY") || strings.Contains(text, "sk-provider-abc") {
		t.Errorf("with another salt key: %s", text)
	}
}
