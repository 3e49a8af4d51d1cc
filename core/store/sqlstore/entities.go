package sqlstore

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func tableOf[T, ID any](s *Store, of *shape) table[T, ID] { return table[T, ID]{s, of} }

// The tables of store.Store.
type keys struct{ table[store.Key, string] }

// Keys is of store.Store.
func (s *Store) Keys() store.Keys { return keys{tableOf[store.Key, string](s, s.keys)} }

// DeletedKeys is of store.Store.
func (s *Store) DeletedKeys() store.Table[store.DeletedKey, string] {
	return tableOf[store.DeletedKey, string](s, s.deletedKeys)
}

// DeprecatedKeys is of store.Store.
func (s *Store) DeprecatedKeys() store.Table[store.DeprecatedKey, string] {
	return tableOf[store.DeprecatedKey, string](s, s.deprecatedKeys)
}

type teams struct{ table[store.Team, string] }

// Teams is of store.Store.
func (s *Store) Teams() store.Teams { return teams{tableOf[store.Team, string](s, s.teams)} }

// DeletedTeams is of store.Store.
func (s *Store) DeletedTeams() store.Table[store.DeletedTeam, string] {
	return tableOf[store.DeletedTeam, string](s, s.deletedTeams)
}

// TeamModels is of store.Store.
func (s *Store) TeamModels() store.Table[store.TeamModel, int64] {
	return tableOf[store.TeamModel, int64](s, s.teamModels)
}

// TeamMemberships is of store.Store.
func (s *Store) TeamMemberships() store.Table[store.TeamMembership, store.Membership] {
	return tableOf[store.TeamMembership, store.Membership](s, s.teamMembers)
}

// Users is of store.Store.
func (s *Store) Users() store.Table[store.User, string] {
	return tableOf[store.User, string](s, s.users)
}

// Organizations is of store.Store.
func (s *Store) Organizations() store.Table[store.Organization, string] {
	return tableOf[store.Organization, string](s, s.orgs)
}

// OrganizationMemberships is of store.Store.
func (s *Store) OrganizationMemberships() store.Table[store.OrganizationMembership, store.Membership] {
	return tableOf[store.OrganizationMembership, store.Membership](s, s.orgMembers)
}

// Budgets is of store.Store.
func (s *Store) Budgets() store.Table[store.Budget, string] {
	return tableOf[store.Budget, string](s, s.budgets)
}

// EndUsers is of store.Store.
func (s *Store) EndUsers() store.Table[store.EndUser, string] {
	return tableOf[store.EndUser, string](s, s.endUsers)
}

// Tags is of store.Store.
func (s *Store) Tags() store.Table[store.Tag, string] { return tableOf[store.Tag, string](s, s.tags) }

// Models is of store.Store.
func (s *Store) Models() store.Table[store.Model, string] {
	return tableOf[store.Model, string](s, s.models)
}

// Credentials is of store.Store.
func (s *Store) Credentials() store.Table[store.Credential, string] {
	return tableOf[store.Credential, string](s, s.credentials)
}

// Config is of store.Store.
func (s *Store) Config() store.Table[store.ConfigValue, string] {
	return tableOf[store.ConfigValue, string](s, s.config)
}

// AccessGroups is of store.Store.
func (s *Store) AccessGroups() store.Table[store.AccessGroup, string] {
	return tableOf[store.AccessGroup, string](s, s.accessGroups)
}

// ObjectPermissions is of store.Store.
func (s *Store) ObjectPermissions() store.Table[store.ObjectPermission, string] {
	return tableOf[store.ObjectPermission, string](s, s.permissions)
}

// InvitationLinks is of store.Store.
func (s *Store) InvitationLinks() store.Table[store.InvitationLink, string] {
	return tableOf[store.InvitationLink, string](s, s.invitations)
}

// AuditLogs is of store.Store.
func (s *Store) AuditLogs() store.Table[store.AuditLog, string] {
	return tableOf[store.AuditLog, string](s, s.audits)
}

// HealthChecks is of store.Store.
func (s *Store) HealthChecks() store.Table[store.HealthCheck, string] {
	return tableOf[store.HealthCheck, string](s, s.healthChecks)
}

// ErrorLogs is of store.Store.
func (s *Store) ErrorLogs() store.Table[store.ErrorLog, string] {
	return tableOf[store.ErrorLog, string](s, s.errorLogs)
}

// Objects is of store.Store.
func (s *Store) Objects() store.Objects { return objects{tableOf[store.Object, string](s, s.objects)} }

type objects struct{ table[store.Object, string] }

// Prune is of store.Objects.
func (o objects) Prune(ctx context.Context, now time.Time, most int64) (deleted int64, err error) {
	table := o.s.d.Table(o.name)
	old := &statement{}
	old.add("DELETE FROM ", table, ` WHERE "expires_at" < `, old.param(o.s.codec.time(now)))
	err = o.write(ctx, func(s *Store) error {
		deleted, err = s.exec(ctx, old)
		return err
	})
	if err != nil {
		return 0, err
	}
	sum := &statement{}
	sum.add("SELECT CAST(SUM(\"bytes\") AS BIGINT) FROM ", table, ` WHERE "kind" = `, sum.param(string(store.ObjectResponse)))
	bytes, err := o.s.number(ctx, sum)
	if err != nil || bytes <= most {
		return deleted, err
	}
	surplus := &statement{}
	surplus.add("DELETE FROM ", table, ` WHERE "id" IN (SELECT "id" FROM (SELECT "id", SUM("bytes") OVER (ORDER BY "created_at" DESC, "id")`,
		` AS "upto" FROM `, table, ` WHERE "kind" = `, surplus.param(string(store.ObjectResponse)), `) AS "sums" WHERE "upto" > `, surplus.param(most), ")")
	err = o.write(ctx, func(s *Store) error {
		n, err := s.exec(ctx, surplus)
		deleted += n
		return err
	})
	return deleted, err
}

// Archive is of store.Keys.
func (k keys) Archive(ctx context.Context, tokens []string, by store.Deletion) ([]store.Key, error) {
	var archived []store.Key
	err := k.s.write(ctx, func(s *Store) (err error) {
		archived, err = s.archiveKeys(ctx, store.OneOf("token", tokens), by)
		return err
	})
	return archived, err
}

// chunk is how many ids one statement names.
const chunk = 500

func (s *Store) archiveKeys(ctx context.Context, which store.Cond, by store.Deletion) ([]store.Key, error) {
	t := tableOf[store.Key, string](s, s.keys)
	var archived []store.Key
	for part := range chunks(which) {
		rows, err := t.rows(ctx, store.Query{Where: []store.Cond{part}}, s.d.ForUpdate())
		if err != nil {
			return nil, err
		}
		archived = append(archived, rows...)
	}
	deleted := tableOf[store.DeletedKey, string](s, s.deletedKeys)
	gone := make([]string, len(archived))
	for i := range archived {
		gone[i] = archived[i].Token
		row := store.DeletedKey{Key: archived[i], Deletion: by}
		if err := deleted.Create(ctx, &row); err != nil {
			return nil, err
		}
	}
	if _, err := t.Delete(ctx, gone...); err != nil {
		return nil, err
	}
	if err := s.forgetHashes(ctx, gone); err != nil {
		return nil, err
	}
	for part := range chunks(store.OneOf("active_token_id", gone)) {
		stmt := &statement{}
		stmt.add("DELETE FROM ", s.d.Table(s.deprecatedKeys.name))
		if err := stmt.where(s.d, s.deprecatedKeys.find, []store.Cond{part}); err != nil {
			return nil, err
		}
		if _, err := s.exec(ctx, stmt); err != nil {
			return nil, err
		}
	}
	return archived, nil
}

// chunks cuts a condition on many values into several on fewer.
func chunks(c store.Cond) func(yield func(store.Cond) bool) {
	return func(yield func(store.Cond) bool) {
		for from := 0; from < len(c.Values); from += chunk {
			part := c
			part.Values = c.Values[from:min(from+chunk, len(c.Values))]
			if !yield(part) {
				return
			}
		}
	}
}

// Archive is of store.Teams.
func (t teams) Archive(ctx context.Context, ids []string, by store.Deletion) ([]store.Team, []string, error) {
	var archived []store.Team
	var tokens []string
	err := t.s.write(ctx, func(s *Store) error {
		archived, tokens = nil, nil
		for _, id := range ids {
			team, keys, err := s.archiveTeam(ctx, id, by)
			if err != nil {
				return err
			}
			if team != nil {
				archived, tokens = append(archived, *team), append(tokens, keys...)
			}
		}
		return nil
	})
	return archived, tokens, err
}

func (s *Store) archiveTeam(ctx context.Context, id string, by store.Deletion) (*store.Team, []string, error) {
	t := tableOf[store.Team, string](s, s.teams)
	found, err := t.rows(ctx, store.Query{Where: t.idConds(id)}, s.d.ForUpdate())
	if err != nil || len(found) == 0 {
		return nil, nil, err
	}
	if err := s.DeletedTeams().Create(ctx, &store.DeletedTeam{Team: found[0], Deletion: by}); err != nil {
		return nil, nil, err
	}
	keys, err := s.archiveKeys(ctx, store.OneOf("team_id", []string{id}), by)
	if err != nil {
		return nil, nil, err
	}
	tokens := make([]string, len(keys))
	for i := range keys {
		tokens[i] = keys[i].Token
	}
	if err := s.leaveTeam(ctx, id); err != nil {
		return nil, nil, err
	}
	if _, err := t.Delete(ctx, id); err != nil {
		return nil, nil, err
	}
	return &found[0], tokens, nil
}

// leaveTeam takes a team from all of its members.
func (s *Store) leaveTeam(ctx context.Context, id string) error {
	users, err := s.Users().Find(ctx, store.Query{Where: []store.Cond{store.Where("teams", store.Has, id)}})
	if err != nil {
		return err
	}
	for _, user := range users {
		_, err := s.Users().Update(ctx, user.UserID, func(u *store.User) error {
			u.Teams = without(u.Teams, id)
			return nil
		})
		if err != nil {
			return err
		}
	}
	members, err := s.TeamMemberships().Find(ctx, store.Query{Where: []store.Cond{store.Eq("team_id", id)}})
	if err != nil {
		return err
	}
	for _, m := range members {
		if _, err := s.TeamMemberships().Delete(ctx, store.Membership{UserID: m.UserID, Group: id}); err != nil {
			return err
		}
	}
	return nil
}

func without(list store.List, item string) store.List {
	rest := make(store.List, 0, len(list))
	for _, s := range list {
		if s != item {
			rest = append(rest, s)
		}
	}
	return rest
}

// part is one of the tables that Lookup joins.
type part struct {
	alias string
	*shape
	on    string
	place func(v *store.KeyView) any // a new row, put in its place
}

func (s *Store) lookupParts() []part {
	add := func(alias string, of *shape, on string, place func(*store.KeyView) any) part {
		return part{alias, of, on, place}
	}
	return []part{
		add("b", s.budgets, "b.budget_id = k.budget_id", func(v *store.KeyView) any { return fresh(&v.Budget) }),
		add("u", s.users, "u.user_id = k.user_id", func(v *store.KeyView) any { return fresh(&v.User) }),
		add("t", s.teams, "t.team_id = k.team_id", func(v *store.KeyView) any { return fresh(&v.Team) }),
		add("tm", s.teamModels, "tm.id = t.model_id", func(v *store.KeyView) any { return fresh(&v.TeamModel) }),
		add("m", s.teamMembers, "m.user_id = k.user_id AND m.team_id = k.team_id", func(v *store.KeyView) any { return fresh(&v.Member) }),
		add("mb", s.budgets, "mb.budget_id = m.budget_id", func(v *store.KeyView) any { return fresh(&v.MemberBudget) }),
		add("o", s.orgs, "o.organization_id = COALESCE(NULLIF(k.organization_id, ''), t.organization_id)",
			func(v *store.KeyView) any { return fresh(&v.Organization) }),
		add("ob", s.budgets, "ob.budget_id = o.budget_id", func(v *store.KeyView) any { return fresh(&v.OrganizationBudget) }),
		add("om", s.orgMembers, "om.user_id = k.user_id AND om.organization_id = o.organization_id",
			func(v *store.KeyView) any { return fresh(&v.OrgMember) }),
		add("omb", s.budgets, "omb.budget_id = om.budget_id", func(v *store.KeyView) any { return fresh(&v.OrgMemberBudget) }),
		add("p", s.permissions, "p.object_permission_id = k.object_permission_id",
			func(v *store.KeyView) any { return fresh(&v.ObjectPermission) }),
		add("tp", s.permissions, "tp.object_permission_id = t.object_permission_id",
			func(v *store.KeyView) any { return fresh(&v.TeamPermission) }),
	}
}

func fresh[T any](place **T) any {
	*place = new(T)
	return *place
}

// Lookup is of store.Keys.
func (k keys) Lookup(ctx context.Context, token string, now time.Time) (*store.KeyView, error) {
	stmt := &statement{args: []any{cleanText(token), k.s.codec.time(now)}}
	stmt.WriteString(k.s.lookup)
	parts := k.s.lookupParts()
	views, err := collect(ctx, k.s, stmt, func(scan func(...any) error) (store.KeyView, error) {
		return k.view(parts, scan)
	})
	if err != nil {
		return nil, err
	}
	if len(views) == 0 {
		return nil, k.notFound(token)
	}
	return &views[0], nil
}

// lookupSQL joins a key with all that it hangs on. An old hash stands for its successor.
func (s *Store) lookupSQL() string {
	parts := s.lookupParts()
	old := func(column string) string {
		return "(SELECT " + column + " FROM " + s.d.Table(s.deprecatedKeys.name) + " WHERE token = $1 AND revoke_at > $2)"
	}
	stmt := &statement{}
	origin := `(SELECT "origin" FROM ` + s.d.Table(s.keyHashes.name) + ` AS h WHERE h."token" = k."token")`
	stmt.add("SELECT ", old("revoke_at"), ", ", origin, ", ", aliased("k", s.keys.all()))
	for _, p := range parts {
		stmt.add(", ", aliased(p.alias, p.all()))
	}
	stmt.add(" FROM ", s.d.Table(s.keys.name), " AS k")
	for _, p := range parts {
		stmt.add(" LEFT JOIN ", s.d.Table(p.name), " AS ", p.alias, " ON ", p.on)
	}
	stmt.add(" WHERE k.token = COALESCE(", old("active_token_id"), ", $1)")
	return stmt.String()
}

// view reads a joined row. A part whose key is NULL is not there.
func (k keys) view(parts []part, scan func(...any) error) (view store.KeyView, err error) {
	type piece struct {
		*shape
		cells []cell
	}
	pieces := []piece{{k.shape, make([]cell, len(k.columns))}}
	for _, p := range parts {
		pieces = append(pieces, piece{p.shape, make([]cell, len(p.columns))})
	}
	var until cell
	var origin *string
	targets := []any{k.s.codec.target(KindTime, &until), &origin}
	for _, p := range pieces {
		for i := range p.columns {
			targets = append(targets, k.s.codec.target(p.columns[i].Kind, &p.cells[i]))
		}
	}
	if err := scan(targets...); err != nil {
		return view, fmt.Errorf("%s: %w", k.name, err)
	}
	if at := k.s.codec.timeFrom(&until); !at.IsZero() {
		view.Deprecated = &at
	}
	if origin != nil {
		view.Origin = *origin
	}
	for n, p := range pieces {
		row := any(&view.Key)
		if n > 0 {
			if p.cells[0].text == nil && p.cells[0].num == nil {
				continue
			}
			row = parts[n-1].place(&view)
		}
		for i := range p.columns {
			c := &p.columns[i]
			if err := k.s.codec.set(c, &p.cells[i], reflect.ValueOf(row).Elem().FieldByIndex(c.index)); err != nil {
				return view, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return view, nil
}

func aliased(alias string, columns []*Column) string {
	text := ""
	for i, c := range columns {
		if i > 0 {
			text += ", "
		}
		text += alias + "." + quote(c.Name)
	}
	return text
}
