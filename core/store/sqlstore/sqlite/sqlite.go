// Package sqlite keeps a store in one file, with SQLite. Nothing has to be installed or started.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
)

// Settings say which file.
type Settings struct {
	Path string // made if it is missing, readable by its owner only
	// Wait is how long a statement waits for another process to let go of the file. 0 is a minute.
	Wait time.Duration
	sqlstore.Options
}

// Open opens the store in a file.
func Open(ctx context.Context, s Settings) (*sqlstore.Store, error) {
	db, err := open(s)
	if err != nil {
		return nil, err
	}
	opened, err := sqlstore.Open(ctx, db, dialect{db}, s.Options)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", s.Path, err)
	}
	return opened, nil
}

const defaultWait = time.Minute

func open(s Settings) (*database, error) {
	if s.Path == "" {
		return nil, errors.New("sqlite: no file is named")
	}
	// SQLite would make the file readable by everybody. It holds hashes of keys, and prompts if those are stored.
	file, err := os.OpenFile(s.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("database file: %w: its folder must exist and be writable", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("database file: %w", err)
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return nil, fmt.Errorf("database file: %w", err)
	}
	if s.Wait <= 0 {
		s.Wait = defaultWait
	}
	connector, err := newConnector(address(path, s.Wait, false))
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", s.Path, err)
	}
	writer := sql.OpenDB(connector)
	// SQLite has one writer. Waiting for a connection is fair and ends with the context; waiting for a lock is neither.
	writer.SetMaxOpenConns(1)
	readers, err := sql.Open("sqlite", address(path, s.Wait, true))
	if err != nil {
		_ = writer.Close()
		return nil, fmt.Errorf("database %s: %w", s.Path, err)
	}
	most := max(4, runtime.GOMAXPROCS(0))
	readers.SetMaxOpenConns(most)
	readers.SetMaxIdleConns(most)
	return &database{
		writer: writer, readers: readers, most: most, statements: &statements{db: readers, ready: map[string]*sql.Stmt{}},
	}, nil
}

// address writes what the driver wants. A commit reaches the disk before it is answered, so that what was read from a
// journal and recorded here may be removed there. A new file gets pages of 8 KiB: with 4 KiB a spend row costs a tenth more,
// with 16 KiB a row whose key's entries are alone on their pages writes twice as much. The log goes into the file when it
// has 32 MiB: what a batch changes at the end of an index is then written once for several batches.
func address(path string, wait time.Duration, readOnly bool) string {
	pragmas := []string{
		fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds()), "page_size(8192)", "synchronous(FULL)", "foreign_keys(1)",
		"temp_store(MEMORY)", "cache_size(-32768)", "journal_size_limit(67108864)", "wal_autocheckpoint(4000)",
	}
	query := url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	}
	query["_pragma"] = pragmas
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: query.Encode()}).String()
}

// database is a sqlstore.DB: one connection that writes and several that read.
type database struct {
	writer, readers *sql.DB
	most            int
	statements      *statements // of the readers
}

// Exec is of sqlstore.Conn.
func (d *database) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	return exec(ctx, d.writer, text, args)
}

// Query is of sqlstore.Conn.
func (d *database) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	stmt, err := d.statements.get(ctx, text)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return query(ctx, d.readers, text, args)
	}
	rows, err := stmt.QueryContext(ctx, args...) //nolint:sqlclosecheck // handed on to whoever reads them
	if err != nil {
		return nil, err
	}
	return result{rows}, nil
}

// Many is of sqlstore.Conn.
func (d *database) Many(context.Context, string, [][]any) (int64, error) {
	return 0, errors.New("sqlite: many statements outside of a transaction")
}

// Insert is of sqlstore.Conn.
func (d *database) Insert(context.Context, sqlstore.Insert) error {
	return errors.New("sqlite: rows are inserted outside of a transaction")
}

// Begin is of sqlstore.DB.
func (d *database) Begin(ctx context.Context) (sqlstore.Tx, error) {
	conn, err := d.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return transaction{Tx: tx, conn: conn, begun: ctx}, nil
}

// Ping is of sqlstore.DB.
func (d *database) Ping(ctx context.Context) error { return d.readers.PingContext(ctx) }

// Stats is of sqlstore.DB.
func (d *database) Stats() store.Stats {
	writer, readers := d.writer.Stats(), d.readers.Stats()
	return store.Stats{
		Kind: "sqlite", Max: d.most + 1, Open: writer.OpenConnections + readers.OpenConnections, Busy: writer.InUse + readers.InUse,
		Waits: writer.WaitCount + readers.WaitCount, WaitedFor: writer.WaitDuration + readers.WaitDuration,
	}
}

// Close is of sqlstore.DB.
func (d *database) Close() error { return errors.Join(d.readers.Close(), d.writer.Close()) }

// transaction is one on the connection that writes.
type transaction struct {
	*sql.Tx
	conn  *sql.Conn
	begun context.Context //nolint:containedctx // the transaction ends with it
}

// Exec is of sqlstore.Conn.
func (t transaction) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	return exec(ctx, t.Tx, text, args)
}

// Query is of sqlstore.Conn.
func (t transaction) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	return query(ctx, t.Tx, text, args)
}

// Many is of sqlstore.Conn.
func (t transaction) Many(ctx context.Context, text string, rows [][]any) (touched int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	err = t.raw(func(w *writer) error {
		touched, err = w.each(ctx, text, slices.Concat(rows...), len(rows[0]))
		return err
	})
	return touched, err
}

// Insert is of sqlstore.Conn.
func (t transaction) Insert(ctx context.Context, in sqlstore.Insert) error {
	return t.raw(func(w *writer) error { return w.insert(ctx, in) })
}

// raw gives the connection to fn. The connection is fn's as long as it runs, so a transaction that is not over when it
// begins is not over before it ends.
func (t transaction) raw(fn func(w *writer) error) error {
	return t.conn.Raw(func(conn any) error {
		if err := t.begun.Err(); err != nil {
			return err
		}
		w, ok := conn.(*writer)
		if !ok {
			return fmt.Errorf("sqlite: the connection that writes is a %T", conn)
		}
		return fn(w)
	})
}

// Commit is of sqlstore.Tx.
func (t transaction) Commit(context.Context) error {
	return errors.Join(t.Tx.Commit(), t.release())
}

// Rollback is of sqlstore.Tx.
func (t transaction) Rollback(context.Context) error {
	return errors.Join(t.Tx.Rollback(), t.release())
}

// release gives the connection back, if it was not before.
func (t transaction) release() error {
	if err := t.conn.Close(); !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

type queryer interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

func exec(ctx context.Context, q queryer, text string, args []any) (int64, error) {
	result, err := q.ExecContext(ctx, positional(text), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func query(ctx context.Context, q queryer, text string, args []any) (sqlstore.Rows, error) {
	rows, err := q.QueryContext(ctx, positional(text), args...) //nolint:sqlclosecheck // handed on to whoever reads them
	if err != nil {
		return nil, err
	}
	return result{rows}, nil
}

type result struct{ *sql.Rows }

// Close is of sqlstore.Rows.
func (r result) Close() { _ = r.Rows.Close() } // Err has told what there is to tell

// dialect is SQLite's.
type dialect struct{ db *database }

// Table is of sqlstore.Dialect.
func (dialect) Table(name string) string { return `"` + name + `"` }

// Type is of sqlstore.Dialect.
func (dialect) Type(c sqlstore.Column) string {
	switch c.Kind {
	case sqlstore.KindInt, sqlstore.KindBool, sqlstore.KindTime:
		if c.Serial {
			return "INTEGER PRIMARY KEY AUTOINCREMENT"
		}
		return "INTEGER"
	case sqlstore.KindFloat:
		return "REAL"
	}
	return "TEXT"
}

// Default is of sqlstore.Dialect.
func (dialect) Default(c sqlstore.Column) string {
	if c.Null {
		return ""
	}
	switch c.Kind {
	case sqlstore.KindInt, sqlstore.KindFloat, sqlstore.KindBool, sqlstore.KindTime:
		return "0"
	case sqlstore.KindJSON:
		if c.List {
			return "'[]'"
		}
		return "'{}'"
	}
	return "''"
}

// Millis is of sqlstore.Dialect.
func (dialect) Millis() bool { return true }

// Arrays is of sqlstore.Dialect.
func (dialect) Arrays() bool { return false }

// Has is of sqlstore.Dialect.
func (dialect) Has(column, value string) string {
	return "EXISTS (SELECT 1 FROM json_each(" + column + ") WHERE json_each.value = " + value + ")"
}

// Member is of sqlstore.Dialect.
func (dialect) Member(column string, path ...string) string {
	return "CAST(json_extract(" + column + `, '$."` + strings.Join(path, `"."`) + `"') AS TEXT)`
}

// Notify is of sqlstore.Dialect.
func (dialect) Notify() string { return "" }

// Schema is of sqlstore.Dialect.
func (dialect) Schema() string { return "" }

// Unindexed is of sqlstore.Dialect: https://www.sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_.
func (dialect) Unindexed(column string) string { return "+" + column }

// Day is of sqlstore.Dialect.
func (dialect) Day(column string) string { return "date(" + column + " / 1000, 'unixepoch')" }

// Now is of sqlstore.Dialect.
func (dialect) Now(plus string) string {
	return "(CAST(unixepoch('subsec') * 1000 AS INTEGER) + " + plus + ")"
}

// Tie is of sqlstore.Dialect: an index has the row's number after its columns.
func (dialect) Tie(string) string { return "rowid" }

// ForUpdate is of sqlstore.Dialect: there is one writer anyway.
func (dialect) ForUpdate() string { return "" }

// Serialize is of sqlstore.Dialect: there is one writer anyway.
func (dialect) Serialize(context.Context, sqlstore.Conn) error { return nil }

// LockTable is of sqlstore.Dialect: there is one writer anyway.
func (dialect) LockTable(context.Context, sqlstore.Conn, string) error { return nil }

// Lock is of sqlstore.Dialect: a transaction that writes is alone.
func (d dialect) Lock(ctx context.Context, fn func(ctx context.Context, db sqlstore.DB) error) error {
	return fn(ctx, d.db)
}

// BuildIndex is of sqlstore.Dialect.
func (dialect) BuildIndex(ctx context.Context, db sqlstore.DB, name, definition string) error {
	_, err := db.Exec(ctx, `CREATE INDEX IF NOT EXISTS "`+name+`"`+definition)
	return err
}

// Describe is of sqlstore.Dialect.
func (dialect) Describe(ctx context.Context, c sqlstore.Conn, tables []string) (sqlstore.Description, error) {
	there := sqlstore.Description{Columns: map[string]map[string]bool{}, Indexes: map[string]sqlstore.Index{}}
	wanted := map[string]bool{}
	for _, table := range tables {
		wanted[table] = true
	}
	err := each(ctx, c, `SELECT m.name, i.name FROM sqlite_master m JOIN pragma_table_info(m.name) i WHERE m.type = 'table'`,
		func(scan func(...any) error) error {
			var table, column string
			if err := scan(&table, &column); err != nil {
				return err
			}
			if wanted[table] && there.Columns[table] == nil {
				there.Columns[table] = map[string]bool{}
			}
			if wanted[table] {
				there.Columns[table][column] = true
			}
			return nil
		})
	if err != nil {
		return there, err
	}
	return there, each(ctx, c, `SELECT m.name, l.name, l."unique", l.origin = 'pk', l.partial, COALESCE(i.name, '')
		FROM sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i
		WHERE m.type = 'table' ORDER BY l.name, i.seqno`, func(scan func(...any) error) error {
		var table, name, column string
		var unique, primary, partial bool
		if err := scan(&table, &name, &unique, &primary, &partial, &column); err != nil {
			return err
		}
		index := there.Indexes[name]
		index.Table, index.Unique, index.Primary = table, unique, primary
		if !partial { // nothing but its name describes a partial one
			index.Columns = append(index.Columns, column)
		}
		there.Indexes[name] = index
		return nil
	})
}

func each(ctx context.Context, c sqlstore.Conn, text string, read func(scan func(...any) error) error) error {
	rows, err := c.Query(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Error is of sqlstore.Dialect.
func (dialect) Error(err error) (again bool, meaning error) {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false, err
	}
	switch failure.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return false, conflict(failure.Error())
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY, lib.SQLITE_CONSTRAINT_TRIGGER: // the second is how RESTRICT is told
		return false, fmt.Errorf("%w: it names a row that does not exist, or another row names it", store.ErrReference)
	}
	switch failure.Code() & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		// It was waited for already.
		return false, fmt.Errorf("%w: another process holds the database file: %w", store.ErrUnavailable, err)
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY:
		return false, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	case lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH:
		return false, fmt.Errorf("%w: %w", sqlstore.ErrValue, err)
	}
	return false, err
}

// conflict reads "constraint failed: UNIQUE constraint failed: table.column, table.column (2067)".
func conflict(message string) error {
	_, list, _ := strings.Cut(message, "UNIQUE constraint failed: ")
	if end := strings.LastIndex(list, " ("); end >= 0 {
		list = list[:end]
	}
	c := &store.ConflictError{}
	var fields []string
	for name := range strings.SplitSeq(list, ", ") {
		table, field, ok := strings.Cut(name, ".")
		if !ok {
			table, field = c.Table, name
		}
		c.Table = table
		fields = append(fields, field)
	}
	c.Field = strings.Join(fields, ", ")
	return c
}
