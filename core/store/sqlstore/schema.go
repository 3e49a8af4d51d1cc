package sqlstore

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// shapes are the tables. Those with a name of the reference are its own, so that its database opens here; those that
// begin with Sallyport_ are ours, and it does not see them.
type shapes struct {
	keys, deletedKeys, deprecatedKeys, teams, deletedTeams, teamModels, teamMembers, users, orgs, orgMembers *shape
	budgets, endUsers, tags, models, credentials, config, accessGroups, permissions, invitations             *shape
	audits, healthChecks, errorLogs, logs, objects                                                           *shape
	changes, leases, sources, counters, totals, cacheDays, steps, keyHashes                                  *shape
	daily                                                                                                    map[store.Entity]*shape
}

func newShapes() shapes {
	return shapes{
		keys:           shapeFor[store.Key]("LiteLLM_VerificationToken", store.KindKey),
		deletedKeys:    shapeFor[store.DeletedKey]("LiteLLM_DeletedVerificationToken", ""),
		deprecatedKeys: shapeFor[store.DeprecatedKey]("LiteLLM_DeprecatedVerificationToken", store.KindKey, "token"),
		teams:          shapeFor[store.Team]("LiteLLM_TeamTable", store.KindTeam),
		deletedTeams:   shapeFor[store.DeletedTeam]("LiteLLM_DeletedTeamTable", ""),
		teamModels:     shapeFor[store.TeamModel]("LiteLLM_ModelTable", store.KindTeamModel),
		teamMembers:    shapeFor[store.TeamMembership]("LiteLLM_TeamMembership", store.KindTeamMember),
		users:          shapeFor[store.User]("LiteLLM_UserTable", store.KindUser),
		orgs:           shapeFor[store.Organization]("LiteLLM_OrganizationTable", store.KindOrganization),
		orgMembers:     shapeFor[store.OrganizationMembership]("LiteLLM_OrganizationMembership", store.KindOrgMember),
		budgets:        shapeFor[store.Budget]("LiteLLM_BudgetTable", store.KindBudget),
		endUsers:       shapeFor[store.EndUser]("LiteLLM_EndUserTable", store.KindEndUser),
		tags:           shapeFor[store.Tag]("LiteLLM_TagTable", store.KindTag),
		models:         sealed(shapeFor[store.Model]("LiteLLM_ProxyModelTable", store.KindModel), sealModel, openModel),
		credentials: sealed(shapeFor[store.Credential]("LiteLLM_CredentialsTable", store.KindCredential, "credential_name"),
			sealCredential, openCredential),
		config:       sealed(shapeFor[store.ConfigValue]("LiteLLM_Config", store.KindConfig), sealConfig, openConfig),
		accessGroups: shapeFor[store.AccessGroup]("LiteLLM_AccessGroupTable", store.KindAccessGroup),
		permissions:  shapeFor[store.ObjectPermission]("LiteLLM_ObjectPermissionTable", store.KindObjectPermission),
		invitations:  shapeFor[store.InvitationLink]("LiteLLM_InvitationLink", ""),
		audits:       shapeFor[store.AuditLog]("LiteLLM_AuditLog", ""),
		healthChecks: shapeFor[store.HealthCheck]("LiteLLM_HealthCheckTable", ""),
		errorLogs:    shapeFor[store.ErrorLog]("LiteLLM_ErrorLogs", ""),
		logs:         shapeFor[store.SpendLog](logTable, ""),
		objects:      sealed(shapeFor[store.Object]("Sallyport_Object", ""), sealObject, openObject),
		changes:      shapeFor[changeRow]("Sallyport_Change", ""),
		leases:       shapeFor[leaseRow]("Sallyport_Lease", ""),
		sources:      shapeFor[sourceRow]("Sallyport_SpendSource", ""),
		counters:     shapeFor[store.Counter]("Sallyport_Counter", ""),
		totals:       shapeFor[totalRow]("Sallyport_DailyTotal", ""),
		cacheDays:    shapeFor[cacheRow]("Sallyport_DailyCache", ""),
		steps:        shapeFor[stepRow]("Sallyport_Step", ""),
		keyHashes:    shapeFor[keyHashRow]("Sallyport_KeyHash", ""),
		daily:        dailyShapes(),
	}
}

func shapeFor[T any](name string, kind store.Kind, id ...string) *shape {
	return shapeOf(name, reflect.TypeFor[T](), kind, id...)
}

const logTable = "LiteLLM_SpendLogs"

// The rows of our own tables.
type (
	changeRow struct {
		Seq  int64     `db:"seq,pk,serial"`
		Kind string    `db:"kind"`
		ID   string    `db:"id"`
		At   time.Time `db:"at"`
	}
	leaseRow struct {
		Name    string    `db:"name,pk"`
		Holder  string    `db:"holder"`
		Expires time.Time `db:"expires_at"`
	}
	sourceRow struct {
		Source   string    `db:"source,pk"`
		Position int64     `db:"position"`
		At       time.Time `db:"updated_at"`
	}
	// totalRow sums a daily table by one dimension.
	totalRow struct {
		Dim   string `db:"dim,pk"`
		Date  string `db:"date,pk"`
		Value string `db:"value,pk"`
		store.Metrics
	}
	cacheRow struct {
		Date      string `db:"date,pk"`
		APIKey    string `db:"api_key,pk"`
		CallType  string `db:"call_type,pk"`
		Model     string `db:"model,pk"`
		Requests  int64  `db:"requests"`
		Hits      int64  `db:"hits"`
		Cached    int64  `db:"cached_tokens"`
		Generated int64  `db:"generated_tokens"`
	}
	stepRow struct {
		Name string    `db:"name,pk"`
		At   time.Time `db:"applied_at"`
	}
	// dailyRow is a row of a daily table but for the column that names the entity.
	dailyRow struct {
		ID        string     `db:"id,pk,uuid"`
		Entity    store.Text `db:"entity"`
		Date      string     `db:"date"`
		APIKey    string     `db:"api_key"`
		Model     store.Text `db:"model"`
		Group     store.Text `db:"model_group"`
		Provider  store.Text `db:"custom_llm_provider"`
		Tool      store.Text `db:"mcp_namespaced_tool_name"`
		Endpoint  store.Text `db:"endpoint"`
		CreatedAt time.Time  `db:"created_at"`
		UpdatedAt time.Time  `db:"updated_at"`
		store.Metrics
	}
)

// dailyTables says which table and which of its columns count an entity's days.
func dailyTables() map[store.Entity][2]string {
	return map[store.Entity][2]string{
		store.EntityUser:         {"LiteLLM_DailyUserSpend", "user_id"},
		store.EntityTeam:         {"LiteLLM_DailyTeamSpend", "team_id"},
		store.EntityOrganization: {"LiteLLM_DailyOrganizationSpend", "organization_id"},
		store.EntityEndUser:      {"LiteLLM_DailyEndUserSpend", "end_user_id"},
		store.EntityAgent:        {"LiteLLM_DailyAgentSpend", "agent_id"},
		store.EntityTag:          {"LiteLLM_DailyTagSpend", "tag"},
	}
}

// dailyEntities is their order, which every writer keeps.
func dailyEntities() []store.Entity {
	return []store.Entity{
		store.EntityUser, store.EntityTeam, store.EntityOrganization, store.EntityEndUser, store.EntityAgent, store.EntityTag,
	}
}

func dailyShapes() map[store.Entity]*shape {
	all := map[store.Entity]*shape{}
	for entity, table := range dailyTables() {
		s := shapeFor[dailyRow](table[0], "")
		s.byName["entity"].Name = table[1]
		all[entity] = s
	}
	return all
}

// dailyUnique are the columns that make a daily row one of its kind. The first is the entity's.
func dailyUnique(entity string) []string {
	return []string{entity, "date", "api_key", "model", "custom_llm_provider", "mcp_namespaced_tool_name", "endpoint"}
}

// index is an index that a table needs.
type index struct {
	columns []string
	unique  bool
	expr    string // in place of the columns
	where   string // of a partial index
	name    string // of one that columns do not describe
}

// reference is a foreign key. The reference system has the same ones.
type reference struct {
	column, table, target string
	restrict              bool // else the column is set to NULL when the target is deleted
}

// definition is a table with all that belongs to it.
type definition struct {
	*shape
	indexes []index
	former  []string // names of indexes that earlier versions made and nothing needs
	refs    []reference
	large   bool // may have millions of rows
}

func on(columns ...string) index     { return index{columns: columns} }
func unique(columns ...string) index { return index{columns: columns, unique: true} }

// present is an index of the rows whose first column is not NULL.
func present(columns ...string) index {
	return index{columns: columns, where: quote(columns[0]) + " IS NOT NULL"}
}

func toBudget(restrict bool) reference {
	return reference{column: "budget_id", table: "LiteLLM_BudgetTable", target: "budget_id", restrict: restrict}
}

func toOrg(restrict bool) reference {
	return reference{column: "organization_id", table: "LiteLLM_OrganizationTable", target: "organization_id", restrict: restrict}
}

func toPermission() reference {
	return reference{column: "object_permission_id", table: "LiteLLM_ObjectPermissionTable", target: "object_permission_id"}
}

func toUser(column string) reference {
	return reference{column: column, table: "LiteLLM_UserTable", target: "user_id", restrict: true}
}

// definitions are all tables, those that are referred to first. ties says that indexes need a column for them, code is
// what the index of error codes has of one.
func (s *shapes) definitions(ties bool, code string) []definition {
	logIndexes, logFormer := logIndexes(ties, code)
	all := []definition{
		{shape: s.budgets, indexes: []index{on("budget_reset_at")}},
		{shape: s.permissions},
		{shape: s.orgs, indexes: []index{on("budget_id")}, refs: []reference{toBudget(true), toPermission()}},
		{shape: s.teamModels},
		{
			shape:   s.teams,
			indexes: []index{unique("model_id"), on("organization_id"), on("team_alias"), on("created_at"), on("budget_reset_at")},
			refs:    []reference{toOrg(false), {column: "model_id", table: "LiteLLM_ModelTable", target: "id"}, toPermission()},
		},
		{
			shape: s.users,
			indexes: []index{
				unique("sso_user_id"), on("budget_reset_at"), on("created_at"), on("organization_id"),
				{expr: `lower("user_email")`, name: "LiteLLM_UserTable_user_email_lower_idx"},
			},
			refs: []reference{toOrg(false), toPermission()},
		},
		{
			shape: s.keys,
			indexes: []index{
				on("user_id", "team_id"), on("team_id"), on("budget_reset_at", "expires"), on("key_alias"),
				on("organization_id"), on("budget_id"), on("created_at"), on("created_by"), on("spend", "token"),
				{expr: `("created_at" IS NULL), "created_at" DESC, "token" DESC`, name: "LiteLLM_VerificationToken_newest_idx"},
			},
			refs: []reference{toBudget(false), toOrg(false), toPermission()},
		},
		{shape: s.deprecatedKeys, indexes: []index{unique("token"), on("token", "revoke_at"), on("revoke_at"), on("active_token_id")}},
		{shape: s.deletedKeys, indexes: []index{
			on("token"), on("deleted_at"), on("user_id"), on("team_id"), on("organization_id"), on("key_alias"), on("created_at"),
		}},
		{shape: s.deletedTeams, indexes: []index{on("team_id"), on("deleted_at"), on("organization_id"), on("team_alias"), on("created_at")}},
		{shape: s.teamMembers, indexes: []index{on("team_id"), on("budget_id")}, refs: []reference{toBudget(false)}},
		{
			shape:   s.orgMembers,
			indexes: []index{unique("user_id", "organization_id"), on("organization_id"), on("budget_id")},
			refs:    []reference{toUser("user_id"), toOrg(true), toBudget(false)},
		},
		{shape: s.endUsers, indexes: []index{on("budget_id")}, refs: []reference{toBudget(false)}},
		{shape: s.tags, indexes: []index{on("budget_id")}, refs: []reference{toBudget(false)}},
		{shape: s.models, indexes: []index{on("model_name")}},
		{shape: s.credentials, indexes: []index{unique("credential_name")}},
		{shape: s.config},
		{shape: s.accessGroups, indexes: []index{unique("access_group_name")}},
		{shape: s.invitations, refs: []reference{toUser("user_id"), toUser("created_by"), toUser("updated_by")}},
		{shape: s.audits, indexes: []index{on("updated_at"), on("object_id", "updated_at")}},
		{shape: s.healthChecks, indexes: []index{
			on("model_name"), on("checked_at"), on("status"), on("model_id", "model_name", "checked_at"),
		}},
		{shape: s.errorLogs, indexes: []index{on("startTime")}, large: true},
		{shape: s.logs, large: true, indexes: logIndexes, former: logFormer},
		{shape: s.changes, indexes: []index{on("at")}},
		{shape: s.leases}, {shape: s.sources}, {shape: s.counters}, {shape: s.steps},
		{shape: s.keyHashes, indexes: []index{on("active")}},
		{shape: s.totals, indexes: []index{on("dim", "value", "date")}, large: true},
		{shape: s.cacheDays},
		{shape: s.objects, indexes: []index{
			on("expires_at"), on("kind", "created_at"),
			{columns: []string{"kind", "updated_at"}, where: `"pending"`, name: "Sallyport_Object_pending_idx"},
		}},
	}
	for _, entity := range dailyEntities() {
		indexes := []index{unique(dailyUnique(dailyTables()[entity][1])...), on("date", "id")}
		if entity == store.EntityUser {
			indexes = append(indexes, on("api_key", "date"))
		}
		if entity == store.EntityUser || entity == store.EntityTeam || entity == store.EntityEndUser {
			indexes = append(indexes, on("date", "spend")) // reports show the heaviest rows of a day
		}
		all = append(all, definition{shape: s.daily[entity], large: true, indexes: indexes})
	}
	return all
}

// logIndexes let every filter of the spend logs find a page without reading the rest. The rows that a filter does not
// name, such as those without an end user, are in no index of it. What is sorted by gets the request as its tie only where
// an index does not have one anyway: it is the longest part.
func logIndexes(ties bool, code string) (all []index, former []string) {
	all = []index{
		on("api_key", "startTime"), on("model", "startTime"),
		present("user", "startTime"), present("team_id", "startTime"), present("end_user", "startTime"),
		present("model_id", "startTime"), present("session_id", "startTime"),
	}
	failures := index{columns: []string{"startTime"}, where: `"status" = 'failure'`, name: "LiteLLM_SpendLogs_failures_idx"}
	codes := index{expr: code + `, "startTime"`, where: failures.where, name: "LiteLLM_SpendLogs_error_code_idx"}
	for _, column := range []string{"startTime", "spend", "total_tokens", "endTime"} {
		if ties {
			all = append(all, on(column, "request_id"))
			continue
		}
		former = append(former, "LiteLLM_SpendLogs_"+column+"_request_id_idx")
		if column == "spend" {
			continue
		}
		all = append(all, on(column))
	}
	if ties {
		failures.columns = append(failures.columns, "request_id")
		codes.expr += `, "request_id"`
		return append(all, failures, codes), nil
	}
	// What costs so much and more is counted in the index alone: a look at each row takes ten times as long.
	return append(all, on("spend", "startTime"), failures, codes), append(former, "LiteLLM_SpendLogs_spend_idx")
}

// maxName is the longest name that PostgreSQL keeps.
const maxName = 63

// indexName names an index as Prisma does: table, columns, and what it is.
func (d *definition) indexName(i index) string {
	if i.name != "" {
		return i.name
	}
	suffix := "_idx"
	switch {
	case i.unique:
		suffix = "_key"
	case i.where != "":
		suffix = "_set_idx"
	}
	name := d.name + "_" + strings.Join(i.columns, "_")
	return name[:min(len(name), maxName-len(suffix))] + suffix
}

// indexSQL is what follows CREATE [UNIQUE] INDEX name.
func (d *definition) indexSQL(dialect Dialect, i index) string {
	what := i.expr
	if what == "" {
		names := make([]string, len(i.columns))
		for n, column := range i.columns {
			names[n] = quote(column)
		}
		what = strings.Join(names, ", ")
	}
	text := " ON " + dialect.Table(d.name) + " (" + what + ")"
	if i.where != "" {
		text += " WHERE " + i.where
	}
	return text
}

// has says whether a database has an index that does what i does.
func (d *definition) has(there Description, i index) bool {
	if i.name != "" || i.where != "" {
		_, ok := there.Indexes[d.indexName(i)]
		return ok
	}
	for _, have := range there.Indexes {
		if have.Table == d.name && have.Unique == i.unique && slices.Equal(have.Columns, i.columns) {
			return true
		}
	}
	return false
}

// createSQL makes the table.
func (d *definition) createSQL(dialect Dialect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (", dialect.Table(d.name))
	for i := range d.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(columnSQL(dialect, &d.columns[i]))
	}
	if !d.columns[0].Serial {
		fmt.Fprintf(&b, `, CONSTRAINT "%s_pkey" PRIMARY KEY (%s)`, d.name, quoted(d.shape.keys))
	}
	for _, r := range d.refs {
		b.WriteString(", " + d.referenceSQL(dialect, r))
	}
	b.WriteString(")")
	return b.String()
}

func (d *definition) referenceSQL(dialect Dialect, r reference) string {
	action := "SET NULL"
	if r.restrict {
		action = "RESTRICT"
	}
	return fmt.Sprintf(`CONSTRAINT "%s_%s_fkey" FOREIGN KEY ("%[2]s") REFERENCES %[3]s ("%[4]s") ON DELETE %[5]s ON UPDATE CASCADE`,
		d.name, r.column, dialect.Table(r.table), r.target, action)
}

func columnSQL(dialect Dialect, c *Column) string {
	text := quote(c.Name) + " " + dialect.Type(*c)
	if c.Serial {
		return text
	}
	if !c.Null {
		text += " NOT NULL"
	}
	if value := dialect.Default(*c); value != "" && !c.Key {
		text += " DEFAULT " + value
	}
	return text
}
