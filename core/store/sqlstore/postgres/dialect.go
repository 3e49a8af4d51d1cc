package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
)

// dialect is PostgreSQL's.
type dialect struct {
	schema   string
	settings Settings
}

// Table is of sqlstore.Dialect. The schema is written out: a pooler does not keep a connection's search_path.
func (d dialect) Table(name string) string { return pgx.Identifier{d.schema, name}.Sanitize() }

// Type is of sqlstore.Dialect. The types are those that Prisma gives its columns.
func (dialect) Type(c sqlstore.Column) string {
	switch c.Kind {
	case sqlstore.KindInt:
		switch {
		case c.Serial && c.Name == "id":
			return "SERIAL PRIMARY KEY"
		case c.Serial:
			return "BIGSERIAL PRIMARY KEY"
		case c.Small:
			return "INTEGER"
		}
		return "BIGINT"
	case sqlstore.KindFloat:
		return "DOUBLE PRECISION"
	case sqlstore.KindBool:
		return "BOOLEAN"
	case sqlstore.KindTime:
		return "TIMESTAMP(3)"
	case sqlstore.KindList:
		return "TEXT[]"
	case sqlstore.KindJSON:
		return "JSONB"
	}
	return "TEXT"
}

// Default is of sqlstore.Dialect.
func (dialect) Default(c sqlstore.Column) string {
	if c.Null && c.Kind != sqlstore.KindList {
		return ""
	}
	switch c.Kind {
	case sqlstore.KindInt, sqlstore.KindFloat:
		return "0"
	case sqlstore.KindBool:
		return "false"
	case sqlstore.KindTime:
		return "CURRENT_TIMESTAMP"
	case sqlstore.KindList:
		return "ARRAY[]::TEXT[]"
	case sqlstore.KindJSON:
		if c.List {
			return "'[]'"
		}
		return "'{}'"
	}
	return "''"
}

// Millis is of sqlstore.Dialect.
func (dialect) Millis() bool { return false }

// Arrays is of sqlstore.Dialect.
func (dialect) Arrays() bool { return true }

// Has is of sqlstore.Dialect.
func (dialect) Has(column, value string) string { return value + " = ANY(" + column + ")" }

// Member is of sqlstore.Dialect.
func (dialect) Member(column string, path ...string) string {
	return "(" + column + " #>> '{" + strings.Join(path, ",") + "}')"
}

// Unindexed is of sqlstore.Dialect: the planner knows how values are spread.
func (dialect) Unindexed(column string) string { return column }

// Day is of sqlstore.Dialect.
func (dialect) Day(column string) string { return "to_char(" + column + ", 'YYYY-MM-DD')" }

// Now is of sqlstore.Dialect.
func (dialect) Now(plus string) string {
	return "((clock_timestamp() AT TIME ZONE 'UTC') + CAST(" + plus + " AS BIGINT) * INTERVAL '1 millisecond')"
}

// Tie is of sqlstore.Dialect.
func (dialect) Tie(column string) string { return `"` + column + `"` }

// ForUpdate is of sqlstore.Dialect.
func (dialect) ForUpdate() string { return " FOR UPDATE" }

// The keys of the advisory locks: of those who change rows that others are told of, and of those who change the schema.
// They are numbers that nobody else is likely to use in the same database.
const (
	changeLock = 0x53616c6c79_01
	schemaLock = 0x53616c6c79_02
)

// Serialize is of sqlstore.Dialect.
func (d dialect) Serialize(ctx context.Context, c sqlstore.Conn) error {
	_, err := c.Exec(ctx, fmt.Sprintf("SELECT pg_advisory_xact_lock(%d, hashtext('%s'))", changeLock&0x7fffffff, strings.ReplaceAll(d.schema, "'", "''")))
	return err
}

// LockTable is of sqlstore.Dialect.
func (d dialect) LockTable(ctx context.Context, c sqlstore.Conn, table string) error {
	_, err := c.Exec(ctx, "LOCK TABLE "+d.Table(table)+" IN SHARE ROW EXCLUSIVE MODE")
	return err
}

// lockPoll is the time between two attempts to get the lock. Waiting in the database instead would hold a snapshot, which
// an index that is built concurrently waits for.
const lockPoll = 50 * time.Millisecond

// Lock is of sqlstore.Dialect. The lock belongs to a connection of its own, which neither a pooler nor a crash can keep.
func (d dialect) Lock(ctx context.Context, fn func(ctx context.Context, db sqlstore.DB) error) error {
	settings := d.settings
	if settings.DirectURL != "" {
		settings.URL = settings.DirectURL
	}
	a, err := parseAddress(settings.URL)
	if err != nil {
		if settings.DirectURL != "" {
			return fmt.Errorf("DIRECT_URL: %w", err)
		}
		return err
	}
	settings.MaxConns = 2
	db, err := connect(ctx, a, settings)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		_, meaning := d.Error(err)
		return meaning
	}
	defer conn.Release()
	if err := lockSchema(ctx, conn.Conn()); err != nil {
		_, meaning := d.Error(err)
		return fmt.Errorf("wait for another replica that updates the schema: %w", meaning)
	}
	// Closing is the surest way to unlock.
	defer func() { _ = conn.Conn().Close(context.WithoutCancel(ctx)) }()
	if d.schema != "public" {
		if _, err := conn.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{d.schema}.Sanitize()); err != nil {
			_, meaning := d.Error(err)
			return fmt.Errorf("create schema %s: %w", d.schema, meaning)
		}
	}
	return fn(ctx, db)
}

func lockSchema(ctx context.Context, conn *pgx.Conn) error {
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		var locked bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(schemaLock)).Scan(&locked); err != nil || locked {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
		}
	}
}

// BuildIndex is of sqlstore.Dialect. What an attempt that was interrupted left behind is dropped.
func (d dialect) BuildIndex(ctx context.Context, db sqlstore.DB, name, definition string) error {
	if _, err := db.Exec(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+d.Table(name)); err != nil {
		return err
	}
	_, err := db.Exec(ctx, "CREATE INDEX CONCURRENTLY IF NOT EXISTS "+pgx.Identifier{name}.Sanitize()+definition)
	return err
}

// Describe is of sqlstore.Dialect.
func (d dialect) Describe(ctx context.Context, c sqlstore.Conn, tables []string) (sqlstore.Description, error) {
	there := sqlstore.Description{Columns: map[string]map[string]bool{}, Indexes: map[string]sqlstore.Index{}}
	rows, err := c.Query(ctx, `SELECT t.relname::text, a.attname::text FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE n.nspname = $1 AND t.relname = ANY($2) AND t.relkind IN ('r', 'p')`, d.schema, tables)
	if err != nil {
		return there, err
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return there, err
		}
		if there.Columns[table] == nil {
			there.Columns[table] = map[string]bool{}
		}
		there.Columns[table][column] = true
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return there, err
	}
	return there, d.describeIndexes(ctx, c, tables, there.Indexes)
}

func (d dialect) describeIndexes(ctx context.Context, c sqlstore.Conn, tables []string, indexes map[string]sqlstore.Index) error {
	rows, err := c.Query(ctx, `SELECT t.relname::text, i.relname::text, x.indisunique, x.indisprimary,
		CASE WHEN x.indpred IS NULL AND x.indexprs IS NULL THEN ARRAY(
			SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY k(attnum, place)
			JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum ORDER BY k.place) END
		FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
		JOIN pg_namespace n ON n.oid = t.relnamespace
		WHERE n.nspname = $1 AND t.relname = ANY($2) AND x.indisvalid`, d.schema, tables)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var index sqlstore.Index
		if err := rows.Scan(&index.Table, &name, &index.Unique, &index.Primary, &index.Columns); err != nil {
			return err
		}
		indexes[name] = index
	}
	return rows.Err()
}

// Error is of sqlstore.Dialect. Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
func (dialect) Error(err error) (again bool, meaning error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
		return false, err
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return false, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return serverError(failure, err)
	}
	var network net.Error
	gone := errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) || pgconn.Timeout(err)
	if gone || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "closed pool") {
		return false, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return false, err
}

func serverError(failure *pgconn.PgError, err error) (again bool, meaning error) {
	switch failure.Code {
	case "23505":
		return false, &store.ConflictError{Table: failure.TableName, Field: conflictField(failure.Detail)}
	case "23503", "23001":
		return false, fmt.Errorf("%w: %s names a row that does not exist, or another row names it (%s)",
			store.ErrReference, failure.TableName, failure.ConstraintName)
	case "40001", "40P01":
		return true, err
	case "54000":
		return false, fmt.Errorf("%w: %s", sqlstore.ErrValue, failure.Message)
	case "25006", "57014":
		return false, fmt.Errorf("%w: %s", store.ErrUnavailable, failure.Message)
	}
	switch failure.Code[:min(2, len(failure.Code))] {
	case "22":
		// The message of some of these shows the value, which may be part of a prompt.
		return false, fmt.Errorf("%w (SQLSTATE %s)", sqlstore.ErrValue, failure.Code)
	case "08", "53", "57", "58":
		return false, fmt.Errorf("%w: %s (SQLSTATE %s)", store.ErrUnavailable, failure.Message, failure.Code)
	}
	return false, err
}

// conflictField reads "Key (a, b)=(1, 2) already exists.", without the values.
func conflictField(detail string) string {
	_, rest, _ := strings.Cut(detail, "Key (")
	fields, _, _ := strings.Cut(rest, ")=")
	return strings.ReplaceAll(fields, `"`, "")
}
