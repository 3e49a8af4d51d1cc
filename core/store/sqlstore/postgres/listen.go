package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-ai/sallyport/core/store"
)

// channel is where changes are told. PostgreSQL delivers when the transaction is committed
// (https://www.postgresql.org/docs/current/sql-notify.html).
const channel = "sallyport_change"

// Notify is of sqlstore.Dialect.
func (d dialect) Notify() string {
	return "SELECT pg_notify('" + channel + "', '" + quoteText(d.schema) + "')"
}

// Schema is of sqlstore.Dialect.
func (d dialect) Schema() string { return d.schema }

// quoteText doubles the quotes of a text.
func quoteText(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == '\'' {
			out = append(out, '\'')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// fewestConns is how many connections there must be for one of them to listen.
const fewestConns = 3

// listening is the address that a connection which listens takes; nil if there is none: a pooler gives every transaction
// another connection, and very few connections are better used for questions.
func listening(a address, s Settings, conns int32) (*pgx.ConnConfig, error) {
	if conns < fewestConns {
		return nil, nil
	}
	if s.DirectURL != "" {
		direct, err := parseAddress(s.DirectURL)
		if err != nil {
			return nil, fmt.Errorf("DIRECT_URL: %w", err)
		}
		a = direct
	}
	if a.pooler {
		return nil, nil
	}
	config, err := pgx.ParseConfig(a.dsn)
	if err != nil {
		return nil, errors.New("the address of the database cannot be used" + reason(err))
	}
	config.RuntimeParams["application_name"] = "sallyport-changes"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// Listen is of sqlstore.Listener.
func (d *database) Listen(ctx context.Context, schema string, wake func()) error {
	if d.listen == nil {
		return errors.ErrUnsupported
	}
	config := d.listen.Copy()
	if d.password != nil {
		password, err := d.password(ctx)
		if err != nil {
			return fmt.Errorf("password for the database: %w", err)
		}
		config.Password = password
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("%w: listen for changes%s", store.ErrUnavailable, reason(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("%w: listen for changes: %w", store.ErrUnavailable, err)
	}
	wake() // what changed before may not have been told here
	for {
		told, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("%w: listen for changes: %w", store.ErrUnavailable, err)
		}
		if told.Payload == schema {
			wake()
		}
	}
}
