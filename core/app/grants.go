package app

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
)

// named puts behind an auth plugin what the database has for those whom its principals name.
func (b *builder) named(a auth.Authenticator) auth.Authenticator {
	if b.ring == nil || b.ring.absent {
		return virtualkey.NewNamed(a, nil, b.expandModels)
	}
	b.ring.named = virtualkey.NewNamed(a, b.ring.keys, b.expandModels)
	return b.ring.named
}

// grants makes scopes of the limits and budgets that an auth plugin gives. What is spent of the budgets is kept in the
// database. One that is made when it is first needed is made then.
func (b *builder) grants() *virtualkey.Grants {
	s := virtualkey.GrantSettings{Registry: &b.registry, AllowUnavailable: b.cfg.GeneralSettings.AllowRequestsOnDBUnavailable}
	if db := b.db.Load(); db != nil {
		s.Store, s.Saving = db.Store, db.loader.Saving
		return virtualkey.NewGrants(s)
	}
	if src, err := databaseSource(b.cfg); err == nil && src.lazy {
		s.Wanted = func() { b.closing.Go(b.keepGrants) }
	}
	return virtualkey.NewGrants(s)
}

// keepGrants makes the database because an auth plugin gives budgets.
func (a *App) keepGrants() {
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	if _, err := a.ensureDatabase(ctx); err != nil && !errors.Is(err, errNoDatabase) {
		a.log.Warn("what is spent of the budgets of an auth plugin is forgotten when the gateway ends: there is no database", "error", err)
	}
}

// forgetIdle forgets, from time to time, what was counted of limits that nobody has asked for lately. With a database its
// own jobs do: they know what is still to be written.
func (a *App) forgetIdle(ctx context.Context) {
	every(ctx, sweepEvery, func() {
		if a.db.Load() == nil {
			a.registry.SweepRates(time.Now().Add(-sweepAge).Unix())
		}
	})
}
