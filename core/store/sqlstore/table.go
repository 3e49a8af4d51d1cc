package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// shape is what a table looks like, whoever reads it.
type shape struct {
	name    string
	columns []Column
	keys    []*Column
	byName  map[string]*Column
	id      []*Column // what ids of store.Table mean: the primary key, unless said otherwise
	kind    store.Kind
	seal    func(v *store.Vault, row any) error // encrypts a copy of a row
	open    func(v *store.Vault, row any) error // decrypts a row
}

func shapeOf(name string, t reflect.Type, kind store.Kind, id ...string) *shape {
	s := &shape{name: name, columns: columnsOf(t), kind: kind, byName: map[string]*Column{}}
	for i := range s.columns {
		c := &s.columns[i]
		s.byName[c.Name] = c
		if c.Key {
			s.keys = append(s.keys, c)
		}
	}
	s.id = s.keys
	if len(id) > 0 {
		s.id = nil
		for _, name := range id {
			s.id = append(s.id, s.byName[name])
		}
	}
	return s
}

func (s *shape) find(name string) (*Column, error) {
	if c, ok := s.byName[name]; ok {
		return c, nil
	}
	return nil, fmt.Errorf("%s has no column %q", s.name, name)
}

// names are those of the columns.
func (s *shape) names() []string {
	names := make([]string, len(s.columns))
	for i := range names {
		names[i] = s.columns[i].Name
	}
	return names
}

func (s *shape) all() []*Column {
	all := make([]*Column, len(s.columns))
	for i := range s.columns {
		all[i] = &s.columns[i]
	}
	return all
}

// table is a store.Table of one shape.
type table[T, ID any] struct {
	s *Store
	*shape
}

func (t table[T, ID]) idConds(id ID) []store.Cond {
	if m, ok := any(id).(store.Membership); ok {
		return []store.Cond{store.Eq(t.id[0].Name, m.UserID), store.Eq(t.id[1].Name, m.Group)}
	}
	return []store.Cond{store.Eq(t.id[0].Name, id)}
}

func (t table[T, ID]) notFound(id ID) error {
	if m, ok := any(id).(store.Membership); ok {
		return fmt.Errorf("%s %s of %s: %w", t.name, m.UserID, m.Group, store.ErrNotFound)
	}
	return fmt.Errorf("%s %v: %w", t.name, id, store.ErrNotFound)
}

// Get is of store.Table.
func (t table[T, ID]) Get(ctx context.Context, id ID) (*T, error) {
	return t.get(ctx, id, "")
}

func (t table[T, ID]) get(ctx context.Context, id ID, suffix string) (*T, error) {
	rows, err := t.rows(ctx, store.Query{Where: t.idConds(id)}, suffix)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, t.notFound(id)
	}
	return &rows[0], nil
}

// Find is of store.Table.
func (t table[T, ID]) Find(ctx context.Context, q store.Query) ([]T, error) {
	return t.rows(ctx, q, "")
}

func (t table[T, ID]) rows(ctx context.Context, q store.Query, suffix string) ([]T, error) {
	columns := t.all()
	stmt := &statement{}
	stmt.add("SELECT ", quoted(columns), " FROM ", t.s.d.Table(t.name))
	if err := stmt.where(t.s.d, t.find, q.Where); err != nil {
		return nil, err
	}
	if err := t.order(stmt, q); err != nil {
		return nil, err
	}
	stmt.add(suffix)
	return collect(ctx, t.s, stmt, func(scan func(...any) error) (row T, err error) {
		if err := t.s.read(columns, reflect.ValueOf(&row).Elem(), scan); err != nil {
			return row, fmt.Errorf("%s: %w", t.name, err)
		}
		if t.open != nil {
			err = t.open(t.s.vault, &row)
		}
		return row, err
	})
}

func (t table[T, ID]) order(stmt *statement, q store.Query) error {
	direction := ""
	if q.Desc {
		direction = " DESC"
	}
	stmt.add(" ORDER BY ")
	if q.Sort != "" {
		c, err := t.find(q.Sort)
		if err != nil {
			return err
		}
		if c.Null { // the databases differ in where they put NULL
			stmt.add(quote(c.Name), " IS NULL, ")
		}
		stmt.add(quote(c.Name), direction, ", ")
	}
	for i, c := range t.keys {
		if i > 0 {
			stmt.add(", ")
		}
		stmt.add(quote(c.Name), direction)
	}
	if q.Limit > 0 {
		stmt.add(fmt.Sprintf(" LIMIT %d", q.Limit))
	} else if q.Offset > 0 {
		stmt.add(fmt.Sprintf(" LIMIT %d", 1<<62))
	}
	if q.Offset > 0 {
		stmt.add(fmt.Sprintf(" OFFSET %d", q.Offset))
	}
	return nil
}

// Count is of store.Table.
func (t table[T, ID]) Count(ctx context.Context, where ...store.Cond) (int64, error) {
	stmt := &statement{}
	stmt.add("SELECT COUNT(*) FROM ", t.s.d.Table(t.name))
	if err := stmt.where(t.s.d, t.find, where); err != nil {
		return 0, err
	}
	return t.s.number(ctx, stmt)
}

// write runs fn in a transaction. What nobody is told of need not wait for other writers.
func (t table[T, ID]) write(ctx context.Context, fn func(s *Store) error) error {
	if t.kind == "" {
		return t.s.plainWrite(ctx, fn)
	}
	return t.s.write(ctx, fn)
}

// Create is of store.Table.
func (t table[T, ID]) Create(ctx context.Context, row *T) error {
	t.fill(reflect.ValueOf(row).Elem())
	return t.write(ctx, func(s *Store) error {
		t.s = s
		return t.insert(ctx, row, "")
	})
}

func (t table[T, ID]) insert(ctx context.Context, row *T, conflict string) error {
	values, err := t.args(row)
	if err != nil {
		return err
	}
	stmt := &statement{}
	columns, serial := t.all(), (*Column)(nil)
	if t.columns[0].Serial {
		serial, columns, values = columns[0], columns[1:], values[1:]
	}
	stmt.args = values
	stmt.add("INSERT INTO ", t.s.d.Table(t.name), " AS t (", quoted(columns), ") VALUES (", params(1, len(columns)), ")", conflict)
	if serial != nil {
		stmt.add(" RETURNING ", quote(serial.Name))
		id, err := t.s.number(ctx, stmt)
		if err != nil {
			return err
		}
		reflect.ValueOf(row).Elem().FieldByIndex(serial.index).SetInt(id)
	} else if _, err := t.s.exec(ctx, stmt); err != nil {
		return err
	}
	return t.changed(ctx, row)
}

// args encodes a row, secrets encrypted.
func (t table[T, ID]) args(row *T) ([]any, error) {
	sealed := *row
	if t.seal != nil {
		if err := t.seal(t.s.vault, &sealed); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return t.s.args(t.all(), reflect.ValueOf(&sealed).Elem())
}

// fill sets what a new row needs and lacks.
func (t table[T, ID]) fill(row reflect.Value) {
	now := store.Clean(t.s.now())
	for i := range t.columns {
		c := &t.columns[i]
		field := row.FieldByIndex(c.index)
		switch {
		case !field.IsZero():
		case c.UUID:
			field.SetString(newUUID())
		case c.Kind == KindTime && !c.Null:
			field.Set(reflect.ValueOf(now))
		case c.Name == "created_at", c.Name == "updated_at":
			field.Set(reflect.ValueOf(&now))
		}
	}
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newOrderedUUID is a UUID of version 7: later ones are greater, so that new rows are beside each other in an index.
func newOrderedUUID(at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Put is of store.Table.
func (t table[T, ID]) Put(ctx context.Context, row *T) error {
	t.fill(reflect.ValueOf(row).Elem())
	set := &strings.Builder{}
	for _, c := range t.all() {
		if c.Key || c.Counter || c.Once {
			continue
		}
		if set.Len() > 0 {
			set.WriteString(", ")
		}
		fmt.Fprintf(set, `"%s" = excluded."%[1]s"`, c.Name)
	}
	conflict := " ON CONFLICT (" + quoted(t.keys) + ") DO UPDATE SET " + set.String()
	return t.write(ctx, func(s *Store) error {
		t.s = s
		return t.insert(ctx, row, conflict)
	})
}

// Update is of store.Table.
func (t table[T, ID]) Update(ctx context.Context, id ID, change func(row *T) error) (*T, error) {
	var updated *T
	err := t.write(ctx, func(s *Store) error {
		t.s = s
		row, err := t.get(ctx, id, s.d.ForUpdate())
		if err != nil {
			return err
		}
		before := *row
		if err := change(row); err != nil {
			return err
		}
		updated = row
		return t.update(ctx, id, &before, row)
	})
	if err != nil {
		return nil, err
	}
	return updated, nil
}

func (t table[T, ID]) update(ctx context.Context, id ID, before, after *T) error {
	old, err := t.s.args(t.all(), reflect.ValueOf(before).Elem())
	if err != nil {
		return err
	}
	fresh, err := t.s.args(t.all(), reflect.ValueOf(after).Elem())
	if err != nil {
		return err
	}
	stmt := &statement{}
	for i := range old {
		if !sameArg(old[i], fresh[i]) {
			stmt.add(", ", quote(t.columns[i].Name), " = ", stmt.param(nil))
		}
	}
	if stmt.Len() == 0 {
		return nil
	}
	t.touch(after, before)
	return t.writeChange(ctx, id, before, after, old, fresh)
}

// touch sets updated_at unless the change did.
func (t table[T, ID]) touch(after, before *T) {
	c, ok := t.byName["updated_at"]
	if !ok {
		return
	}
	field, was := reflect.ValueOf(after).Elem().FieldByIndex(c.index), reflect.ValueOf(before).Elem().FieldByIndex(c.index)
	if !reflect.DeepEqual(field.Interface(), was.Interface()) {
		return
	}
	now := store.Clean(t.s.now())
	if c.Null {
		field.Set(reflect.ValueOf(&now))
		return
	}
	field.Set(reflect.ValueOf(now))
}

func (t table[T, ID]) writeChange(ctx context.Context, id ID, before, after *T, old, fresh []any) error {
	sealed, err := t.args(after)
	if err != nil {
		return err
	}
	stmt := &statement{}
	stmt.add("UPDATE ", t.s.d.Table(t.name), " SET ")
	first := true
	for i := range t.columns {
		c := &t.columns[i]
		if sameArg(old[i], fresh[i]) && c.Name != "updated_at" {
			continue
		}
		if !first {
			stmt.add(", ")
		}
		stmt.add(quote(c.Name), " = ", stmt.param(sealed[i]))
		first = false
	}
	if err := stmt.where(t.s.d, t.find, t.idConds(id)); err != nil {
		return err
	}
	if _, err := t.s.exec(ctx, stmt); err != nil {
		return err
	}
	if t.key(before) != t.key(after) {
		if err := t.changed(ctx, before); err != nil {
			return err
		}
	}
	return t.changed(ctx, after)
}

// Delete is of store.Table.
func (t table[T, ID]) Delete(ctx context.Context, ids ...ID) (int64, error) {
	var deleted int64
	err := t.write(ctx, func(s *Store) error {
		t.s = s
		deleted = 0
		for _, id := range ids {
			stmt := &statement{}
			stmt.add("DELETE FROM ", s.d.Table(t.name))
			if err := stmt.where(s.d, t.find, t.idConds(id)); err != nil {
				return err
			}
			n, err := s.exec(ctx, stmt)
			if err != nil {
				return err
			}
			deleted += n
			if n > 0 {
				s.change(t.kind, idText(id))
			}
		}
		return nil
	})
	return deleted, err
}

// key is a row's id as changes tell it.
func (t table[T, ID]) key(row *T) string {
	value := reflect.ValueOf(row).Elem()
	texts := make([]string, len(t.id))
	for i, c := range t.id {
		texts[i] = fmt.Sprint(value.FieldByIndex(c.index).Interface())
	}
	if len(texts) == 2 {
		return store.MemberID(texts[1], texts[0])
	}
	return texts[0]
}

func idText(id any) string {
	if m, ok := id.(store.Membership); ok {
		return store.MemberID(m.Group, m.UserID)
	}
	return fmt.Sprint(id)
}

func (t table[T, ID]) changed(_ context.Context, row *T) error {
	t.s.change(t.kind, t.key(row))
	return nil
}

func timeOf(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}
