package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// due is a row whose budget's period is over.
type due struct {
	id       string
	duration string
	at       time.Time
	spent    float64
}

// resetBatch is how many rows one transaction resets.
const resetBatch = 500

// ResetBudgets is of store.Spend. Each row is reset only if budget_reset_at is still what was read, so a replica that
// comes second changes nothing.
func (p spend) ResetBudgets(ctx context.Context, now time.Time, zone *time.Location) ([]store.Reset, error) {
	var all []store.Reset
	var problems []error
	tables := []struct {
		entity store.Entity
		of     *shape
	}{{store.EntityKey, p.s.keys}, {store.EntityUser, p.s.users}, {store.EntityTeam, p.s.teams}, {store.EntityBudget, p.s.budgets}}
	for _, table := range tables {
		after := ""
		for {
			var resets []store.Reset
			var bad []error
			var last string
			err := p.s.write(ctx, func(s *Store) (err error) {
				resets, bad, last, err = s.resetDue(ctx, table.entity, table.of, now, zone, after)
				return err
			})
			if err != nil {
				return all, errors.Join(append(problems, err)...)
			}
			all, problems = append(all, resets...), append(problems, bad...)
			if last == "" {
				break
			}
			after = last
		}
	}
	return all, errors.Join(problems...)
}

// resetDue resets one batch, of rows whose id comes after a given one. It returns the last id, or "" when there are no
// more.
func (s *Store) resetDue(ctx context.Context, entity store.Entity, of *shape, now time.Time, zone *time.Location, after string) (
	resets []store.Reset, problems []error, last string, err error,
) {
	rows, err := s.dueRows(ctx, of, now, after)
	if err != nil {
		return nil, nil, "", err
	}
	for _, row := range rows {
		next, err := store.NextReset(row.duration, now, zone)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: budget_duration: %w", of.name, row.id, err))
			continue
		}
		reset, err := s.resetRow(ctx, entity, of, row, next)
		if err != nil {
			return nil, nil, "", err
		}
		resets = append(resets, reset...)
	}
	if len(rows) == resetBatch {
		last = rows[len(rows)-1].id
	}
	return resets, problems, last, nil
}

func (s *Store) dueRows(ctx context.Context, of *shape, now time.Time, after string) ([]due, error) {
	id, spent := quote(of.keys[0].Name), "CAST(0 AS DOUBLE PRECISION)"
	if of != s.budgets {
		spent = `"spend"`
	}
	stmt := &statement{}
	stmt.add("SELECT ", id, `, "budget_duration", "budget_reset_at", `, spent, " FROM ", s.d.Table(of.name),
		` WHERE "budget_reset_at" <= `, stmt.param(s.codec.time(now)),
		` AND "budget_duration" IS NOT NULL AND "budget_duration" <> '' AND `, id, " > ", stmt.param(after),
		" ORDER BY ", id, fmt.Sprintf(" LIMIT %d", resetBatch), s.d.ForUpdate())
	return collect(ctx, s, stmt, func(scan func(...any) error) (row due, err error) {
		var at cell
		err = scan(&row.id, &row.duration, s.codec.target(KindTime, &at), &row.spent)
		if err != nil {
			return row, err
		}
		row.at = s.codec.timeFrom(&at)
		return row, nil
	})
}

func (k codec) timeFrom(c *cell) time.Time {
	switch {
	case k.millis && c.num != nil:
		return time.UnixMilli(*c.num).UTC()
	case c.at != nil:
		return c.at.UTC()
	}
	return time.Time{}
}

func (s *Store) resetRow(ctx context.Context, entity store.Entity, of *shape, row due, next time.Time) ([]store.Reset, error) {
	stmt := &statement{}
	stmt.add("UPDATE ", s.d.Table(of.name), ` SET "budget_reset_at" = `, stmt.param(s.codec.time(next)))
	if of != s.budgets {
		stmt.add(`, "spend" = 0`)
	}
	stmt.add(" WHERE ", quote(of.keys[0].Name), " = ", stmt.param(row.id), ` AND "budget_reset_at" = `, stmt.param(s.codec.time(row.at)))
	n, err := s.exec(ctx, stmt)
	if err != nil || n == 0 {
		return nil, err
	}
	s.change(of.kind, row.id)
	resets := []store.Reset{{Ref: store.Ref{Entity: entity, ID: row.id}, Spent: row.spent, Next: next}}
	if of != s.budgets {
		return resets, nil
	}
	more, err := s.resetDependants(ctx, row.id)
	return append(resets, more...), err
}

// resetDependants resets what hangs on a budget. Keys with a period of their own keep it.
func (s *Store) resetDependants(ctx context.Context, budget string) ([]store.Reset, error) {
	tables := []struct {
		entity store.Entity
		of     *shape
		but    string
	}{
		{store.EntityKey, s.keys, ` AND ("budget_duration" IS NULL OR "budget_duration" = '')`},
		{store.EntityEndUser, s.endUsers, ""},
		{store.EntityTeamMember, s.teamMembers, ""},
		{store.EntityOrgMember, s.orgMembers, ""},
		{store.EntityOrganization, s.orgs, ""},
		{store.EntityTag, s.tags, ""},
	}
	var all []store.Reset
	for _, table := range tables {
		resets, err := s.resetDependant(ctx, table.entity, table.of, budget, table.but)
		if err != nil {
			return nil, err
		}
		all = append(all, resets...)
	}
	return all, nil
}

func (s *Store) resetDependant(ctx context.Context, entity store.Entity, of *shape, budget, but string) ([]store.Reset, error) {
	first, second := of.keys[0].Name, of.keys[0].Name
	if len(of.keys) > 1 {
		second = of.keys[1].Name
	}
	where := &statement{}
	where.add(` WHERE "budget_id" = `, where.param(budget), ` AND "spend" <> 0`, but)
	read := &statement{args: where.args}
	read.add("SELECT ", quote(first), ", ", quote(second), `, "spend" FROM `, s.d.Table(of.name), where.String(),
		" ORDER BY ", quote(first), ", ", quote(second), s.d.ForUpdate())
	resets, err := collect(ctx, s, read, func(scan func(...any) error) (store.Reset, error) {
		var id, group string
		r := store.Reset{Budget: budget}
		if err := scan(&id, &group, &r.Spent); err != nil {
			return r, err
		}
		r.Ref = store.Ref{Entity: entity, ID: id}
		if len(of.keys) > 1 {
			r.ID, r.User = group, id
		}
		return r, nil
	})
	if err != nil || len(resets) == 0 {
		return nil, err
	}
	update := &statement{args: where.args}
	update.add("UPDATE ", s.d.Table(of.name), ` SET "spend" = 0`, where.String())
	if _, err := s.exec(ctx, update); err != nil {
		return nil, err
	}
	for _, r := range resets {
		id := r.ID
		if r.User != "" {
			id = store.MemberID(r.ID, r.User)
		}
		s.change(of.kind, id)
	}
	return resets, nil
}

// ResetAll is of store.Spend.
func (p spend) ResetAll(ctx context.Context) error {
	return p.s.write(ctx, func(s *Store) error {
		for _, of := range []*shape{s.keys, s.teams} {
			stmt := &statement{}
			stmt.add("UPDATE ", s.d.Table(of.name), ` SET "spend" = 0 WHERE "spend" <> 0`)
			if _, err := s.exec(ctx, stmt); err != nil {
				return err
			}
		}
		s.change(store.KindEverything, "")
		return nil
	})
}

// DeleteLogs is of store.Spend.
func (p spend) DeleteLogs(ctx context.Context, before time.Time, limit int) (int64, error) {
	var deleted int64
	err := p.s.plainWrite(ctx, func(s *Store) (err error) {
		name := s.d.Table(s.logs.name)
		stmt := &statement{}
		stmt.add("DELETE FROM ", name, ` WHERE "request_id" IN (SELECT "request_id" FROM `, name, ` WHERE "startTime" < `,
			stmt.param(s.codec.time(before)), fmt.Sprintf(` ORDER BY "startTime", "request_id" LIMIT %d)`, max(limit, 0)))
		deleted, err = s.exec(ctx, stmt)
		return err
	})
	return deleted, err
}

// Position is of store.Spend.
func (p spend) Position(ctx context.Context, source string) (int64, error) {
	stmt := &statement{}
	stmt.add(`SELECT "position" FROM `, p.s.d.Table(p.s.sources.name), ` WHERE "source" = `, stmt.param(cleanText(source)))
	return p.s.number(ctx, stmt)
}

// Spent is of store.Spend.
func (p spend) Spent(ctx context.Context, refs ...store.Ref) (map[store.Ref]float64, error) {
	spent := map[store.Ref]float64{}
	for _, ref := range refs {
		of, ids, err := p.s.spender(ref)
		if err != nil {
			return nil, err
		}
		stmt := &statement{}
		stmt.add(`SELECT COALESCE("spend", 0) FROM `, p.s.d.Table(of.name), " WHERE ")
		for i, id := range ids {
			if i > 0 {
				stmt.add(" AND ")
			}
			stmt.add(quote(of.keys[i].Name), " = ", stmt.param(cleanText(id)))
		}
		found, err := collect(ctx, p.s, stmt, func(scan func(...any) error) (f float64, err error) { return f, scan(&f) })
		if err != nil {
			return nil, err
		}
		if len(found) == 0 && ref.Entity == store.EntityKey {
			if found, err = p.s.spentSince(ctx, ref.ID); err != nil {
				return nil, err
			}
		}
		if len(found) > 0 {
			spent[ref] = found[0]
		}
	}
	return spent, nil
}

// spender says where the spend of an entity is, and the values of the primary key.
func (s *Store) spender(ref store.Ref) (*shape, []string, error) {
	switch ref.Entity {
	case store.EntityKey:
		return s.keys, []string{ref.ID}, nil
	case store.EntityUser:
		return s.users, []string{ref.ID}, nil
	case store.EntityTeam:
		return s.teams, []string{ref.ID}, nil
	case store.EntityOrganization:
		return s.orgs, []string{ref.ID}, nil
	case store.EntityEndUser:
		return s.endUsers, []string{ref.ID}, nil
	case store.EntityTag:
		return s.tags, []string{ref.ID}, nil
	case store.EntityTeamMember, store.EntityOrgMember:
		of := s.teamMembers
		if ref.Entity == store.EntityOrgMember {
			of = s.orgMembers
		}
		if ref.User == "" {
			return nil, nil, fmt.Errorf("spend of %s %q: no user is named", ref.Entity, ref.ID)
		}
		return of, []string{ref.User, ref.ID}, nil
	}
	return nil, nil, fmt.Errorf("nothing keeps the spend of a %q", ref.Entity)
}

// Counters is of store.Spend.
func (p spend) Counters(ctx context.Context, names ...string) ([]store.Counter, error) {
	t := table[store.Counter, string]{p.s, p.s.counters}
	var all []store.Counter
	for part := range chunks(store.OneOf("name", names)) {
		rows, err := t.Find(ctx, store.Query{Where: []store.Cond{part}})
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// SetCounter is of store.Spend.
func (p spend) SetCounter(ctx context.Context, c store.Counter) error {
	return p.s.plainWrite(ctx, func(s *Store) error {
		t := table[store.Counter, string]{s, s.counters}
		c.Window = store.Clean(c.Window)
		values, err := t.args(&c)
		if err != nil {
			return err
		}
		stmt := &statement{args: values}
		stmt.add("INSERT INTO ", s.d.Table(t.name), " (", quoted(t.all()), ") VALUES (", params(1, len(values)),
			`) ON CONFLICT ("name") DO UPDATE SET "window_start" = excluded."window_start", "spend" = excluded."spend"`)
		_, err = s.exec(ctx, stmt)
		return err
	})
}
