package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/kept"
)

const (
	usualPeriod   = "30d" // as long as OpenAI keeps responses (https://platform.openai.com/docs/guides/your-data)
	usualMaxMB    = 1024
	pruneEvery    = 10 * time.Minute
	prunePatience = time.Minute
)

// startKept makes what keeps objects of callers.
func (a *App) startKept() {
	a.objects = kept.New(kept.Settings{Shared: a.keptPlace, TTL: a.keptPeriod, Logger: a.log})
}

// keptPlace is where objects go: what all replicas share counts most. A database that nobody configured and that was not
// made for anything else is not made for them: what is said stays in memory then.
func (a *App) keptPlace() kept.Place {
	db := a.db.Load()
	switch {
	case db != nil && (a.shared == nil || db.kind == "postgres"):
		return kept.Table{Objects: db.Objects()}
	case a.redis != nil && db != nil:
		return batchesApart{kept.Redis{Client: a.redis, Vault: a.settingsVault()}, kept.Table{Objects: db.Objects()}}
	case a.redis != nil:
		return kept.Redis{Client: a.redis, Vault: a.settingsVault()}
	}
	return nil
}

// canManage prepares a place for files over several deployments: the database, which is made if need be, or Redis.
func (a *App) canManage(ctx context.Context) error {
	if a.keptPlace() != nil {
		return nil
	}
	_, err := a.ensureDatabase(ctx)
	return err
}

// untilDeleted is how long files and batches are kept: vendors keep files until they are deleted, too.
const untilDeleted = 10 * 365 * 24 * time.Hour

// keptPeriod is how long objects are kept after their last change.
func (a *App) keptPeriod(kind store.ObjectKind) time.Duration {
	if kind != store.ObjectResponse {
		return untilDeleted
	}
	p, err := periodOf(a.settings())
	if err != nil {
		p, _ = store.ParsePeriod(usualPeriod)
	}
	now := time.Now()
	return p.After(now).Sub(now)
}

func periodOf(cfg *config.Config) (store.Period, error) {
	text := cfg.Variables.ResponsesPeriod
	if text == "" {
		text = usualPeriod
	}
	p, err := store.ParsePeriod(text)
	if err == nil && p.N == 0 {
		err = errors.New("it must be more than nothing")
	}
	return p, err
}

// checkKept refuses values of the variables that cannot be used.
func (b *builder) checkKept() {
	if _, err := periodOf(b.cfg); err != nil {
		b.mistake("SALLYPORT_RESPONSES_PERIOD", err)
	}
	if _, err := maxKeptMB(b.cfg); err != nil {
		b.mistake("SALLYPORT_RESPONSES_MAX_MB", err)
	}
	if v := b.cfg.Variables.UnknownIDs; v != "" && v != "allow" && v != "deny" {
		b.mistake("SALLYPORT_UNKNOWN_IDS", fmt.Errorf("%q is neither allow nor deny", v))
	}
}

func maxKeptMB(cfg *config.Config) (int64, error) {
	text := cfg.Variables.ResponsesMaxMB
	if text == "" {
		return usualMaxMB, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n <= 0 {
		return usualMaxMB, fmt.Errorf("%q is no number of megabytes: write a whole number above 0", text)
	}
	return n, nil
}

// pruneObjects deletes what is too old, or too much, until ctx ends. One replica at a time does it.
func (a *App) pruneObjects(ctx context.Context, db *database) {
	const lease = "object_retention"
	every(ctx, pruneEvery, func() {
		ctx, cancel := context.WithTimeout(ctx, prunePatience)
		defer cancel()
		if mine, err := db.Leases().Acquire(ctx, lease, a.replica, leaseTime); err != nil || !mine {
			return
		}
		defer func() { _ = db.Leases().Release(context.WithoutCancel(ctx), lease, a.replica) }()
		most, _ := maxKeptMB(a.settings())
		n, err := db.Objects().Prune(ctx, time.Now(), most<<20)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("stored responses that are too old were not deleted", "error", err)
		} else if n > 0 {
			a.log.Info("stored responses were deleted", "count", n)
		}
	})
}

// settingsVault encrypts with the salt key, or else the master key; nil if there is neither.
func (a *App) settingsVault() *store.Vault { return a.current.Load().vault }

// ownership says how ids are bound to who may use them.
func (a *App) ownership() listener.Ownership {
	l := a.current.Load()
	return listener.Ownership{
		Vault: l.vault, Off: l.cfg.GeneralSettings.DisableResponsesIDSecurity, OnlyOwn: l.cfg.Variables.UnknownIDs == "deny",
	}
}

// vaultOf makes the vault of a configuration.
func vaultOf(cfg *config.Config) *store.Vault {
	secret := cfg.Variables.SaltKey.Reveal()
	if secret == "" {
		secret = cfg.GeneralSettings.MasterKey.Reveal()
	}
	return store.NewVault(secret)
}
