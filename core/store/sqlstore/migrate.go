package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/store"
)

// The tables are brought up to date by comparing what there is with what is needed and adding what is missing. Nothing
// is dropped but an index that forbids rows which are allowed now. So it does not matter which version of the reference
// made a database, or whether it made it at all, and an older replica goes on working beside a newer one.

// step changes data, once, in the transaction that adds the tables.
type step struct {
	name string
	run  func(ctx context.Context, s *Store, there Description) error
}

// steps are run in order. One that was released is never changed or removed.
func steps() []step {
	return []step{
		{"1 sum the daily tables", func(ctx context.Context, s *Store, _ Description) error { return s.refresh(ctx, "", "") }},
		{"2 models of access groups", copyAccessModels},
	}
}

// copyAccessModels carries over what the reference kept under another name in its first version of access groups.
func copyAccessModels(ctx context.Context, s *Store, there Description) error {
	if !there.Columns[s.accessGroups.name]["access_model_ids"] {
		return nil
	}
	stmt := &statement{}
	stmt.add("UPDATE ", s.d.Table(s.accessGroups.name), ` SET "access_model_names" = "access_model_ids"`)
	_, err := s.exec(ctx, stmt)
	return err
}

// plan is what a database lacks.
type plan struct {
	statements []string // to run in order
	missing    []string // tables and columns
	builds     []build  // indexes of large tables
	former     []string // indexes that go when these are there
	indexes    []string // names of the missing indexes
	steps      []step
	there      Description
}

type build struct{ name, sql string }

func (p *plan) nothing() bool {
	return len(p.statements) == 0 && len(p.builds) == 0 && len(p.former) == 0 && len(p.steps) == 0
}

func (s *Store) migrate(ctx context.Context, o Options) error {
	p, err := s.plan(ctx, s.db)
	if err != nil {
		return fmt.Errorf("read the database schema: %w", err)
	}
	if p.nothing() {
		return nil
	}
	if o.KeepSchema {
		return p.refuse(o.Warn)
	}
	if len(p.statements) > 0 || len(p.steps) > 0 {
		err = s.d.Lock(ctx, func(ctx context.Context, db DB) error { return s.apply(ctx, db) })
		if err != nil {
			return fmt.Errorf("update the database schema: %w", err)
		}
	}
	if len(p.builds) > 0 || len(p.former) > 0 {
		s.builds = s.startBuilds(o.Warn)
	}
	return nil
}

// builds are indexes of large tables under way. The gateway serves meanwhile, and reports are slow.
type builds struct {
	stop context.CancelFunc
	done chan struct{}
}

// startBuilds makes the indexes that are missing, beside all else. What is not done when the store is closed is done
// after the next start.
func (s *Store) startBuilds(warn func(string)) *builds {
	ctx, stop := context.WithCancel(context.Background())
	b := &builds{stop: stop, done: make(chan struct{})}
	own := *s // Open is not done with s
	go func() {
		defer close(b.done)
		err := own.d.Lock(ctx, func(ctx context.Context, db DB) error {
			p, err := own.plan(ctx, db)
			if err != nil {
				return err
			}
			for _, build := range p.builds {
				if err := own.d.BuildIndex(ctx, db, build.name, build.sql); err != nil {
					return fmt.Errorf("index %s: %w", build.name, own.fail(err))
				}
			}
			for _, name := range p.former {
				if _, err := db.Exec(ctx, "DROP INDEX IF EXISTS "+own.d.Table(name)); err != nil {
					return fmt.Errorf("index %s: %w", name, own.fail(err))
				}
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			warn("reports may be slow: " + err.Error())
		}
	}()
	return b
}

// Built waits for indexes that were missing in a database with rows.
func (s *Store) Built(ctx context.Context) error {
	if s.builds == nil {
		return nil
	}
	select {
	case <-s.builds.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refuse says what is missing; an index is not worth stopping for unless rows could be written twice without it.
func (p *plan) refuse(warn func(string)) error {
	missing := p.missing
	for _, name := range p.indexes {
		if strings.HasSuffix(name, "_key") {
			missing = append(missing, "index "+name)
			continue
		}
		warn("the database has no index " + name + ": reports may be slow. Let the schema be updated once to add it")
	}
	if len(missing) == 0 {
		return nil
	}
	const most = 8
	list := strings.Join(missing[:min(len(missing), most)], ", ")
	if len(missing) > most {
		list += fmt.Sprintf(" and %d more", len(missing)-most)
	}
	return fmt.Errorf("%w: missing are %s. Start once without disable_prisma_schema_update and DISABLE_SCHEMA_UPDATE", store.ErrSchema, list)
}

// apply adds what is missing. It looks again, since another replica may have been faster.
func (s *Store) apply(ctx context.Context, db DB) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return s.fail(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing to undo after a commit
	p, err := s.plan(ctx, tx)
	if err != nil {
		return err
	}
	for _, sql := range p.statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", firstLine(sql), s.fail(err))
		}
	}
	inside := *s
	inside.conn, inside.tx = tx, &pending{}
	for _, step := range p.steps {
		if err := step.run(ctx, &inside, p.there); err != nil {
			return fmt.Errorf("step %q: %w", step.name, err)
		}
		done := &statement{}
		done.add("INSERT INTO ", s.d.Table(s.steps.name), ` ("name", "applied_at") VALUES (`, done.param(step.name), ", ",
			done.param(s.codec.time(s.now())), ")")
		if _, err := inside.exec(ctx, done); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return s.fail(err)
	}
	return nil
}

func firstLine(sql string) string {
	if i := strings.IndexByte(sql, '('); i > 0 {
		return strings.TrimSpace(sql[:i])
	}
	return sql
}

// plan compares a database with the definitions.
func (s *Store) plan(ctx context.Context, conn Conn) (*plan, error) {
	definitions := s.definitions(s.d.Tie("request_id") == quote("request_id"), errorCodeStart(s.d))
	names := make([]string, len(definitions))
	for i, d := range definitions {
		names[i] = d.name
	}
	there, err := s.d.Describe(ctx, conn, names)
	if err != nil {
		return nil, s.fail(err)
	}
	p := &plan{there: there}
	for i := range definitions {
		p.table(s.d, &definitions[i])
	}
	done, err := s.stepsDone(ctx, conn, there)
	if err != nil {
		return nil, err
	}
	for _, step := range steps() {
		if !slices.Contains(done, step.name) {
			p.steps = append(p.steps, step)
		}
	}
	return p, nil
}

func (p *plan) table(dialect Dialect, d *definition) {
	columns, exists := p.there.Columns[d.name]
	if !exists {
		p.statements = append(p.statements, d.createSQL(dialect))
		p.missing = append(p.missing, "table "+d.name)
	}
	for i := range d.columns {
		c := &d.columns[i]
		if exists && !columns[c.Name] {
			p.statements = append(p.statements, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", dialect.Table(d.name), columnSQL(dialect, c)))
			p.missing = append(p.missing, "column "+d.name+"."+c.Name)
		}
	}
	for _, i := range d.indexes {
		p.index(dialect, d, i, exists)
	}
	for _, name := range d.former {
		if _, ok := p.there.Indexes[name]; ok {
			p.former = append(p.former, name)
		}
	}
}

func (p *plan) index(dialect Dialect, d *definition, i index, exists bool) {
	if d.has(p.there, i) {
		return
	}
	name, what := d.indexName(i), "CREATE INDEX"
	p.indexes = append(p.indexes, name)
	if i.unique {
		what = "CREATE UNIQUE INDEX"
		p.dropNarrower(dialect, d, i)
	}
	if exists && d.large && !i.unique {
		p.builds = append(p.builds, build{name: name, sql: d.indexSQL(dialect, i)})
		return
	}
	p.statements = append(p.statements, what+" IF NOT EXISTS "+quote(name)+d.indexSQL(dialect, i))
}

// dropNarrower drops unique indexes on fewer of the columns: earlier versions of the reference told daily rows apart by
// fewer columns, and would refuse two rows that differ in a later one.
func (p *plan) dropNarrower(dialect Dialect, d *definition, i index) {
	for name, have := range p.there.Indexes {
		narrower := have.Table == d.name && have.Unique && !have.Primary && len(have.Columns) < len(i.columns)
		for _, column := range have.Columns {
			narrower = narrower && slices.Contains(i.columns, column)
		}
		if narrower {
			p.statements = append(p.statements, "DROP INDEX IF EXISTS "+dialect.Table(name))
		}
	}
}

func (s *Store) stepsDone(ctx context.Context, conn Conn, there Description) ([]string, error) {
	if there.Columns[s.steps.name] == nil {
		return nil, nil
	}
	stmt := &statement{}
	stmt.add(`SELECT "name" FROM `, s.d.Table(s.steps.name))
	inside := *s
	inside.conn = conn
	return collect(ctx, &inside, stmt, func(scan func(...any) error) (name string, err error) {
		return name, scan(&name)
	})
}
