// Package postgres keeps a store in PostgreSQL, which any number of gateways share. A database that the reference made
// opens as it is.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
)

// Settings say which database.
type Settings struct {
	URL string // postgresql://user:password@host:port/name?parameters
	// DirectURL is used to change the schema, for a URL that goes through a pooler. Empty is URL.
	DirectURL string
	// Schema holds the tables. The URL's parameter of that name counts more; if both are empty it is public.
	Schema string
	// MaxConns bounds the connections. 0 is the URL's connection_limit, or 10.
	MaxConns int
	// Timeout is how long to wait for a connection that is free. 0 is the URL's pool_timeout, or a minute; less than
	// nothing is without end.
	Timeout time.Duration
	// Password is asked for the password of each new connection, in place of the URL's: for tokens that end soon.
	Password func(ctx context.Context) (string, error)
	sqlstore.Options
}

const (
	defaultConns   = 10
	defaultTimeout = time.Minute
	connectTimeout = 10 * time.Second
)

// Open opens the store. The server must be there.
func Open(ctx context.Context, s Settings) (*sqlstore.Store, error) {
	a, err := parseAddress(s.URL)
	if err != nil {
		return nil, err
	}
	if s.Warn != nil {
		for _, name := range a.ignored {
			s.Warn("database address: the parameter " + name + " means nothing here and is left out")
		}
	}
	db, err := connect(ctx, a, s)
	if err != nil {
		return nil, err
	}
	d := dialect{schema: cmp.Or(a.schema, s.Schema, "public"), settings: s}
	opened, err := sqlstore.Open(ctx, db, d, s.Options)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	return opened, nil
}

func connect(ctx context.Context, a address, s Settings) (*database, error) {
	config, err := pgxpool.ParseConfig(a.dsn)
	if err != nil {
		// The error of pgx shows the address, though not the password in its usual place.
		return nil, errors.New("the database address cannot be used: check host, port, sslmode and the certificates it names" + reason(err))
	}
	config.MaxConns = int32(min(cmp.Or(s.MaxConns, a.limit, defaultConns), maxNumber))
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "sallyport"
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if a.pooler {
		// A pooler may give each transaction another server connection, which knows nothing of prepared statements.
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		delete(config.ConnConfig.RuntimeParams, "timezone")
	}
	if s.Password != nil {
		config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
			password, err := s.Password(ctx)
			if err != nil {
				return fmt.Errorf("password for the database: %w", err)
			}
			c.Password = password
			return nil
		}
	}
	listen, err := listening(a, s, config.MaxConns)
	if err != nil {
		return nil, err
	}
	if listen != nil {
		config.MaxConns-- // the one that listens counts, too
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, errors.New("the database address cannot be used" + reason(err))
	}
	wait := s.Timeout
	if wait == 0 {
		wait = a.wait
		if a.wait < 0 {
			wait = defaultTimeout
		}
	}
	return &database{pool: pool, wait: max(wait, 0), listen: listen, password: s.Password}, nil
}

// reason is the part of an error about an address that does not show it.
func reason(err error) string {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		if inner := errors.Unwrap(parse); inner != nil {
			return ": " + inner.Error()
		}
	}
	return ""
}

// database is a sqlstore.DB.
type database struct {
	pool *pgxpool.Pool
	wait time.Duration // for a free connection; 0 is without end

	listen   *pgx.ConnConfig // for the connection that listens for changes; nil if none does
	password func(ctx context.Context) (string, error)
}

// acquire takes a connection from the pool.
func (d *database) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if d.wait == 0 {
		return d.pool.Acquire(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, d.wait)
	defer cancel()
	conn, err := d.pool.Acquire(limited)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && d.pool.Stat().AcquiredConns() >= d.pool.Config().MaxConns {
		return nil, fmt.Errorf("%w: all %d connections were busy for %s: raise database_connection_pool_limit",
			store.ErrUnavailable, d.pool.Config().MaxConns, d.wait)
	}
	return conn, err
}

// Exec is of sqlstore.Conn.
func (d *database) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	conn, err := d.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	tag, err := conn.Exec(ctx, text, args...)
	return tag.RowsAffected(), err
}

// Query is of sqlstore.Conn.
func (d *database) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	conn, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, text, args...)
	if err != nil {
		conn.Release()
		return nil, err
	}
	return &pooledRows{Rows: rows, conn: conn}, nil
}

// pooledRows give the connection back with the last row.
type pooledRows struct {
	pgx.Rows
	conn *pgxpool.Conn
}

// Close is of sqlstore.Rows.
func (r *pooledRows) Close() {
	r.Rows.Close()
	if r.conn != nil {
		r.conn.Release()
		r.conn = nil
	}
}

// Many is of sqlstore.Conn.
func (d *database) Many(context.Context, string, [][]any) (int64, error) {
	return 0, errors.New("postgres: many statements outside of a transaction")
}

// Insert is of sqlstore.Conn.
func (d *database) Insert(context.Context, sqlstore.Insert) error {
	return errors.New("postgres: rows are inserted outside of a transaction")
}

// Begin is of sqlstore.DB.
func (d *database) Begin(ctx context.Context) (sqlstore.Tx, error) {
	conn, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	// Whatever a database has as its default: who waited for a lock must see what was written meanwhile.
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		conn.Release()
		return nil, err
	}
	return &transaction{tx: tx, conn: conn}, nil
}

// Ping is of sqlstore.DB.
func (d *database) Ping(ctx context.Context) error {
	conn, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return conn.Ping(ctx)
}

// Stats is of sqlstore.DB.
func (d *database) Stats() store.Stats {
	s := d.pool.Stat()
	return store.Stats{
		Kind: "postgres", Max: int(s.MaxConns()), Open: int(s.TotalConns()), Busy: int(s.AcquiredConns()),
		Waits: s.EmptyAcquireCount(), WaitedFor: s.EmptyAcquireWaitTime(),
	}
}

// Close is of sqlstore.DB.
func (d *database) Close() error {
	d.pool.Close()
	return nil
}

type transaction struct {
	tx   pgx.Tx
	conn *pgxpool.Conn
}

// Exec is of sqlstore.Conn.
func (t *transaction) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, text, args...)
	return tag.RowsAffected(), err
}

// Query is of sqlstore.Conn.
func (t *transaction) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	return t.tx.Query(ctx, text, args...)
}

// What is on its way at once is bounded, by statements and by the bytes of their texts: a batch is held in memory whole.
const (
	pipeline      = 500
	pipelineBytes = 4 << 20
)

// Many is of sqlstore.Conn.
func (t *transaction) Many(ctx context.Context, text string, rows [][]any) (int64, error) {
	var touched int64
	for len(rows) > 0 {
		n := together(rows)
		some, err := t.batch(ctx, text, rows[:n])
		touched += some
		if err != nil {
			return touched, err
		}
		rows = rows[n:]
	}
	return touched, nil
}

// together is how many of the rows go into one batch; at least one.
func together(rows [][]any) int {
	size := 0
	for i, args := range rows {
		for _, arg := range args {
			if text, ok := arg.(string); ok {
				size += len(text)
			}
		}
		if size > pipelineBytes || i == pipeline {
			return max(i, 1)
		}
	}
	return len(rows)
}

func (t *transaction) batch(ctx context.Context, text string, rows [][]any) (touched int64, err error) {
	batch := &pgx.Batch{}
	for _, args := range rows {
		batch.Queue(text, args...)
	}
	results := t.tx.SendBatch(ctx, batch)
	defer func() {
		if closing := results.Close(); err == nil {
			err = closing
		}
	}()
	for range rows {
		tag, err := results.Exec()
		if err != nil {
			return touched, err
		}
		touched += tag.RowsAffected()
	}
	return touched, nil
}

// Commit is of sqlstore.Tx.
func (t *transaction) Commit(ctx context.Context) error {
	defer t.release()
	return t.tx.Commit(ctx)
}

// Rollback is of sqlstore.Tx.
func (t *transaction) Rollback(ctx context.Context) error {
	if t.conn == nil {
		return nil
	}
	defer t.release()
	return t.tx.Rollback(ctx)
}

func (t *transaction) release() {
	if t.conn != nil {
		t.conn.Release()
		t.conn = nil
	}
}
