package spend

import (
	"context"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Refresh reads what the store has as spent by scopes that were asked lately: other replicas write, too, and periods end.
func (l *Loader) Refresh(ctx context.Context) error {
	if l.s.Registry == nil {
		return nil
	}
	return l.refresh(ctx, l.s.Registry.Used(time.Now().Add(-activeFor).Unix()))
}

// RefreshRefs reads what the store has as spent by single entities, now.
func (l *Loader) RefreshRefs(ctx context.Context, refs ...store.Ref) error {
	var lives []*llm.Live
	for _, r := range refs {
		if kind, ok := kindOf(r.Entity); ok && l.s.Registry != nil {
			if live := l.s.Registry.Find(kind, r.ID); live != nil {
				lives = append(lives, live)
			}
		}
		if r.Entity == store.EntityUser && r.ID == store.ProxyBudgetUser && l.s.Registry != nil {
			if live := l.s.Registry.Find(llm.ScopeProxy, ProxyID); live != nil {
				lives = append(lives, live)
			}
		}
	}
	return l.refresh(ctx, lives)
}

func (l *Loader) refresh(ctx context.Context, lives []*llm.Live) error {
	if len(lives) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, l.s.Timeout)
	defer cancel()
	byRef, byName := map[store.Ref]*llm.Live{}, map[string]*llm.Live{}
	var refs []store.Ref
	var names []string
	for _, live := range lives {
		if live.Kind.Counted() {
			name := live.Kind.String() + ":" + live.ID
			byName[name], names = live, append(names, name)
		} else if r, ok := refOf(live); ok {
			byRef[r], refs = live, append(refs, r)
		}
	}
	for len(refs) > 0 {
		n := min(len(refs), maxRefresh)
		spent, err := l.s.Store.Spent(ctx, refs[:n]...)
		if err != nil {
			return err
		}
		for r, amount := range spent {
			byRef[r].Read(amount)
		}
		refs = refs[n:]
	}
	for len(names) > 0 {
		n := min(len(names), maxRefresh)
		counters, err := l.s.Store.Counters(ctx, names[:n]...)
		if err != nil {
			return err
		}
		for _, c := range counters {
			byName[c.Name].LoadWindow(c.Window, c.Spend)
		}
		names = names[n:]
	}
	return nil
}

// refOf names the row that has the spend of a scope.
func refOf(live *llm.Live) (store.Ref, bool) {
	switch live.Kind {
	case llm.ScopeProxy:
		return store.Ref{Entity: store.EntityUser, ID: store.ProxyBudgetUser}, true
	case llm.ScopeKey:
		return store.Ref{Entity: store.EntityKey, ID: live.ID}, true
	case llm.ScopeUser:
		return store.Ref{Entity: store.EntityUser, ID: live.ID}, true
	case llm.ScopeTeam:
		return store.Ref{Entity: store.EntityTeam, ID: live.ID}, true
	case llm.ScopeTeamMember:
		return memberRef(store.EntityTeamMember, live.ID)
	case llm.ScopeOrganization:
		return store.Ref{Entity: store.EntityOrganization, ID: live.ID}, true
	case llm.ScopeOrgMember:
		return memberRef(store.EntityOrgMember, live.ID)
	case llm.ScopeEndUser:
		return store.Ref{Entity: store.EntityEndUser, ID: live.ID}, true
	case llm.ScopeTag:
		return store.Ref{Entity: store.EntityTag, ID: live.ID}, true
	}
	return store.Ref{}, false
}

// memberRef undoes store.MemberID: the group's id ends at the first colon.
func memberRef(e store.Entity, id string) (store.Ref, bool) {
	group, user, ok := strings.Cut(id, ":")
	return store.Ref{Entity: e, ID: group, User: user}, ok && user != ""
}

func kindOf(e store.Entity) (llm.ScopeKind, bool) {
	switch e {
	case store.EntityKey:
		return llm.ScopeKey, true
	case store.EntityUser:
		return llm.ScopeUser, true
	case store.EntityTeam:
		return llm.ScopeTeam, true
	case store.EntityTeamMember:
		return llm.ScopeTeamMember, true
	case store.EntityOrganization:
		return llm.ScopeOrganization, true
	case store.EntityOrgMember:
		return llm.ScopeOrgMember, true
	case store.EntityEndUser:
		return llm.ScopeEndUser, true
	case store.EntityTag:
		return llm.ScopeTag, true
	}
	return 0, false
}
