package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// Store is a store.Store. The zero value is not one: see Open.
type Store struct {
	db    DB
	d     Dialect
	codec codec
	conn  Conn // the database or, inside of a transaction, that
	vault *store.Vault
	now   func() time.Time
	trace func(ctx context.Context, sql string)
	shapes
	lookup string // the statement of Keys.Lookup
	memo   *memo
	builds *builds  // nil if there is nothing to build
	tx     *pending // nil outside of a transaction
}

// pending is what a transaction has to tell others when it ends.
type pending struct{ changes []change }

type change struct {
	kind store.Kind
	id   string
}

// Open brings the tables up to date and returns the store. It closes db if it fails.
func Open(ctx context.Context, db DB, d Dialect, o Options) (*Store, error) {
	s := &Store{
		db: db, d: d, conn: db, codec: codec{millis: d.Millis(), arrays: d.Arrays()},
		vault: o.Vault, now: timeOf(o.Now), shapes: newShapes(), memo: newMemo(),
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	s.trace, s.lookup = func(context.Context, string) {}, s.lookupSQL()
	if err := s.migrate(ctx, o); err != nil {
		_ = db.Close()
		return nil, err
	}
	if o.Trace != nil {
		s.trace = o.Trace
	}
	return s, nil
}

// attempts bounds how often a transaction is run again after a deadlock.
const attempts = 8

// write runs fn in a transaction, or in the one there is. Such transactions wait for each other from the start, so the
// numbers of changes rise in the order in which they become visible, and a reader who saw one has seen all before it.
func (s *Store) write(ctx context.Context, fn func(s *Store) error) error {
	return s.retry(ctx, func(s *Store) error {
		if err := s.d.Serialize(ctx, s.conn); err != nil {
			return s.fail(err)
		}
		if err := fn(s); err != nil {
			return err
		}
		return s.tell(ctx)
	}, fn)
}

// plainWrite is a write that changes nothing which is told. It does not wait for others.
func (s *Store) plainWrite(ctx context.Context, fn func(s *Store) error) error {
	return s.retry(ctx, fn, fn)
}

// retry runs outer in a transaction of its own, again after a deadlock; or inner in the transaction there is.
func (s *Store) retry(ctx context.Context, outer, inner func(s *Store) error) error {
	if s.tx != nil {
		return inner(s)
	}
	for attempt := 1; ; attempt++ {
		err := s.attempt(ctx, outer)
		if err == nil || !isAgain(err) || attempt == attempts {
			return err
		}
		pause := time.NewTimer(time.Duration(1+rand.IntN(10*attempt)) * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

func (s *Store) attempt(ctx context.Context, fn func(s *Store) error) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return s.fail(err)
	}
	committed := false
	defer func() {
		if !committed {
			// The caller's context may be over, and the connection goes back to the pool.
			_ = tx.Rollback(context.WithoutCancel(ctx))
		}
	}()
	inside := *s
	inside.conn, inside.tx = tx, &pending{}
	if err := fn(&inside); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return s.fail(err)
	}
	committed = true
	return nil
}

// againError marks an error after which the transaction may be run again.
type againError struct{ error }

func (e againError) Unwrap() error { return e.error }

func isAgain(err error) bool {
	var again againError
	return errors.As(err, &again)
}

// fail says what an error of the driver means.
func (s *Store) fail(err error) error {
	again, meaning := s.d.Error(err)
	if again {
		return againError{meaning}
	}
	return meaning
}

func (s *Store) exec(ctx context.Context, stmt *statement) (int64, error) {
	s.trace(ctx, stmt.String())
	n, err := s.conn.Exec(ctx, stmt.String(), stmt.args...)
	if err != nil {
		return 0, s.fail(err)
	}
	return n, nil
}

// number reads a single number; NULL or no row is 0.
func (s *Store) number(ctx context.Context, stmt *statement) (int64, error) {
	numbers, err := collect(ctx, s, stmt, func(scan func(...any) error) (int64, error) {
		var n *int64
		if err := scan(&n); err != nil || n == nil {
			return 0, err
		}
		return *n, nil
	})
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	return numbers[0], nil
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, s *Store, stmt *statement, read func(scan func(...any) error) (T, error)) ([]T, error) {
	s.trace(ctx, stmt.String())
	rows, err := s.conn.Query(ctx, stmt.String(), stmt.args...)
	if err != nil {
		return nil, s.fail(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		row, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(err)
	}
	return all, nil
}

// read scans one row into a struct.
func (s *Store) read(columns []*Column, row reflect.Value, scan func(...any) error) error {
	cells := make([]cell, len(columns))
	targets := make([]any, len(columns))
	for i, c := range columns {
		targets[i] = s.codec.target(c.Kind, &cells[i])
	}
	if err := scan(targets...); err != nil {
		return err
	}
	for i, c := range columns {
		if err := s.codec.set(c, &cells[i], row.FieldByIndex(c.index)); err != nil {
			return err
		}
	}
	return nil
}

// args encodes the columns of a struct.
func (s *Store) args(columns []*Column, row reflect.Value) ([]any, error) {
	args := make([]any, len(columns))
	for i, c := range columns {
		var err error
		if args[i], err = s.codec.arg(c, row.FieldByIndex(c.index).Interface()); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// Tx is of store.Store.
func (s *Store) Tx(ctx context.Context, fn func(tx store.Store) error) error {
	return s.write(ctx, func(s *Store) error { return fn(s) })
}

// Ping is of store.Store.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.Ping(ctx); err != nil {
		_, meaning := s.d.Error(err)
		return fmt.Errorf("ping the database: %w", meaning)
	}
	return nil
}

// Stats is of store.Store.
func (s *Store) Stats() store.Stats { return s.db.Stats() }

// Close is of store.Store. In a transaction it does nothing.
func (s *Store) Close() error {
	if s.tx != nil {
		return nil
	}
	if s.builds != nil {
		s.builds.stop()
		<-s.builds.done
	}
	return s.db.Close()
}
