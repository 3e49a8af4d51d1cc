package sqlstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// change notes a change for the end of the transaction.
func (s *Store) change(kind store.Kind, id string) {
	if kind == "" {
		return
	}
	c := change{kind, id}
	if !slices.Contains(s.tx.changes, c) {
		s.tx.changes = append(s.tx.changes, c)
	}
}

// tellAll is the number of changes from which on one tells that everything changed.
const tellAll = 500

// tell writes the changes of a transaction, in the transaction.
func (s *Store) tell(ctx context.Context) error {
	changes := s.tx.changes
	if len(changes) == 0 {
		return nil
	}
	if len(changes) >= tellAll {
		changes = []change{{kind: store.KindEverything}}
	}
	at := s.codec.time(s.now())
	rows := make([][]any, len(changes))
	for i, c := range changes {
		rows[i] = []any{string(c.kind), cleanText(c.id), at}
	}
	if err := s.many(ctx, "INSERT INTO "+s.d.Table(s.changes.name)+` ("kind", "id", "at") VALUES ($1, $2, $3)`, rows); err != nil {
		return err
	}
	if notify := s.d.Notify(); notify != "" {
		if _, err := s.conn.Exec(ctx, notify); err != nil {
			return s.fail(err)
		}
	}
	return nil
}

type changes struct{ s *Store }

// Changes is of store.Store.
func (s *Store) Changes() store.Changes { return changes{s} }

func (c changes) edge(ctx context.Context, function string) (int64, error) {
	stmt := &statement{}
	stmt.add("SELECT ", function, `("seq") FROM `, c.s.d.Table(c.s.changes.name))
	return c.s.number(ctx, stmt)
}

// Listen is of store.Changes.
func (c changes) Listen(ctx context.Context, wake func()) error {
	l, ok := c.s.db.(Listener)
	if !ok {
		return errors.ErrUnsupported
	}
	return l.Listen(ctx, c.s.d.Schema(), wake)
}

// Latest is of store.Changes.
func (c changes) Latest(ctx context.Context) (int64, error) { return c.edge(ctx, "MAX") }

// Since is of store.Changes. Prune always leaves the last change, so a number that is missing among those kept shows
// that more was pruned than was read.
func (c changes) Since(ctx context.Context, seq int64, limit int) ([]store.Change, int64, error) {
	t := table[changeRow, int64]{c.s, c.s.changes}
	rows, err := t.Find(ctx, store.Query{Where: []store.Cond{store.Where("seq", store.Greater, seq)}, Limit: limit})
	if err != nil || len(rows) == 0 {
		return nil, seq, err
	}
	if rows[0].Seq > seq+1 {
		// A transaction that failed leaves a gap, too. Forgetting too much does no harm.
		oldest, err := c.edge(ctx, "MIN")
		if err != nil {
			return nil, seq, err
		}
		if oldest == rows[0].Seq {
			latest, err := c.Latest(ctx)
			if err != nil {
				return nil, seq, err
			}
			return []store.Change{{Seq: latest, Kind: store.KindEverything, At: rows[0].At}}, latest, nil
		}
	}
	found := make([]store.Change, len(rows))
	for i, row := range rows {
		found[i] = store.Change{Seq: row.Seq, Kind: store.Kind(row.Kind), ID: row.ID, At: row.At}
	}
	return found, found[len(found)-1].Seq, nil
}

// Prune is of store.Changes.
func (c changes) Prune(ctx context.Context, before time.Time) (int64, error) {
	name := c.s.d.Table(c.s.changes.name)
	stmt := &statement{}
	stmt.add("DELETE FROM ", name, ` WHERE "at" < `, stmt.param(c.s.codec.time(before)), ` AND "seq" < (SELECT MAX("seq") FROM `, name, ")")
	var pruned int64
	err := c.s.plainWrite(ctx, func(s *Store) (err error) {
		pruned, err = s.exec(ctx, stmt)
		return err
	})
	return pruned, err
}

type leases struct{ s *Store }

// Leases is of store.Store.
func (s *Store) Leases() store.Leases { return leases{s} }

// Acquire is of store.Leases.
func (l leases) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	stmt := &statement{}
	stmt.add("INSERT INTO ", l.s.d.Table(l.s.leases.name), ` AS t ("name", "holder", "expires_at") VALUES (`,
		stmt.param(cleanText(name)), ", ", stmt.param(cleanText(holder)), ", ")
	stmt.add(l.s.d.Now(stmt.param(ttl.Milliseconds())), `)
		ON CONFLICT ("name") DO UPDATE SET "holder" = excluded."holder", "expires_at" = excluded."expires_at"
		WHERE t."holder" = excluded."holder" OR t."expires_at" <= `, l.s.d.Now(stmt.param(int64(0))))
	var n int64
	err := l.s.plainWrite(ctx, func(s *Store) (err error) {
		n, err = s.exec(ctx, stmt)
		return err
	})
	return n > 0, err
}

// Release is of store.Leases.
func (l leases) Release(ctx context.Context, name, holder string) error {
	stmt := &statement{}
	stmt.add("DELETE FROM ", l.s.d.Table(l.s.leases.name), ` WHERE "name" = `, stmt.param(cleanText(name)), ` AND "holder" = `,
		stmt.param(cleanText(holder)))
	return l.s.plainWrite(ctx, func(s *Store) error {
		_, err := s.exec(ctx, stmt)
		return err
	})
}
