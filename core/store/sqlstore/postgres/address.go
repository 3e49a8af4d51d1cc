package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parts are the pieces of an address, as DATABASE_HOST and its siblings give them.
type Parts struct {
	Host, Port, Name, User, Password, Schema string
}

// URL writes the address. Nothing needs escaping in the parts.
func (p Parts) URL() (string, error) {
	for _, part := range []struct{ value, variable string }{
		{p.Host, "DATABASE_HOST"}, {p.Name, "DATABASE_NAME"}, {p.User, "DATABASE_USERNAME"},
	} {
		if part.value == "" {
			return "", fmt.Errorf("no database address: set %s, or DATABASE_URL in place of the parts", part.variable)
		}
	}
	host := p.Host
	if p.Port != "" {
		if port, err := strconv.ParseUint(p.Port, 10, 16); err != nil || port == 0 {
			return "", fmt.Errorf("DATABASE_PORT is %q: it must be a number from 1 to 65535", p.Port)
		}
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		host += ":" + p.Port
	}
	u := url.URL{Scheme: "postgresql", Host: host, Path: "/" + p.Name, User: url.User(p.User)}
	if p.Password != "" {
		u.User = url.UserPassword(p.User, p.Password)
	}
	if p.Schema != "" {
		u.RawQuery = url.Values{"schema": {p.Schema}}.Encode()
	}
	return u.String(), nil
}

// address is a parsed address.
type address struct {
	dsn     string // for pgx
	schema  string
	limit   int           // connection_limit; 0 not given
	wait    time.Duration // pool_timeout; -1 not given, 0 without end
	pooler  bool          // pgbouncer: statements are not prepared on the server
	ignored []string      // parameters that mean nothing here
}

// parseAddress reads an address with the parameters that Prisma adds to those of PostgreSQL
// (https://www.prisma.io/docs/orm/overview/databases/postgresql). No error holds any of the address: it has a password.
func parseAddress(text string) (address, error) {
	a := address{wait: -1}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return a, errors.New("the database address cannot be read: it must be like postgresql://user:password@host:5432/name, " +
			"with special characters in the password written as %40 for @ and so on")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return a, errors.New("the database address cannot be read: what follows the question mark must be name=value pairs")
	}
	rest := url.Values{}
	for _, name := range slices.Sorted(keysOf(query)) {
		if err := a.parameter(name, query.Get(name), rest); err != nil {
			return a, err
		}
	}
	prismaTLS(query, rest)
	u.RawQuery = rest.Encode()
	a.dsn = u.String()
	return a, nil
}

func keysOf(values url.Values) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range values {
			if !yield(name) {
				return
			}
		}
	}
}

// parameter takes one parameter of the query; rest is what pgx gets.
func (a *address) parameter(name, value string, rest url.Values) (err error) {
	switch name {
	case "schema":
		a.schema = value
	case "connection_limit":
		a.limit, err = number(name, value, 1)
	case "pool_timeout":
		var seconds int
		seconds, err = number(name, value, 0)
		a.wait = time.Duration(seconds) * time.Second
	case "pgbouncer":
		a.pooler, err = strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("database address: pgbouncer is %.40q: it must be true or false", value)
		}
	case "sslidentity", "sslpassword":
		return fmt.Errorf("database address: %s names a PKCS12 file: give the certificate and the key as sslcert and sslkey, in PEM", name)
	case "sslmode", "sslcert", "sslkey", "sslrootcert", "sslnegotiation", "connect_timeout", "application_name", "host", "port",
		"target_session_attrs", "options", "user", "password", "dbname", "channel_binding", "statement_timeout", "search_path":
		rest.Set(name, value)
	case "sslaccept":
	default:
		a.ignored = append(a.ignored, name)
	}
	return err
}

const maxNumber = 1_000_000

func number(name, value string, least int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > maxNumber {
		return 0, fmt.Errorf("database address: %s is %.40q: it must be a number from %d to %d", name, value, least, maxNumber)
	}
	return n, nil
}

// prismaTLS translates how Prisma asks for TLS: its sslcert is the certificate of the authority, and sslaccept=strict is
// what PostgreSQL calls verify-full.
func prismaTLS(query, rest url.Values) {
	if query.Has("sslcert") && !query.Has("sslkey") {
		rest.Del("sslcert")
		rest.Set("sslrootcert", query.Get("sslcert"))
	}
	if query.Get("sslaccept") == "strict" && query.Get("sslmode") != "disable" {
		rest.Set("sslmode", "verify-full")
	}
}
