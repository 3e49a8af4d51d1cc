package postgres

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestParts(t *testing.T) {
	t.Parallel()
	check := func(p Parts, want string) {
		t.Helper()
		got, err := p.URL()
		if err != nil || got != want {
			t.Errorf("%+v: %s, %v; want %s", p, got, err, want)
			return
		}
		config, err := pgxpool.ParseConfig(got)
		if err == nil && (config.ConnConfig.Password != p.Password || config.ConnConfig.User != p.User || config.ConnConfig.Database != p.Name) {
			t.Errorf("%s is read as another address", got)
		}
	}
	check(Parts{Host: "db", Name: "n", User: "u"}, "postgresql://u@db/n")
	check(Parts{Host: "db", Port: "6432", Name: "n", User: "u", Password: "p@ss/w:rd"}, "postgresql://u:p%40ss%2Fw%3Ard@db:6432/n")
	check(Parts{Host: "::1", Port: "5432", Name: "n", User: "u"}, "postgresql://u@[::1]:5432/n")
	check(Parts{Host: "db", Name: "a b", User: "u@x", Schema: "s 1"}, "postgresql://u%40x@db/a%20b?schema=s+1")
	refuses := func(p Parts, part string) {
		t.Helper()
		if _, err := p.URL(); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%+v: %v, want %s named", p, err, part)
		}
	}
	refuses(Parts{Name: "n", User: "u"}, "DATABASE_HOST")
	refuses(Parts{Host: "h", User: "u"}, "DATABASE_NAME")
	refuses(Parts{Host: "h", Name: "n"}, "DATABASE_USERNAME")
	refuses(Parts{Host: "h", Name: "n", User: "u", Port: "x"}, "DATABASE_PORT")
	refuses(Parts{Host: "h", Name: "n", User: "u", Port: "70000"}, "DATABASE_PORT")
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	check := func(text string, want address) {
		t.Helper()
		got, err := parseAddress(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(address{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	const base = "postgresql://u:p@h:5432/n"
	check(base, address{dsn: base, wait: -1})
	check("postgres://u@h/n?schema=s1&connection_limit=7&pool_timeout=0&pgbouncer=true", address{
		dsn: "postgres://u@h/n", schema: "s1", limit: 7, pooler: true,
	})
	check(base+"?pool_timeout=5&sslmode=require&connect_timeout=3&socket_timeout=9", address{
		dsn: base + "?connect_timeout=3&sslmode=require", wait: 5 * time.Second, ignored: []string{"socket_timeout"},
	})
	check(base+"?sslmode=require&sslaccept=strict&sslcert=ca.pem", address{dsn: base + "?sslmode=verify-full&sslrootcert=ca.pem", wait: -1})
	check(base+"?sslcert=c.pem&sslkey=k.pem", address{dsn: base + "?sslcert=c.pem&sslkey=k.pem", wait: -1})
	refuses := func(text string, parts ...string) {
		t.Helper()
		_, err := parseAddress(text)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
			return
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %s", text, err, part)
			}
		}
	}
	refuses("postgresql://u:secret%zz@h/n", "%40")
	refuses("mysql://u:secret@h/n", "postgresql://")
	refuses("host=h password=secret")
	refuses(base+"?a=%zz", "name=value")
	refuses(base+"?connection_limit=many", "connection_limit", "many")
	refuses(base+"?connection_limit=0", "connection_limit")
	refuses(base+"?pool_timeout=-1", "pool_timeout")
	refuses(base+"?pgbouncer=perhaps", "pgbouncer")
	refuses(base+"?sslidentity=x.p12", "sslkey")
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"postgresql://u:p@h:5432/n?schema=s&sslmode=require", "postgres://[::1]/n?host=/tmp", "x", "postgres://u:p%40@h,h2/n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAddress(text)
		if err != nil {
			return
		}
		if _, err := url.Parse(a.dsn); err != nil {
			t.Errorf("%q became %q: %v", text, a.dsn, err)
		}
		_, _ = pgxpool.ParseConfig(a.dsn) // errs or not, but does not panic
	})
}

func TestTogether(t *testing.T) {
	t.Parallel()
	rows := func(n, size int) [][]any {
		all := make([][]any, n)
		for i := range all {
			all[i] = []any{1, strings.Repeat("x", size)}
		}
		return all
	}
	for _, c := range []struct{ rows, size, want int }{
		{1, 1, 1}, {3, 1, 3}, {pipeline + 1, 1, pipeline}, {3, pipelineBytes + 1, 1}, {10, pipelineBytes / 4, 4},
	} {
		if got := together(rows(c.rows, c.size)); got != c.want {
			t.Errorf("%d rows of %d bytes: %d together, want %d", c.rows, c.size, got, c.want)
		}
	}
}
