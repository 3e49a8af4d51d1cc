package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/store"
)

// Open opens a store on an empty database of the test's own. Opening twice in one test gives two views of one database,
// as two replicas have them.
type Open func(t testing.TB, vault *store.Vault) store.Store

// Run checks that a store keeps the contract. fresh begins a new database.
func Run(t *testing.T, fresh func(t testing.TB) Open) {
	for name, check := range map[string]func(t *testing.T, open Open){
		"rows": testRows, "conditions": testConditions, "update": testUpdate, "put": testPut, "conflicts": testConflicts,
		"references": testReferences, "lookup": testLookup, "rotate": testRotate, "rotated spend": testRotatedSpend,
		"rotated hash": testRotatedHash, "rotated meanwhile": testRotatedMeanwhile, "archive": testArchive,
		"archive team": testArchiveTeam, "transaction": testTransaction, "secrets": testSecrets,
		"foreign text": testForeignText, "parallel updates": testParallelUpdates, "pages of keys": testPages,
		"changes": testChanges, "follow": testFollow, "prune": testPrune, "lease": testLease,
		"record": testRecord, "exactly once": testExactlyOnce, "parallel batches": testParallelBatches, "counters": testCounters,
		"poison": testPoison, "no log": testNoLog, "reset": testReset, "reset races": testResetRace, "reset all": testResetAll,
		"retention": testRetention, "logs": testLogs, "pages of logs": testLogPages, "activity": testActivity, "daily": testDaily,
		"heaviest": testHeaviest, "listen": testListen, "cache hits": testCacheHits, "exceptions": testExceptions, "refresh": testRefresh, "cancelled": testCancelled, "objects": testObjects, "mixed": testMixed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, fresh(t))
		})
	}
}

// now is a moment of which every database keeps all.
func now() time.Time { return time.Date(2026, 2, 16, 12, 30, 15, 123e6, time.UTC) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](t testing.TB) func(value T, err error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func fails(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// token is a hash, as keys have them.
func token(n int) string { return fmt.Sprintf("%064x", n+1) }

// fullKey has a value in every column.
func fullKey(n int) *store.Key {
	at := now()
	return &store.Key{
		Token: token(n), KeyName: "sk-...abcd", KeyAlias: store.Text(fmt.Sprintf("alias-%d", n)), SoftBudgetCooldown: true, Spend: 1.25,
		Expires: &at, Models: store.List{"gpt-4o", "claude"}, Aliases: store.JSON(`{"a": "b"}`), Config: store.JSON(`{}`),
		RouterSettings: store.JSON(`{"x": 1}`), UserID: "u1", TeamID: "t1", Permissions: store.JSON(`{"p": true}`),
		MaxParallelRequests: store.Ptr(int64(7)), Metadata: store.JSON(`{"team": "core"}`), Blocked: store.Ptr(false),
		TPMLimit: store.Ptr(int64(1) << 40), RPMLimit: store.Ptr(int64(0)), MaxBudget: store.Ptr(10.5), BudgetDuration: "30d",
		BudgetResetAt: &at, AllowedCacheControls: store.List{"no-store"}, AllowedRoutes: store.List{"/v1/models"},
		Policies: store.List{"p"}, AccessGroupIDs: store.List{"g"}, ModelSpend: store.JSON(`{}`),
		ModelMaxBudget: store.JSON(`{"gpt-4o": {"budget_limit": 0.5}}`), CreatedAt: &at, CreatedBy: "admin", UpdatedAt: &at, UpdatedBy: "admin",
		RotationCount: store.Ptr(int64(2)), AutoRotate: store.Ptr(true), RotationInterval: "30d", LastRotationAt: &at, KeyRotationAt: &at,
	}
}

// compact makes JSON columns comparable: databases write them in their own way.
func compact(k store.Key) store.Key {
	for _, raw := range []*store.JSON{&k.Aliases, &k.Config, &k.RouterSettings, &k.Permissions, &k.Metadata, &k.ModelSpend, &k.ModelMaxBudget} {
		*raw = canonical(*raw)
	}
	return k
}

func canonical(raw store.JSON) store.JSON {
	if raw == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return raw
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return raw
	}
	return encoded
}

func testRows(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	full := fullKey(1)
	must(t, s.Keys().Create(ctx, full))
	same(t, "full key", compact(*got[*store.Key](t)(s.Keys().Get(ctx, full.Token))), compact(*fullKey(1)))

	least := &store.Key{Token: token(2)}
	must(t, s.Keys().Create(ctx, least))
	read := got[*store.Key](t)(s.Keys().Get(ctx, least.Token))
	if read.CreatedAt == nil || read.UpdatedAt == nil || read.MaxBudget != nil || read.Expires != nil || read.Blocked != nil {
		t.Errorf("least key: %+v", read)
	}
	same(t, "defaults", []string{string(read.Metadata), string(read.Aliases), string(read.RouterSettings)}, []string{"{}", "{}", ""})
	encoded := got[[]byte](t)(json.Marshal(read))
	for _, member := range []string{`"models":[]`, `"key_alias":null`, `"metadata":{}`, `"spend":0`, `"router_settings":null`} {
		if !strings.Contains(string(encoded), member) {
			t.Errorf("%s has no %s", encoded, member)
		}
	}

	_, err := s.Keys().Get(ctx, token(3))
	fails(t, "missing key", err, store.ErrNotFound)
	if n := got[int64](t)(s.Keys().Count(ctx)); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
	if n := got[int64](t)(s.Keys().Delete(ctx, token(1), token(3))); n != 1 {
		t.Errorf("%d deleted, want 1", n)
	}

	model := &store.TeamModel{ModelAliases: store.JSON(`{"a":"b"}`), CreatedBy: "x", UpdatedBy: "x"}
	must(t, s.TeamModels().Create(ctx, model))
	again := &store.TeamModel{}
	must(t, s.TeamModels().Create(ctx, again))
	if model.ID == 0 || again.ID == model.ID {
		t.Errorf("ids %d and %d", model.ID, again.ID)
	}
	budget := &store.Budget{MaxBudget: store.Ptr(1.0)}
	must(t, s.Budgets().Create(ctx, budget))
	if len(budget.BudgetID) != 36 || budget.CreatedAt.IsZero() {
		t.Errorf("budget %+v", budget)
	}
	member := store.Membership{UserID: "u", Group: "t"}
	must(t, s.TeamMemberships().Create(ctx, &store.TeamMembership{UserID: "u", TeamID: "t", BudgetID: store.Text(budget.BudgetID)}))
	same(t, "membership", got[*store.TeamMembership](t)(s.TeamMemberships().Get(ctx, member)).BudgetID, store.Text(budget.BudgetID))
	same(t, "memberships deleted", got[int64](t)(s.TeamMemberships().Delete(ctx, member)), int64(1))
}

func testConditions(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	at := now()
	for i, k := range []store.Key{
		{KeyAlias: "Alpha", TeamID: "t1", UserID: "u1", Spend: 1, Models: store.List{"m1", "m2"}, Expires: store.Ptr(at.Add(time.Hour))},
		{KeyAlias: "beta", TeamID: "t1", Spend: 2, Models: store.List{"m2"}},
		{KeyAlias: "gamma", UserID: "u1", Spend: 3, Expires: store.Ptr(at.Add(-time.Hour))},
		{Spend: 4, Blocked: store.Ptr(true)},
	} {
		k.Token = token(i)
		must(t, s.Keys().Create(ctx, &k))
	}
	check := func(want string, where ...store.Cond) {
		t.Helper()
		rows := got[[]store.Key](t)(s.Keys().Find(ctx, store.Query{Where: where, Sort: "spend"}))
		var found strings.Builder
		for _, row := range rows {
			fmt.Fprintf(&found, "%g", row.Spend)
		}
		if found.String() != want {
			t.Errorf("%v: found %s, want %s", where, &found, want)
		}
		if n := got[int64](t)(s.Keys().Count(ctx, where...)); n != int64(len(want)) {
			t.Errorf("%v: counted %d, want %d", where, n, len(want))
		}
	}
	check("1234")
	check("12", store.Eq("team_id", "t1"))
	check("34", store.Eq("team_id", ""))
	check("34", store.Where("team_id", store.NotEqual, "t1"))
	check("12", store.Where("team_id", store.NotNull))
	check("34", store.Where("team_id", store.IsNull))
	check("2", store.Eq("team_id", "t1"), store.Eq("user_id", ""))
	check("13", store.OneOf("key_alias", []string{"Alpha", "gamma", "delta"}))
	check("", store.OneOf("key_alias", []string{}))
	check("24", store.Where("key_alias", store.NotIn, "Alpha", "gamma"))
	check("12", store.Where("models", store.Has, "m2"))
	check("1", store.Where("models", store.Has, "m1"))
	check("1", store.Where("key_alias", store.Contains, "LPH"))
	check("", store.Where("key_alias", store.Contains, "%"))
	check("1", store.Where("key_alias", store.EqualFold, "ALPHA"))
	check("34", store.Where("spend", store.Greater, 2))
	check("234", store.Where("spend", store.GreaterEqual, 2.0))
	check("3", store.Where("expires", store.Less, at))
	check("1", store.Where("expires", store.Greater, at))
	check("4", store.Eq("blocked", true))
	check("124", store.Or([]store.Cond{store.Eq("team_id", "t1")}, []store.Cond{store.Eq("user_id", ""), store.Eq("blocked", true)}))
	check("", store.Or())

	_, err := s.Keys().Find(ctx, store.Query{Where: []store.Cond{store.Eq("nonsense", 1)}})
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("unknown column: %v", err)
	}
	_, err = s.Keys().Find(ctx, store.Query{Sort: `spend"; DROP TABLE x; --`})
	if err == nil {
		t.Error("a sort by SQL was taken")
	}
	_, err = s.Keys().Count(ctx, store.Eq("spend", "much"))
	if err == nil || !strings.Contains(err.Error(), "spend") {
		t.Errorf("text for a number: %v", err)
	}
}

func testUpdate(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.Keys().Create(ctx, fullKey(1)))
	updated := got[*store.Key](t)(s.Keys().Update(ctx, token(1), func(k *store.Key) error {
		k.KeyAlias, k.MaxBudget, k.Models, k.Metadata = "", nil, nil, store.JSON(`{"n": null}`)
		return nil
	}))
	want := fullKey(1)
	want.KeyAlias, want.MaxBudget, want.Models, want.Metadata = "", nil, store.List{}, store.JSON(`{"n":null}`)
	want.UpdatedAt = updated.UpdatedAt
	if updated.UpdatedAt.Equal(now()) {
		t.Error("updated_at did not move")
	}
	same(t, "updated", compact(*got[*store.Key](t)(s.Keys().Get(ctx, token(1)))), compact(*want))

	refused := errors.New("refused")
	_, err := s.Keys().Update(ctx, token(1), func(k *store.Key) error { k.Spend = 99; return refused })
	fails(t, "refused change", err, refused)
	_, err = s.Keys().Update(ctx, token(9), func(*store.Key) error { return nil })
	fails(t, "missing", err, store.ErrNotFound)
	if spend := got[*store.Key](t)(s.Keys().Get(ctx, token(1))).Spend; spend != 1.25 {
		t.Errorf("spend %g, want 1.25", spend)
	}
	_, err = s.Keys().Update(ctx, token(1), func(k *store.Key) error { k.MaxParallelRequests = store.Ptr(int64(1) << 40); return nil })
	if err == nil || !strings.Contains(err.Error(), "max_parallel_requests") {
		t.Errorf("number out of range: %v", err)
	}
}

func testPut(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.EndUsers().Put(ctx, &store.EndUser{UserID: "c", Alias: "one"}))
	got[store.SpendResult](t)(s.Spend().Record(ctx, store.SpendBatch{Source: "j", Entries: []store.SpendEntry{{Seq: 1, Log: store.SpendLog{EndUser: "c", Spend: 2}}}}))
	must(t, s.EndUsers().Put(ctx, &store.EndUser{UserID: "c", Alias: "two", Blocked: true}))
	same(t, "end user", got[*store.EndUser](t)(s.EndUsers().Get(ctx, "c")), &store.EndUser{UserID: "c", Alias: "two", Blocked: true, Spend: 2})
	must(t, s.Config().Put(ctx, &store.ConfigValue{ParamName: "general_settings", ParamValue: store.JSON(`{"a": 1}`)}))
	must(t, s.Config().Put(ctx, &store.ConfigValue{ParamName: "general_settings", ParamValue: store.JSON(`{"a": 2}`)}))
	same(t, "config", canonical(got[*store.ConfigValue](t)(s.Config().Get(ctx, "general_settings")).ParamValue), store.JSON(`{"a":2}`))
}

func testConflicts(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	check := func(what, field string, create func() error) {
		t.Helper()
		must(t, create())
		err := create()
		fails(t, what, err, store.ErrConflict)
		var conflict *store.ConflictError
		if !errors.As(err, &conflict) || conflict.Field != field || conflict.Table == "" {
			t.Errorf("%s: %#v, want field %s", what, err, field)
		}
	}
	check("key", "token", func() error { return s.Keys().Create(ctx, &store.Key{Token: token(1)}) })
	check("sso user", "sso_user_id", func() error { return s.Users().Create(ctx, &store.User{SSOUserID: "sso"}) })
	check("credential", "credential_name", func() error { return s.Credentials().Create(ctx, &store.Credential{CredentialName: "c"}) })
	check("member", "user_id, team_id", func() error {
		return s.TeamMemberships().Create(ctx, &store.TeamMembership{UserID: "u", TeamID: "t"})
	})
	must(t, s.Users().Create(ctx, &store.User{}))
	must(t, s.Users().Create(ctx, &store.User{})) // no SSO id is no value, so it is not twice the same
}

func testReferences(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	fails(t, "unknown budget", s.Keys().Create(ctx, &store.Key{Token: token(1), BudgetID: "none"}), store.ErrReference)
	must(t, s.Budgets().Create(ctx, &store.Budget{BudgetID: "b"}))
	must(t, s.Organizations().Create(ctx, &store.Organization{OrganizationID: "o", OrganizationAlias: "O", BudgetID: "b"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(1), BudgetID: "b", OrganizationID: "o"}))
	_, err := s.Budgets().Delete(ctx, "b")
	fails(t, "budget of an organization", err, store.ErrReference)
	got[int64](t)(s.Organizations().Delete(ctx, "o"))
	got[int64](t)(s.Budgets().Delete(ctx, "b"))
	key := got[*store.Key](t)(s.Keys().Get(ctx, token(1)))
	if key.BudgetID != "" || key.OrganizationID != "" {
		t.Errorf("key still names %q and %q", key.BudgetID, key.OrganizationID)
	}
}

func testTransaction(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	stop := errors.New("stop")
	err := s.Tx(ctx, func(tx store.Store) error {
		must(t, tx.Keys().Create(ctx, &store.Key{Token: token(1)}))
		must(t, tx.Tx(ctx, func(tx store.Store) error { return tx.Users().Create(ctx, &store.User{UserID: "u"}) }))
		same(t, "seen inside", got[int64](t)(tx.Keys().Count(ctx)), int64(1))
		return stop
	})
	fails(t, "transaction", err, stop)
	same(t, "keys after", got[int64](t)(s.Keys().Count(ctx)), int64(0))
	same(t, "users after", got[int64](t)(s.Users().Count(ctx)), int64(0))
	must(t, s.Tx(ctx, func(tx store.Store) error {
		return errors.Join(tx.Keys().Create(ctx, &store.Key{Token: token(1)}), tx.AuditLogs().Create(ctx, &store.AuditLog{Action: "created"}))
	}))
	same(t, "keys at last", got[int64](t)(s.Keys().Count(ctx)), int64(1))
}

func testSecrets(t *testing.T, open Open) {
	ctx := t.Context()
	s := open(t, store.NewVault("salt"))
	plain := store.JSON(`{"api_key":"sk-secret","rpm":5,"model":"openai/gpt-4o"}`)
	must(t, s.Models().Create(ctx, &store.Model{ModelID: "m", ModelName: "gpt", LitellmParams: plain}))
	must(t, s.Credentials().Create(ctx, &store.Credential{CredentialName: "c", CredentialValues: store.JSON(`{"api_key":"sk-secret"}`)}))
	must(t, s.Config().Put(ctx, &store.ConfigValue{ParamName: "environment_variables", ParamValue: store.JSON(`{"KEY":"sk-secret"}`)}))
	must(t, s.Config().Put(ctx, &store.ConfigValue{ParamName: "general_settings", ParamValue: store.JSON(`{"x":"plain"}`)}))
	same(t, "model", canonical(got[*store.Model](t)(s.Models().Get(ctx, "m")).LitellmParams), canonical(plain))
	got[*store.Model](t)(s.Models().Update(ctx, "m", func(m *store.Model) error { m.LitellmParams = store.JSON(`{"api_key":"sk-two"}`); return nil }))
	same(t, "model", canonical(got[*store.Model](t)(s.Models().Get(ctx, "m")).LitellmParams), store.JSON(`{"api_key":"sk-two"}`))
	same(t, "credential", canonical(got[*store.Credential](t)(s.Credentials().Get(ctx, "c")).CredentialValues), store.JSON(`{"api_key":"sk-secret"}`))

	for _, vault := range []*store.Vault{nil, store.NewVault("other")} {
		other := open(t, vault)
		_, err := other.Models().Find(ctx, store.Query{})
		fails(t, "model with another salt", err, store.ErrSecret)
		_, err = other.Credentials().Get(ctx, "c")
		fails(t, "credential with another salt", err, store.ErrSecret)
		if _, err = other.Config().Get(ctx, "environment_variables"); err == nil || !strings.Contains(err.Error(), "KEY") ||
			!strings.Contains(err.Error(), "LITELLM_SALT_KEY") || strings.Contains(err.Error(), "sk-") {
			t.Errorf("variables with another salt: %v", err)
		}
		got[*store.ConfigValue](t)(other.Config().Get(ctx, "general_settings"))
	}
}

func testForeignText(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.Users().Create(ctx, &store.User{
		UserID: "a\x00b\xff", UserAlias: `'; DROP TABLE "LiteLLM_UserTable"; --`,
		Metadata: store.JSON(`{"a\u0000":"x\u0000y","b":"\ud800","c":[1e2,"\\u0000"],"d":"😀"}`), Models: store.List{"x\x00"},
	}))
	user := got[*store.User](t)(s.Users().Get(ctx, "ab\uFFFD"))
	same(t, "alias", string(user.UserAlias), `'; DROP TABLE "LiteLLM_UserTable"; --`)
	same(t, "metadata", string(canonical(user.Metadata)), `{"a":"xy","b":"`+"\uFFFD"+`","c":[100,"\\u0000"],"d":"😀"}`)
	must(t, s.Users().Create(ctx, &store.User{UserID: "no json", Metadata: store.JSON(`{"half`)}))
	same(t, "no JSON", string(canonical(got[*store.User](t)(s.Users().Get(ctx, "no json")).Metadata)), `"{\"half"`)
}

func testParallelUpdates(t *testing.T, open Open) {
	a, b, ctx := open(t, nil), open(t, nil), t.Context()
	must(t, a.Teams().Create(ctx, &store.Team{TeamID: "t"}))
	const each = 20
	errs := make(chan error, 4)
	for i := range 4 {
		s := []store.Store{a, b}[i%2]
		go func() {
			var err error
			for n := 0; n < each && err == nil; n++ {
				_, err = s.Teams().Update(ctx, "t", func(team *store.Team) error {
					team.Models = append(team.Models, fmt.Sprintf("%d-%d", i, n))
					return nil
				})
			}
			errs <- err
		}()
	}
	for range 4 {
		must(t, <-errs)
	}
	models := got[*store.Team](t)(a.Teams().Get(ctx, "t")).Models
	slices.Sort(models)
	if len(slices.Compact(models)) != 4*each {
		t.Errorf("%d of %d updates left a trace", len(models), 4*each)
	}
}

func testPages(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for i := range 25 {
		must(t, s.Keys().Create(ctx, &store.Key{Token: token(i), Spend: float64(i % 3)}))
	}
	seen := map[string]bool{}
	var last float64 = 3
	for page := range 3 {
		rows := got[[]store.Key](t)(s.Keys().Find(ctx, store.Query{Sort: "spend", Desc: true, Limit: 10, Offset: page * 10}))
		for _, row := range rows {
			if row.Spend > last || seen[row.Token] {
				t.Errorf("page %d: %s with %g after %g", page, row.Token, row.Spend, last)
			}
			seen[row.Token], last = true, row.Spend
		}
	}
	same(t, "rows", len(seen), 25)
	same(t, "rest", len(got[[]store.Key](t)(s.Keys().Find(ctx, store.Query{Offset: 20}))), 5)
}

func testCancelled(t *testing.T, open Open) {
	s := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Keys().Get(ctx, token(1)); err == nil {
		t.Error("a read after the context ended")
	}
	fails(t, "write", s.Keys().Create(ctx, &store.Key{Token: token(1)}), context.Canceled)
	same(t, "keys", got[int64](t)(s.Keys().Count(t.Context())), int64(0))
}
