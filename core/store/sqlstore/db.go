// Package sqlstore keeps a store.Store in an SQL database. The queries, the tables and their migrations are here, once;
// sqlite and postgres below it add a connection and a Dialect each.
package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// ErrValue says that the database has no such value: a number that is too large, a text that is no text.
var ErrValue = errors.New("the database cannot hold a value")

// Conn runs statements. Parameters are written $1, $2 and so on, each used in order of its first appearance. Errors are
// those of the driver; Dialect.Error says what they mean.
type Conn interface {
	// Exec runs a statement and returns how many rows it touched.
	Exec(ctx context.Context, sql string, args ...any) (int64, error)
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	// Many runs a statement once for each row of arguments, in order, and returns how many rows were touched. It stops at
	// the first error. Only in a transaction.
	Many(ctx context.Context, sql string, rows [][]any) (int64, error)
	// Insert inserts rows, in order. Only in a transaction, which is to be rolled back after an error.
	Insert(ctx context.Context, in Insert) error
}

// Insert is rows for a table.
type Insert struct {
	Table    string // as Dialect.Table writes it; the conflict clause calls it t
	Columns  []*Column
	Values   []any  // of the first row in the order of the columns, then of the next
	Conflict string // what follows ON CONFLICT
	Keep     bool   // the conflict clause does nothing
}

// Rows is how many there are.
func (in *Insert) Rows() int { return len(in.Values) / len(in.Columns) }

// Filled returns the columns in which some row has a value, and the values in these.
func (in *Insert) Filled() ([]*Column, []any) {
	width := len(in.Columns)
	some := make([]bool, width)
	n := 0
	for i, value := range in.Values {
		if value != nil && !some[i%width] {
			some[i%width] = true
			n++
		}
	}
	if n == width {
		return in.Columns, in.Values
	}
	columns, values := make([]*Column, 0, n), make([]any, 0, n*in.Rows())
	for i, c := range in.Columns {
		if some[i] {
			columns = append(columns, c)
		}
	}
	for i, value := range in.Values {
		if some[i%width] {
			values = append(values, value)
		}
	}
	return columns, values
}

// Rows is a result. Close may be called more than once.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Tx is a transaction on one connection.
type Tx interface {
	Conn
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
}

// DB is a database with a pool of connections. Its own Exec and Query run outside of transactions.
type DB interface {
	Conn
	// Begin starts a transaction. One that writes is the only one of its kind with SQLite.
	Begin(ctx context.Context) (Tx, error)
	Ping(ctx context.Context) error
	Stats() store.Stats
	Close() error
}

// Listener is a DB that can tell of changes as they come.
type Listener interface {
	// Listen calls wake once it listens, and then whenever Dialect.Notify ran in the schema. It returns when ctx ends or the
	// connection is lost; errors.ErrUnsupported says that it will never listen.
	Listen(ctx context.Context, schema string, wake func()) error
}

// Dialect is what differs between databases.
type Dialect interface {
	// Table writes the name of a table for use in a statement.
	Table(name string) string
	// Type writes the type of a column.
	Type(c Column) string
	// Default writes the default of a column that may not be NULL, or "".
	Default(c Column) string
	// Millis says that times are kept as milliseconds since 1970, and Arrays that lists are a type of their own rather
	// than JSON.
	Millis() bool
	Arrays() bool
	// Has writes the condition that a list holds a value.
	Has(column, value string) string
	// Member writes the text at a path in a JSON column.
	Member(column string, path ...string) string
	// Unindexed writes a column so that the planner does not take its index, if it is one that guesses badly.
	Unindexed(column string) string
	// Tie writes what orders rows whose sorted columns are the same: the column that an index needs for it as its last, or
	// something that every index has anyway.
	Tie(column string) string
	// Day writes the date of a time column, as YYYY-MM-DD.
	Day(column string) string
	// Now writes the time of the database, as a column has it, plus the milliseconds in a parameter.
	Now(plus string) string
	// ForUpdate ends a SELECT whose rows are locked until the transaction ends.
	ForUpdate() string
	// Serialize makes the transaction wait for others that called it, until they end.
	Serialize(ctx context.Context, c Conn) error
	// Notify is a statement that tells all who listen that something changed, when its transaction is committed; "" if the
	// database cannot do that.
	Notify() string
	// Schema holds the tables.
	Schema() string
	// LockTable keeps other writers out of a table until the transaction ends.
	LockTable(ctx context.Context, c Conn, table string) error
	// Error says what an error of the driver means. Again says that the transaction may succeed when it is run again.
	Error(err error) (again bool, meaning error)

	// Lock runs fn while no other process does. fn changes the schema through the DB it is given.
	Lock(ctx context.Context, fn func(ctx context.Context, db DB) error) error
	// Describe reads which tables, columns and indexes there are, of the given tables.
	Describe(ctx context.Context, c Conn, tables []string) (Description, error)
	// BuildIndex makes an index of a table that may be large, without keeping writers out if the database can do that. The
	// definition is what follows the index's name in CREATE INDEX.
	BuildIndex(ctx context.Context, db DB, name, definition string) error
}

// Description is what there is in a database.
type Description struct {
	Columns map[string]map[string]bool // table, column
	Indexes map[string]Index           // by name; those that work
}

// Index is an index as a database has it.
type Index struct {
	Table   string
	Columns []string
	Unique  bool
	Primary bool
}

// Options are what a store is opened with.
type Options struct {
	// Vault encrypts and decrypts secrets. Nil leaves new ones in plain text and cannot read encrypted ones.
	Vault *store.Vault
	// KeepSchema leaves the tables as they are: what is missing is store.ErrSchema.
	KeepSchema bool
	// Warn is told what is not as it should be and does not stop the start. Nil tells nobody.
	Warn func(message string)
	// Now is the clock for created_at and the like. Nil is time.Now.
	Now func() time.Time
	// Trace is told the text of each statement outside of migrations, without its parameters. Nil tells nobody.
	Trace func(ctx context.Context, sql string)
}
