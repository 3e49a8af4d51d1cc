package storetest

import (
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func testLookup(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for _, id := range []string{"kb", "mb", "ob", "omb"} {
		must(t, s.Budgets().Create(ctx, &store.Budget{BudgetID: id, MaxBudget: store.Ptr(1.0)}))
	}
	model := &store.TeamModel{ModelAliases: store.JSON(`{"fast":"gpt-4o"}`)}
	must(t, s.TeamModels().Create(ctx, model))
	must(t, s.ObjectPermissions().Create(ctx, &store.ObjectPermission{ObjectPermissionID: "op", MCPServers: store.List{"m"}}))
	must(t, s.Organizations().Create(ctx, &store.Organization{OrganizationID: "o", OrganizationAlias: "O", BudgetID: "ob"}))
	must(t, s.Users().Create(ctx, &store.User{UserID: "u", UserRole: "internal_user"}))
	must(t, s.Teams().Create(ctx, &store.Team{TeamID: "t", TeamAlias: "T", OrganizationID: "o", ModelID: &model.ID, ObjectPermissionID: "op"}))
	must(t, s.TeamMemberships().Create(ctx, &store.TeamMembership{UserID: "u", TeamID: "t", BudgetID: "mb"}))
	must(t, s.OrganizationMemberships().Create(ctx, &store.OrganizationMembership{UserID: "u", OrganizationID: "o", BudgetID: "omb"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(1), UserID: "u", TeamID: "t", BudgetID: "kb", ObjectPermissionID: "op"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(2)}))

	v := got[*store.KeyView](t)(s.Keys().Lookup(ctx, token(1), now()))
	if v.Budget == nil || v.User == nil || v.Team == nil || v.TeamModel == nil || v.Member == nil || v.MemberBudget == nil ||
		v.Organization == nil || v.OrganizationBudget == nil || v.OrgMember == nil || v.OrgMemberBudget == nil ||
		v.ObjectPermission == nil || v.TeamPermission == nil {
		t.Fatalf("something is missing: %+v", v)
	}
	same(t, "view", []string{
		v.Token, v.Budget.BudgetID, string(v.User.UserRole), string(v.Team.TeamAlias), string(canonical(v.TeamModel.ModelAliases)), v.MemberBudget.BudgetID,
		v.Organization.OrganizationAlias, v.OrganizationBudget.BudgetID, v.OrgMemberBudget.BudgetID, v.ObjectPermission.MCPServers[0],
	}, []string{token(1), "kb", "internal_user", "T", `{"fast":"gpt-4o"}`, "mb", "O", "ob", "omb", "m"})
	v = got[*store.KeyView](t)(s.Keys().Lookup(ctx, token(2), now()))
	if v.Budget != nil || v.User != nil || v.Team != nil || v.Member != nil || v.Organization != nil || v.Deprecated != nil {
		t.Errorf("a key without anything: %+v", v)
	}
	_, err := s.Keys().Lookup(ctx, token(3), now())
	fails(t, "unknown key", err, store.ErrNotFound)
}

func testRotate(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.Keys().Create(ctx, fullKey(1)))
	until := now().Add(time.Hour)
	rotated := got[*store.Key](t)(s.Keys().Rotate(ctx, token(1), token(2), until, func(k *store.Key) error { k.KeyName = "sk-...new"; return nil }))
	same(t, "rotated", []any{rotated.Token, rotated.KeyName, rotated.Spend}, []any{token(2), store.Text("sk-...new"), 1.25})
	_, err := s.Keys().Get(ctx, token(1))
	fails(t, "the old row", err, store.ErrNotFound)
	v := got[*store.KeyView](t)(s.Keys().Lookup(ctx, token(1), now()))
	if v.Token != token(2) || v.Deprecated == nil || !v.Deprecated.Equal(until) {
		t.Errorf("in the grace period: %s until %v", v.Token, v.Deprecated)
	}
	_, err = s.Keys().Lookup(ctx, token(1), until)
	fails(t, "after the grace period", err, store.ErrNotFound)

	got[*store.Key](t)(s.Keys().Rotate(ctx, token(2), token(3), time.Time{}, nil))
	if v := got[*store.KeyView](t)(s.Keys().Lookup(ctx, token(1), now())); v.Token != token(3) {
		t.Errorf("the oldest hash leads to %s", v.Token)
	}
	_, err = s.Keys().Lookup(ctx, token(2), now())
	fails(t, "a hash without grace", err, store.ErrNotFound)
	_, err = s.Keys().Rotate(ctx, token(9), token(8), time.Time{}, nil)
	fails(t, "unknown key", err, store.ErrNotFound)
}

func testArchive(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.Keys().Create(ctx, fullKey(1)))
	must(t, s.Keys().Create(ctx, fullKey(2)))
	got[*store.Key](t)(s.Keys().Rotate(ctx, token(2), token(3), now().Add(time.Hour), nil))
	by := store.Deletion{DeletedAt: now(), DeletedBy: "admin", DeletedByAPIKey: "hash", LitellmChangedBy: "me"}
	gone := got[[]store.Key](t)(s.Keys().Archive(ctx, []string{token(1), token(3), token(9)}, by))
	same(t, "archived", len(gone), 2)
	if n := got[int64](t)(s.Keys().Count(ctx)); n != 0 {
		t.Errorf("%d keys left", n)
	}
	rows := got[[]store.DeletedKey](t)(s.DeletedKeys().Find(ctx, store.Query{Where: []store.Cond{store.Eq("token", token(1))}}))
	if len(rows) != 1 {
		t.Fatalf("%d copies", len(rows))
	}
	same(t, "copy", compact(rows[0].Key), compact(*fullKey(1)))
	same(t, "deletion", rows[0].Deletion, by)
	_, err := s.Keys().Lookup(ctx, token(2), now())
	fails(t, "the old hash of a deleted key", err, store.ErrNotFound)
}

func testArchiveTeam(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.Teams().Create(ctx, &store.Team{TeamID: "t", Spend: 3, MembersWithRoles: store.JSON(`[]`)}))
	must(t, s.Teams().Create(ctx, &store.Team{TeamID: "stays"}))
	must(t, s.Users().Create(ctx, &store.User{UserID: "u", Teams: store.List{"t", "stays"}}))
	must(t, s.TeamMemberships().Create(ctx, &store.TeamMembership{UserID: "u", TeamID: "t"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(1), TeamID: "t"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(2), TeamID: "stays"}))
	teams, keys, err := s.Teams().Archive(ctx, []string{"t", "none"}, store.Deletion{DeletedBy: "admin"})
	must(t, err)
	same(t, "teams", len(teams), 1)
	same(t, "keys", keys, []string{token(1)})
	same(t, "teams of the user", got[*store.User](t)(s.Users().Get(ctx, "u")).Teams, store.List{"stays"})
	same(t, "memberships", got[int64](t)(s.TeamMemberships().Count(ctx)), int64(0))
	same(t, "keys left", got[int64](t)(s.Keys().Count(ctx)), int64(1))
	copies := got[[]store.DeletedTeam](t)(s.DeletedTeams().Find(ctx, store.Query{}))
	if len(copies) != 1 || copies[0].Spend != 3 || copies[0].DeletedBy != "admin" || copies[0].TeamID != "t" {
		t.Errorf("copies %+v", copies)
	}
}
