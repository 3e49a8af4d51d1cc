package virtualkey

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// CustomerSettings configure Customers. Store and Registry are required.
type CustomerSettings struct {
	Store     store.Store
	Registry  *llm.Registry
	TTL       time.Duration // how long a customer is trusted that was read; default 60 s
	Default   *float64      // budget of a customer without one of its own, in US dollars (max_end_user_budget)
	DefaultID string        // id of the Budget row for customers without one (max_end_user_budget_id)
	Saving    func() uint64 // see Settings.Saving
}

// Customers knows the customers whom callers name, with their limits and budgets. While no customer has any, none is
// looked up. It is safe for concurrent use.
type Customers struct {
	s       CustomerSettings
	limited atomic.Bool // a customer has a budget or a region or is blocked, or there is a default
	group   flight[string, *customer]
	room    chan struct{}

	mu    sync.RWMutex
	known map[string]*customer
}

type customer struct {
	id       string
	blocked  bool
	model    string // asked for when the request names none
	region   string // where models must run; empty is anywhere
	scopes   []*llm.Scope
	perModel []*llm.Scope
	loaded   int64
	budget   string // id of its Budget row
	bare     bool   // nothing was looked up: only the name is kept
}

const maxCustomers = 100_000

// NewCustomers makes Customers. Learn is to be called before customers with limits are known.
func NewCustomers(s CustomerSettings) *Customers {
	if s.TTL <= 0 {
		s.TTL = defaultTTL
	}
	c := &Customers{s: s, room: make(chan struct{}, defaultLookups), known: map[string]*customer{}}
	c.limited.Store(s.Default != nil || s.DefaultID != "")
	return c
}

// Learn finds out whether there are customers with limits.
func (c *Customers) Learn(ctx context.Context) error {
	if c.s.Default != nil || c.s.DefaultID != "" {
		return nil
	}
	n, err := c.s.Store.EndUsers().Count(ctx, store.Or(
		[]store.Cond{store.Where("budget_id", store.NotNull)}, []store.Cond{store.Eq("blocked", true)},
		[]store.Cond{store.Where("allowed_model_region", store.NotNull)}))
	if err == nil {
		c.limited.Store(n > 0)
	}
	return err
}

// collect sets the customer of an exchange and adds its scopes.
func (c *Customers) collect(ctx context.Context, x *llm.Exchange, id []byte) error {
	if len(id) > maxCustomerID {
		return &llm.Error{
			Op: "virtualkey.Customers", Kind: llm.KindInvalid, Status: 400, Type: "invalid_request_error", Param: "user",
			Message: "The name of the end user is longer than 1024 bytes.",
		}
	}
	limited := c.limited.Load()
	now := x.Start.UnixNano()
	c.mu.RLock()
	e := c.known[string(id)]
	c.mu.RUnlock()
	if e == nil || limited && (e.bare || now-e.loaded >= int64(c.s.TTL)) {
		old := e
		var err error
		if e, err = c.read(ctx, string(id), limited); err != nil {
			if old == nil || old.bare {
				e = &customer{id: string(id)} // whoever cannot be looked up is not limited; the key still is
			} else {
				e = old
			}
		}
	}
	x.EndUser, x.Region = e.id, e.region
	if e.blocked {
		return denied("User blocked from making LLM API Calls. User=" + e.id)
	}
	if e.model != "" && x.Model == "" {
		x.Model = e.model
	}
	x.Scopes = append(x.Scopes, e.scopes...)
	for _, s := range e.perModel {
		if s.Model == x.Model {
			x.Scopes = append(x.Scopes, s)
		}
	}
	return nil
}

const maxCustomerID = 1024

func (c *Customers) read(ctx context.Context, id string, limited bool) (*customer, error) {
	if !limited {
		e := &customer{id: id, bare: true}
		c.keep(e)
		return e, nil
	}
	return c.group.do(ctx, id, func(ctx context.Context) (*customer, error) {
		ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
		select {
		case c.room <- struct{}{}:
			defer func() { <-c.room }()
		case <-ctx.Done():
			return nil, store.ErrUnavailable
		}
		e, err := c.lookup(ctx, id)
		if err == nil {
			c.keep(e)
		}
		return e, err
	})
}

func (c *Customers) keep(e *customer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCustomers {
		for k := range c.known {
			delete(c.known, k)
			break
		}
	}
	c.known[e.id] = e
}

func (c *Customers) lookup(ctx context.Context, id string) (*customer, error) {
	var saving uint64
	if c.s.Saving != nil {
		saving = c.s.Saving()
	}
	e := &customer{id: id, loaded: time.Now().UnixNano()}
	row, err := c.s.Store.EndUsers().Get(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if row == nil {
		row = &store.EndUser{UserID: id}
	}
	e.blocked, e.model, e.budget = row.Blocked, string(row.DefaultModel), string(row.BudgetID)
	e.region = string(row.AllowedModelRegion)
	if e.budget == "" {
		e.budget = c.s.DefaultID
	}
	limits := caps{}
	var models []byte
	if e.budget != "" {
		b, err := c.s.Store.Budgets().Get(ctx, e.budget)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if b != nil {
			limits, models = merge(own{}, b), b.ModelMaxBudget
		}
	}
	if !limits.budget.Limited && c.s.Default != nil {
		limits.budget.Limited, limits.budget.Max = true, *c.s.Default
	}
	steady := c.s.Saving == nil || saving&1 == 0 && saving == c.s.Saving()
	return e, c.scopes(ctx, e, row, limits, models, steady)
}

func (c *Customers) scopes(ctx context.Context, e *customer, row *store.EndUser, limits caps, models []byte, steady bool) error {
	s := &llm.Scope{Kind: llm.ScopeEndUser, ID: e.id, Alias: string(row.Alias), Limits: limits.limits, Budget: limits.budget}
	if !s.Idle() {
		live, fresh := c.s.Registry.Get(llm.ScopeEndUser, e.id)
		if fresh || steady {
			live.Load(row.Spend)
		}
		s.Live = live
		e.scopes = append(e.scopes, s)
	}
	var fresh []bool
	for model, m := range modelBudgets(models) {
		live, isNew := c.s.Registry.Get(llm.ScopeModelPerUser, e.id+":"+model)
		e.perModel = append(e.perModel, &llm.Scope{
			Kind: llm.ScopeModelPerUser, ID: e.id + ":" + model, Model: model, Limits: m.limits, Budget: m.budget, Live: live,
			Counter: CounterName(llm.ScopeModelPerUser, e.id+":"+model),
		})
		fresh = append(fresh, isNew)
	}
	return LoadCounters(ctx, c.s.Store, e.perModel, fresh, steady)
}

// Changed drops what is remembered of rows that changed.
func (c *Customers) Changed(ctx context.Context, changes []store.Change) error {
	learn := false
	c.mu.Lock()
	for _, ch := range changes {
		switch ch.Kind {
		case store.KindEndUser:
			delete(c.known, ch.ID)
			learn = true
		case store.KindBudget, store.KindEverything:
			clear(c.known)
			learn = true
		}
	}
	c.mu.Unlock()
	if !learn {
		return nil
	}
	return c.Learn(ctx)
}

// Tags knows the tags that have limits or budgets. There are few of them, so all are kept. It is safe for concurrent use.
type Tags struct {
	store    store.Store
	registry *llm.Registry
	fixed    map[string]*llm.Scope // tag_budget_config of the configuration
	list     atomic.Pointer[map[string][]*llm.Scope]
}

// NewTags makes Tags. fixed are scopes of the configuration by tag; it may be nil.
func NewTags(s store.Store, r *llm.Registry, fixed map[string]*llm.Scope) *Tags {
	t := &Tags{store: s, registry: r, fixed: fixed}
	t.set(map[string][]*llm.Scope{})
	return t
}

func (t *Tags) set(m map[string][]*llm.Scope) {
	for tag, s := range t.fixed {
		m[tag] = append(m[tag], s)
	}
	t.list.Store(&m)
}

// Scopes returns the scopes of a tag.
func (t *Tags) Scopes(tag string) []*llm.Scope { return (*t.list.Load())[tag] }

// Learn reads the tags with budgets. steady says that nobody writes spend meanwhile.
func (t *Tags) Learn(ctx context.Context, steady bool) error {
	if t.store == nil {
		return nil
	}
	tags, err := t.store.Tags().Find(ctx, store.Query{Where: []store.Cond{store.Where("budget_id", store.NotNull)}})
	if err != nil {
		return err
	}
	m := make(map[string][]*llm.Scope, len(tags))
	for _, row := range tags {
		b, err := t.store.Budgets().Get(ctx, string(row.BudgetID))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		c := merge(own{}, b)
		live, fresh := t.registry.Get(llm.ScopeTag, row.TagName)
		if fresh || steady {
			live.Load(row.Spend)
		}
		m[row.TagName] = []*llm.Scope{{Kind: llm.ScopeTag, ID: row.TagName, Limits: c.limits, Budget: c.budget, Live: live}}
	}
	t.set(m)
	return nil
}

// Changed reads the tags again if a tag or a budget changed.
func (t *Tags) Changed(ctx context.Context, changes []store.Change) error {
	for _, c := range changes {
		switch c.Kind {
		case store.KindTag, store.KindBudget, store.KindEverything:
			return t.Learn(ctx, false)
		}
	}
	return nil
}
