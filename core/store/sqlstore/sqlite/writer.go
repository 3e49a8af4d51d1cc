package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"

	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
)

// connector opens connections that keep the statements of batches ready.
type connector struct{ driver.Connector }

// Connect is of driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqlite: a connection is a %T, which lacks methods", conn), conn.Close())
	}
	return &writer{driverConn: full, ready: map[string]driver.Stmt{}}, nil
}

func newConnector(address string) (driver.Connector, error) {
	c, err := sqlite.NewConnector(address)
	return connector{c}, err
}

// driverConn is what the driver's connections can do.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// maxReady bounds how many statements a connection keeps for batches: which columns a batch fills makes different ones.
const maxReady = 100

// writer is a connection that runs a statement for many rows without what database/sql does for each: that costs as much
// as the row itself.
type writer struct {
	driverConn
	ready map[string]driver.Stmt
	args  []driver.NamedValue
}

// Close is of driver.Conn.
func (w *writer) Close() error {
	w.forget()
	return w.driverConn.Close()
}

func (w *writer) forget() {
	for _, stmt := range w.ready {
		_ = stmt.Close() // says again what the statement's last run said
	}
	clear(w.ready)
}

func (w *writer) prepare(text string) (driver.Stmt, error) {
	if stmt, ok := w.ready[text]; ok {
		return stmt, nil
	}
	if len(w.ready) >= maxReady {
		w.forget()
	}
	stmt, err := w.PrepareContext(context.Background(), positional(text))
	if err == nil {
		w.ready[text] = stmt
	}
	return stmt, err
}

// each runs a statement for each so many of the values, and returns how many rows it touched. ctx ends it between two
// runs: to watch it within each costs more than most take.
func (w *writer) each(ctx context.Context, text string, values []any, width int) (int64, error) {
	if len(values) == 0 {
		return 0, nil
	}
	stmt, err := w.prepare(text)
	if err != nil {
		return 0, err
	}
	run, ok := stmt.(driver.StmtExecContext)
	if !ok {
		return 0, fmt.Errorf("sqlite: a statement is a %T, which lacks methods", stmt)
	}
	args := w.named(width)
	defer clear(args)
	var touched int64
	for ; len(values) > 0; values = values[width:] {
		if err := ctx.Err(); err != nil {
			return touched, err
		}
		for i, value := range values[:width] {
			args[i] = driver.NamedValue{Ordinal: i + 1, Value: value}
		}
		result, err := run.ExecContext(context.Background(), args)
		if err != nil {
			return touched, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return touched, err
		}
		touched += n
	}
	return touched, nil
}

// named returns room for so many arguments, which is used again.
func (w *writer) named(n int) []driver.NamedValue {
	if cap(w.args) < n {
		w.args = make([]driver.NamedValue, n)
	}
	return w.args[:n]
}

// together is how many rows one statement inserts: that saves two thirds of the time of ten single ones.
const together = 32

// insert inserts rows.
func (w *writer) insert(ctx context.Context, in sqlstore.Insert) error {
	columns, values := in.Filled()
	width := len(columns)
	if !in.Keep {
		// With several rows an upsert keeps what it changes until it is done, to undo it. There is nothing to undo by halves
		// here, but upserts cannot be told so.
		_, err := w.each(ctx, insertText(in, columns, 1), values, width)
		return err
	}
	many := len(values) / (width * together) * width * together
	if _, err := w.each(ctx, insertText(in, columns, together), values[:many], width*together); err != nil {
		return err
	}
	_, err := w.each(ctx, insertText(in, columns, 1), values[many:], width)
	return err
}

// insertText writes the statement for so many rows. OR FAIL says that a row that cannot be inserted need not undo those
// before it: the transaction is undone.
func insertText(in sqlstore.Insert, columns []*sqlstore.Column, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT OR FAIL INTO " + in.Table + " AS t (")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`"` + c.Name + `"`)
	}
	b.WriteString(") VALUES ")
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ") + ")"
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(row)
	}
	b.WriteString(" ON CONFLICT " + in.Conflict)
	return b.String()
}
