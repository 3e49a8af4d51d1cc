package llm

import "sync"

// Registry finds the live state of scopes, one for each kind and ID. It outlives configurations. It is safe for
// concurrent use; the zero value is ready. Requests do not come here: they have the state in their scopes.
type Registry struct {
	mu      sync.RWMutex
	live    map[scopeKey]*Live
	aliases map[scopeKey]string // another ID of a scope, and the one that its state has
}

type scopeKey struct {
	kind ScopeKind
	id   string
}

// Join says that alias is another ID of a scope: both have one state, that of id.
func (r *Registry) Join(kind ScopeKind, alias, id string) {
	if alias == id {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.aliases == nil {
		r.aliases = map[scopeKey]string{}
	}
	r.aliases[scopeKey{kind, alias}] = id
}

// key is where the state of a scope is. The lock is held.
func (r *Registry) key(kind ScopeKind, id string) scopeKey {
	key := scopeKey{kind, id}
	if to, ok := r.aliases[key]; ok {
		key.id = to
	}
	return key
}

// sweepAliases forgets those of states that are forgotten. The lock is held.
func (r *Registry) sweepAliases() {
	for key, id := range r.aliases {
		if r.live[scopeKey{key.kind, id}] == nil {
			delete(r.aliases, key)
		}
	}
}

// Get returns the state of a scope; fresh is true if it was made just now and has used nothing.
func (r *Registry) Get(kind ScopeKind, id string) (l *Live, fresh bool) {
	r.mu.RLock()
	key := r.key(kind, id)
	l = r.live[key]
	r.mu.RUnlock()
	if l != nil {
		return l, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key = r.key(kind, id)
	if l = r.live[key]; l != nil {
		return l, false
	}
	if r.live == nil {
		r.live = map[scopeKey]*Live{}
	}
	l = NewLive(kind, key.id)
	r.live[key] = l
	return l, true
}

// Find returns the state of a scope, or nil.
func (r *Registry) Find(kind ScopeKind, id string) *Live {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.live[r.key(kind, id)]
}

// Used returns the states that were asked since a time in unix seconds.
func (r *Registry) Used(since int64) []*Live {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []*Live
	for _, l := range r.live {
		l.mu.Lock()
		used := l.used >= since
		l.mu.Unlock()
		if used {
			out = append(out, l)
		}
	}
	return out
}

// Sweep forgets what nobody has asked since a time in unix seconds and what is not needed. A scope that still has a state
// which was forgotten goes on with it alone: so whoever keeps scopes lets go of them sooner than that.
func (r *Registry) Sweep(before int64) (forgotten int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, l := range r.live {
		if l.Unused(before) {
			delete(r.live, key)
			forgotten++
		}
	}
	r.sweepAliases()
	return forgotten
}

// SweepRates is Sweep for a gateway without a database: what the scopes spent that have rows there does not keep them,
// except for that of the whole gateway.
func (r *Registry) SweepRates(before int64) (forgotten int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, l := range r.live {
		if key.kind == ScopeProxy || key.kind.Counted() {
			continue
		}
		l.mu.Lock()
		idle := l.used < before && l.open == 0 && l.held == 0
		l.mu.Unlock()
		if idle {
			delete(r.live, key)
			forgotten++
		}
	}
	r.sweepAliases()
	return forgotten
}

// Len is how many states there are.
func (r *Registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.live)
}
