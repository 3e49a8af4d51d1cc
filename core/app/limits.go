package app

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/masterkey"
	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/callback/spend"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/pipeline/budget"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/store"
)

// settings is the configuration in force.
func (a *App) settings() *config.Config { return a.current.Load().cfg }

// virtualKeys makes what knows the keys in the database; nil without one.
func (b *builder) virtualKeys(ctx context.Context) auth.Authenticator {
	g, lite := b.cfg.GeneralSettings, b.cfg.LiteLLMSettings
	db := b.db.Load()
	if db == nil && !b.wanted.Load() {
		b.keys.Store(nil)
		return nil
	}
	var s store.Store = absentStore{}
	var saving func() uint64
	if db != nil {
		s, saving = db.Store, db.loader.Saving
	}
	ttl := secondsOr(g.UserAPIKeyCacheTTL, time.Minute)
	ring := &keyring{
		absent: db == nil,
		keys: virtualkey.NewKeys(virtualkey.Settings{
			Store: s, Registry: &b.registry, TTL: ttl, Expand: b.expandModels, Saving: saving, Logger: b.log,
			AllowUnavailable: g.AllowRequestsOnDBUnavailable, AdminUser: masterkey.UserID, SoftBudget: lite.DefaultSoftBudget,
		}),
		customers: virtualkey.NewCustomers(virtualkey.CustomerSettings{
			Store: s, Registry: &b.registry, TTL: ttl, Default: lite.MaxEndUserBudget, DefaultID: lite.MaxEndUserBudgetID, Saving: saving,
		}),
		tags: virtualkey.NewTags(s, &b.registry, b.tagBudgets()),
	}
	if db != nil {
		if err := ring.customers.Learn(ctx); err == nil {
			err = ring.tags.Learn(ctx, false)
			if err != nil {
				b.log.Warn("budgets of tags could not be read", "error", err)
			}
		}
	}
	b.ring = ring
	return ring.keys
}

// absentStore is a database that cannot be reached.
type absentStore struct{ store.Store }

func (absentStore) Keys() store.Keys                             { return absentKeys{} }
func (absentStore) EndUsers() store.Table[store.EndUser, string] { return absentEndUsers{} }

type absentKeys struct{ store.Keys }

func (absentKeys) Lookup(context.Context, string, time.Time) (*store.KeyView, error) {
	return nil, store.ErrUnavailable
}

type absentEndUsers struct {
	store.Table[store.EndUser, string]
}

func (absentEndUsers) Get(context.Context, string) (*store.EndUser, error) {
	return nil, store.ErrUnavailable
}

// gate puts what decides over callers behind the authenticators.
func (b *builder) gate(ctx context.Context, next auth.Authenticator) auth.Authenticator {
	g, lite, r := b.cfg.GeneralSettings, b.cfg.LiteLLMSettings, b.cfg.RouterSettings
	p := virtualkey.Policy{
		AllowedRoutes: g.AllowedRoutes, PublicRoutes: g.PublicRoutes, AdminOnlyRoutes: g.AdminOnlyRoutes,
		EnforceUser: g.EnforceUserParam, EnforcedParams: g.EnforcedParams, ServiceParams: g.ServiceEnforcedParams(),
		RejectTags: g.RejectClientsideMetadataTags, UserHeader: g.CustomerHeader(), IgnoreCustomers: lite.DisableEndUserCostTracking,
		Alias: func(model string) string { return r.ModelGroupAlias[model].Model },
	}
	for _, e := range b.cfg.GeneralSettings.PassThroughEndpoints {
		paths := []string{e.Path, strings.TrimSuffix(e.Path, "/") + "/"}
		before := p.LLMRoute
		p.LLMRoute = func(path string) bool {
			return path == paths[0] || strings.HasPrefix(path, paths[1]) || before != nil && before(path)
		}
	}
	p.Proxy, p.ProxyFree = b.proxyScopes(ctx)
	p.Grants = b.grants()
	var customers *virtualkey.Customers
	var tags *virtualkey.Tags
	if b.ring != nil {
		customers, tags = b.ring.customers, b.ring.tags
	} else if fixed := b.tagBudgets(); len(fixed) > 0 {
		tags = virtualkey.NewTags(nil, &b.registry, fixed)
	}
	return virtualkey.NewGate(next, p, customers, tags)
}

// proxyScopes are the limits of the whole gateway, for callers and for the administrator; nil if it has none.
func (b *builder) proxyScopes(ctx context.Context) (all, admin *llm.Scope) {
	g, lite := b.cfg.GeneralSettings, b.cfg.LiteLLMSettings
	s := llm.Scope{Kind: llm.ScopeProxy, ID: spend.ProxyID}
	if n := g.GlobalMaxParallelRequests; n != nil {
		s.Parallel = int64(*n)
	}
	if m := lite.MaxBudget; m != nil && *m > 0 {
		s.Budget = llm.Budget{Limited: true, Max: *m, Duration: lite.BudgetDuration}
		if db := b.db.Load(); db != nil {
			b.proxyBudget(ctx, db, &s)
		}
	}
	if s.Idle() {
		return nil, nil
	}
	live, _ := b.registry.Get(s.Kind, s.ID)
	s.Live = live
	free := s
	free.Free = true
	return &s, &free
}

// proxyBudget keeps the row that has the spend of the whole gateway, as the reference does at its start
// (litellm/proxy/proxy_server.py, generate_key_helper_fn for litellm_proxy_budget_name).
func (b *builder) proxyBudget(ctx context.Context, db *database, s *llm.Scope) {
	_, err := db.Users().Get(ctx, spend.ProxyID)
	var row *store.User
	change := func(u *store.User) error {
		u.MaxBudget = &s.Budget.Max
		if string(u.BudgetDuration) == s.Budget.Duration && (u.BudgetResetAt != nil || s.Budget.Duration == "") {
			return nil
		}
		u.BudgetDuration, u.BudgetResetAt = store.Text(s.Budget.Duration), nil
		if s.Budget.Duration != "" {
			at, err := store.NextReset(s.Budget.Duration, time.Now(), time.UTC)
			if err != nil {
				return err
			}
			u.BudgetResetAt = &at
		}
		return nil
	}
	if err != nil {
		row = &store.User{UserID: spend.ProxyID}
		if err = change(row); err == nil {
			if err = db.Users().Create(ctx, row); err != nil {
				row, err = db.Users().Get(ctx, spend.ProxyID) // another replica was faster
			}
		}
	} else {
		row, err = db.Users().Update(ctx, spend.ProxyID, change)
	}
	if err != nil {
		b.mistake("litellm_settings.budget_duration", err)
		return
	}
	if row.BudgetResetAt != nil {
		s.Budget.ResetAt = *row.BudgetResetAt
	}
	if live, fresh := b.registry.Get(s.Kind, s.ID); fresh {
		live.Load(row.Spend)
	}
}

// periodScope makes a scope whose spend is in a counter.
func (b *builder) periodScope(kind llm.ScopeKind, id string, p config.PeriodBudget) *llm.Scope {
	limit := p.Limit()
	if limit == nil || *limit <= 0 {
		return nil
	}
	live, fresh := b.registry.Get(kind, id)
	s := &llm.Scope{
		Kind: kind, ID: id, Live: live, Counter: virtualkey.CounterName(kind, id),
		Budget: llm.Budget{Limited: true, Max: *limit, Duration: p.Period(), Period: virtualkey.Period(p.Period())},
	}
	if db := b.db.Load(); db != nil && fresh {
		if err := virtualkey.LoadCounters(context.Background(), db.Store, []*llm.Scope{s}, []bool{true}, false); err != nil {
			b.log.Warn("what was spent of a budget could not be read", "budget", s.Counter, "error", err)
		}
	}
	return s
}

// tagBudgets are those of tag_budget_config.
func (b *builder) tagBudgets() map[string]*llm.Scope {
	out := map[string]*llm.Scope{}
	for tag, p := range b.cfg.LiteLLMSettings.TagBudgetConfig {
		if s := b.periodScope(llm.ScopeTagDeployment, tag, p); s != nil {
			out[tag] = s
		}
	}
	return out
}

// deploymentScopes are whose money the calls of a deployment spend and, of several replicas, how many may be open: the
// router knows of its own calls only.
func (b *builder) deploymentScopes(d *llm.Deployment, m *config.Model) {
	p := m.LiteLLMParams
	if budget, ok := b.cfg.RouterSettings.ProviderBudgetConfig[d.Provider]; ok {
		if s := b.periodScope(llm.ScopeProvider, d.Provider, budget); s != nil {
			d.Scopes = append(d.Scopes, s)
		}
	}
	own := b.periodScope(llm.ScopeDeployment, d.ID, config.PeriodBudget{MaxBudget: p.MaxBudget, BudgetDuration: p.BudgetDuration})
	if open := b.parallel(p); open > 0 && b.shared != nil {
		if own == nil {
			live, _ := b.registry.Get(llm.ScopeDeployment, d.ID)
			own = &llm.Scope{Kind: llm.ScopeDeployment, ID: d.ID, Live: live}
		}
		own.Parallel = open
	}
	if own != nil {
		own.Alias = d.Group
		d.Scopes = append(d.Scopes, own)
	}
}

// budgetChecks leave out deployments whose budget is spent; nil if none has one.
func budgetChecks(list []*llm.Deployment) []router.Check {
	for _, d := range list {
		if slices.ContainsFunc(d.Scopes, func(s *llm.Scope) bool { return s.Budget.Limited }) {
			return []router.Check{budget.Deployments{}}
		}
	}
	return nil
}

// limits makes the hook that lets requests pass by limits and budgets, and the one that refuses what could not be
// recorded.
func (b *builder) limits(out *loaded) []pipeline.Hook {
	list := out.deployments
	quotes := b.quotes(list)
	v := b.cfg.Variables
	s := limit.Settings{
		Estimate: quotes.Estimate, Cost: quotes.Cost, NoWait: b.cfg.GeneralSettings.DisableRetryOnMaxParallel, Failing: b.failing,
		SoftBudget: b.softBudget,
		Crossed:    budget.Crossed,
		OverBudget: func(s *llm.Scope, why llm.Refusal, ask *llm.Ask) *llm.Error {
			if !s.Budget.ResetAt.IsZero() && time.Unix(0, ask.Now).After(s.Budget.ResetAt) {
				b.resetSoon()
			}
			return budget.Refuse(s, why, ask)
		},
	}
	if p := b.priorities(list); p != nil {
		s.Groups = p.scopes
		s.Elsewhere = b.fallsBack()
	}
	if n, err := strconv.Atoi(v.ParallelRetries); err == nil {
		s.Tries = n
	}
	if f, err := strconv.ParseFloat(v.ParallelRetryTimeout, 64); err == nil {
		s.Wait = time.Duration(f * float64(time.Second))
	}
	switch b.cfg.GeneralSettings.TokenRateLimitType {
	case "input":
		s.Tokens = limit.InputTokens
	case "output":
		s.Tokens = limit.OutputTokens
	}
	db := b.db.Load()
	s.Charge = db != nil
	if b.shared != nil {
		s.Shared, s.Ahead = b.shared, out.router.Ahead
	}
	hooks := []pipeline.Hook{{Name: "limits", Blind: true, Do: limit.New(s)}}
	if db != nil {
		hooks = append([]pipeline.Hook{{Name: "journal", Blind: true, Do: roomHook{db.journal}}}, hooks...)
	}
	return hooks
}

// roomHook refuses requests whose record would find no place.
type roomHook struct{ journal *spend.Journal }

// Before implements pipeline.Before.
func (h roomHook) Before(context.Context, *llm.Exchange) (*llm.Reply, error) {
	if !h.journal.Full() {
		return nil, nil
	}
	h.journal.Retry()
	if !h.journal.Full() {
		return nil, nil
	}
	return nil, &llm.Error{
		Op: "app.roomHook", Kind: llm.KindUnavailable, Status: 503, Type: "None", Param: "None", RetryAfter: 5 * time.Second,
		Message: "The gateway cannot record what calls cost: the disk of its spend journal is full.",
	}
}

// quotes knows what calls of each model may cost.
func (b *builder) quotes(list []*llm.Deployment) *budget.Quotes {
	groups := map[string]budget.Quote{}
	for _, d := range list {
		if d.Bound == nil {
			continue // a wildcard: its models are found when they are asked for
		}
		q := groups[d.Group]
		q.Prices = append(q.Prices, d.Price)
		q.MaxOutput = max(q.MaxOutput, longestAnswer(d))
		groups[d.Group] = q
	}
	for name, alias := range b.cfg.RouterSettings.ModelGroupAlias {
		if q, ok := groups[alias.Model]; ok && len(groups[name].Prices) == 0 {
			groups[name] = q
		}
	}
	return budget.NewQuotes(groups, b.wildQuote)
}

// wildQuote is the quote of a model that a wildcard stands for.
func (b *builder) wildQuote(model string) budget.Quote {
	vendor, name, ok := strings.Cut(model, "/")
	if !ok {
		vendor, name = "", model
	}
	d := &llm.Deployment{Provider: vendor, Model: name, Written: model}
	if err := b.setPrice(d); err != nil || d.Price == nil {
		return budget.Quote{Prices: []*llm.Price{nil}}
	}
	return budget.Quote{Prices: []*llm.Price{d.Price}, MaxOutput: longestAnswer(d)}
}

func longestAnswer(d *llm.Deployment) int64 {
	for _, name := range []string{"max_output_tokens", "max_tokens"} {
		switch n := d.Info[name].(type) {
		case int:
			return int64(n)
		case int64:
			return n
		case float64:
			return int64(n)
		}
	}
	return 0
}

// expandModels writes the models for the names of access groups (model_info.access_groups), and adds the groups whose
// deployments a pattern such as openai/* means.
func (b *builder) expandModels(list []string) []string {
	out := make([]string, 0, len(list))
	for _, name := range list {
		if models, ok := b.accessGroups[name]; ok {
			out = append(out, models...)
			continue
		}
		out = append(out, name)
		if strings.Contains(name, "*") && name != "*" {
			for full, group := range b.fullNames {
				if llm.Match(name, full) && !slices.Contains(out, group) {
					out = append(out, group)
				}
			}
		}
	}
	return out
}

// indexModels prepares expandModels.
func (b *builder) indexModels(list []*llm.Deployment) {
	b.accessGroups, b.fullNames = map[string][]string{}, map[string]string{}
	for _, d := range list {
		b.fullNames[d.Provider+"/"+d.Model] = d.Group
		groups, _ := d.Info["access_groups"].([]any)
		for _, g := range groups {
			if name, ok := g.(string); ok && !slices.Contains(b.accessGroups[name], d.Group) {
				b.accessGroups[name] = append(b.accessGroups[name], d.Group)
			}
		}
	}
	for name := range b.accessGroups {
		slices.Sort(b.accessGroups[name])
	}
}

// spendRecorder makes what journals calls; nil without a database.
func (b *builder) spendRecorder() *spend.Recorder {
	db := b.db.Load()
	if db == nil {
		return nil
	}
	g := b.cfg.GeneralSettings
	s := spend.RecorderSettings{
		Journal: db.journal, NoLogs: g.DisableSpendLogs, NoTotals: g.DisableSpendUpdates, NoErrors: g.DisableErrorLogs,
		Texts: g.StorePromptsInSpendLogs, Logger: b.log,
	}
	if g.DisableAddingMasterKeyHash && g.MasterKey != "" {
		s.HideKey = masterkey.Hash(g.MasterKey.Reveal())
	}
	return spend.NewRecorder(s)
}

// recorders hands exchanges to several.
type recorders []gateway.Recorder

// Record implements gateway.Recorder.
func (r recorders) Record(x *llm.Exchange, reply *llm.Reply, tried *llm.Deployment, err error) {
	for _, one := range r {
		one.Record(x, reply, tried, err)
	}
}

// joinRecorders makes one of those that there are; nil of none.
func joinRecorders(first gateway.Recorder, second *spend.Recorder) gateway.Recorder {
	switch {
	case second == nil:
		return first
	case first == nil:
		return second
	}
	return recorders{second, first}
}
