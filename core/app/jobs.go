package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

const (
	followEvery   = time.Second      // how late a replica learns what another one changed that cannot be told
	followRarely  = 10 * time.Second // how often it asks all the same while it is told
	listenAgain   = 2 * time.Second  // after a connection was lost
	changesKept   = time.Hour
	sweepEvery    = 10 * time.Minute
	sweepAge      = time.Hour // longer than anybody keeps a scope without asking for it
	leaseTime     = time.Minute
	retentionRows = 1000 // deleted in one transaction
	reconnect     = 5 * time.Second
)

// startJobs runs what is to be done from time to time, until the database is closed.
func (a *App) startJobs(db *database) {
	run := func(job func(context.Context)) { db.jobs.Go(func() { job(db.ctx) }) }
	run(db.loader.Run)
	run(func(ctx context.Context) { db.follow.run(ctx, a.followFailed) })
	run(func(ctx context.Context) { a.resetBudgets(ctx, db) })
	run(func(ctx context.Context) { a.deleteLogs(ctx, db) })
	run(func(ctx context.Context) { a.pruneObjects(ctx, db) })
	run(func(ctx context.Context) { a.pollBatches(ctx, db) })
	run(func(ctx context.Context) { a.rotateKeys(ctx, db) })
	run(func(ctx context.Context) {
		every(ctx, sweepEvery, func() {
			a.registry.Sweep(time.Now().Add(-sweepAge).Unix())
			_, _ = db.Changes().Prune(ctx, time.Now().Add(-changesKept))
		})
	})
}

// every calls fn again and again until ctx ends.
func every(ctx context.Context, pause time.Duration, fn func()) {
	t := time.NewTicker(pause)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			fn()
		case <-ctx.Done():
			return
		}
	}
}

// connectLater tries to open a database that was not there at the start.
func (a *App) connectLater(ctx context.Context) {
	every(ctx, reconnect, func() {
		if !a.wanted.Load() {
			return
		}
		if _, err := a.ensureDatabase(ctx); err == nil {
			a.log.Info("the database is there now")
		}
	})
}

// resetBudgets ends budget periods. One replica at a time does it, every ten minutes or as
// proxy_budget_rescheduler_min_time and max_time say; one of their own accord when a spent budget's time is over.
func (a *App) resetBudgets(ctx context.Context, db *database) {
	const (
		usualMin = 597 * time.Second
		usualMax = 605 * time.Second
	)
	for {
		g := a.settings().GeneralSettings
		least, most := secondsOr(g.BudgetReschedulerMinTime, usualMin), secondsOr(g.BudgetReschedulerMaxTime, usualMax)
		pause := least
		if most > least {
			pause += rand.N(most - least + 1)
		}
		select {
		case <-time.After(max(pause, 100*time.Millisecond)):
		case <-a.due:
		case <-ctx.Done():
			return
		}
		if a.settings().GeneralSettings.DisableResetBudget {
			continue
		}
		a.log.Debug("looking for budgets to reset")
		if err := a.resetNow(ctx, db); err != nil && ctx.Err() == nil {
			a.log.Error("some budgets were not reset", "error", err)
		}
	}
}

func (a *App) resetNow(ctx context.Context, db *database) error {
	const lease = "budget_reset"
	mine, err := db.Leases().Acquire(ctx, lease, a.replica, leaseTime)
	if err != nil || !mine {
		return err
	}
	defer func() { _ = db.Leases().Release(context.WithoutCancel(ctx), lease, a.replica) }()
	// What was spent in the period that ends is to be in it.
	if err := db.loader.Flush(ctx); err != nil {
		return err
	}
	resets, err := db.Spend().ResetBudgets(ctx, time.Now(), a.zone())
	if len(resets) > 0 {
		a.log.Info("budgets were reset", "count", len(resets))
	}
	return errors.Join(err, db.follow.poll(ctx))
}

// zone is where midnight is for budgets (litellm/proxy/common_utils/timezone_utils.py).
func (a *App) zone() *time.Location {
	name, _ := a.settings().LiteLLMSettings.Other["timezone"].(string)
	if z, err := time.LoadLocation(name); err == nil {
		return z
	}
	return time.UTC
}

// deleteLogs deletes rows of the spend log that are older than maximum_spend_logs_retention_period: at the times of
// maximum_spend_logs_cleanup_cron, or else at the start and every maximum_spend_logs_retention_interval
// (litellm/proxy/proxy_server.py, _initialize_spend_logs_cleanup_job).
func (a *App) deleteLogs(ctx context.Context, db *database) {
	if a.settings().GeneralSettings.SpendLogsCleanupCron == "" {
		a.deleteOld(ctx, db)
	}
	begun := time.Now()
	for {
		next := a.nextDeletion(begun)
		// Not all at once: the settings may change meanwhile.
		select {
		case <-time.After(min(max(time.Until(next), time.Second), time.Minute)):
		case <-ctx.Done():
			return
		}
		if !time.Now().Before(a.nextDeletion(begun)) {
			begun = time.Now()
			a.deleteOld(ctx, db)
		}
	}
}

// nextDeletion is when old rows are to be deleted after a moment.
func (a *App) nextDeletion(after time.Time) time.Time {
	const usual = 24 * time.Hour
	g := a.settings().GeneralSettings
	if c, err := store.ParseCron(g.SpendLogsCleanupCron); err == nil {
		return c.Next(after.In(a.zone()))
	}
	if p, err := store.ParsePeriod(g.SpendLogsRetentionInterval); err == nil && p.N > 0 {
		return p.After(after)
	}
	return after.Add(usual)
}

func (a *App) deleteOld(ctx context.Context, db *database) {
	const lease = "spend_log_retention"
	p, err := store.ParsePeriod(a.settings().GeneralSettings.SpendLogsRetentionPeriod)
	if err != nil || p.N == 0 {
		return
	}
	now := time.Now()
	before := now.Add(-p.After(now).Sub(now))
	var total int64
	for {
		if mine, err := db.Leases().Acquire(ctx, lease, a.replica, leaseTime); err != nil || !mine {
			return
		}
		n, err := db.Spend().DeleteLogs(ctx, before, retentionRows)
		total += n
		if err != nil || n < retentionRows {
			break
		}
	}
	_ = db.Leases().Release(context.WithoutCancel(ctx), lease, a.replica)
	if total > 0 {
		a.log.Info("old rows of the spend log were deleted", "count", total, "before", before.UTC().Format(time.RFC3339))
	}
}

// follow tells what was changed in the database: at once what this replica changed, if it asks, and within a second what
// others did.
type follow struct {
	changes store.Changes
	tell    func(context.Context, []store.Change)

	mu  sync.Mutex
	seq int64 // -1 until the first answer
}

func newFollow(c store.Changes, tell func(context.Context, []store.Change)) *follow {
	return &follow{changes: c, tell: tell, seq: -1}
}

// run asks when the database tells that something changed, and now and then anyway: more often while nobody tells.
func (f *follow) run(ctx context.Context, failed func(error)) {
	wake := make(chan struct{}, 1)
	var told atomic.Bool
	var listening sync.WaitGroup
	listening.Go(func() { f.listen(ctx, wake, &told) })
	defer listening.Wait()
	t := time.NewTicker(followEvery)
	defer t.Stop()
	var last time.Time
	for {
		if time.Since(last) >= followRarely || !told.Load() || len(wake) > 0 {
			select {
			case <-wake:
			default:
			}
			last = time.Now()
			if err := f.poll(ctx); ctx.Err() == nil {
				failed(err)
			}
		}
		select {
		case <-wake:
			last = time.Time{}
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// listen has the database tell of changes, again and again if the connection is lost. told is true while it does.
func (f *follow) listen(ctx context.Context, wake chan<- struct{}, told *atomic.Bool) {
	for {
		err := f.changes.Listen(ctx, func() {
			told.Store(true)
			select {
			case wake <- struct{}{}:
			default:
			}
		})
		told.Store(false)
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		select {
		case <-time.After(listenAgain):
		case <-ctx.Done():
			return
		}
	}
}

// poll asks for changes and has told them when it returns.
func (f *follow) poll(ctx context.Context) error {
	const most = 1000
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seq < 0 {
		latest, err := f.changes.Latest(ctx)
		if err != nil {
			return err
		}
		f.seq = latest
		f.tell(ctx, []store.Change{{Seq: latest, Kind: store.KindEverything}})
		return nil
	}
	for {
		list, next, err := f.changes.Since(ctx, f.seq, most)
		if err != nil {
			return err
		}
		f.seq = next
		if len(list) == 0 {
			return nil
		}
		f.tell(ctx, list)
	}
}

// changed drops what is remembered of rows that changed, and reads what is spent of them.
func (a *App) changed(ctx context.Context, list []store.Change) {
	ring := a.keys.Load()
	db := a.db.Load()
	if ring == nil || db == nil {
		return
	}
	ring.keys.Changed(list)
	if ring.named != nil {
		ring.named.Changed(list)
	}
	err := errors.Join(ring.customers.Changed(ctx, list), ring.tags.Changed(ctx, list), a.joinKeys(ctx, db, list))
	var refs []store.Ref
	everything, models := false, false
	for _, c := range list {
		switch c.Kind {
		case store.KindEverything:
			everything, models = true, true
		case store.KindBudget:
			everything = true // whoever hangs on it
		case store.KindModel, store.KindCredential, store.KindConfig:
			models = true
		default:
			refs = append(refs, store.Ref{Entity: store.Entity(c.Kind), ID: c.ID})
		}
	}
	lives := a.touched(list)
	var unread error
	if everything {
		unread = db.loader.Refresh(ctx)
	} else if len(refs) > 0 {
		unread = db.loader.RefreshRefs(ctx, refs...)
	}
	a.tellChanged(list, lives, unread == nil)
	err = errors.Join(err, unread)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("what changed in the database could not be read", "error", err)
	}
	if models && a.modelsChanged != nil {
		a.modelsChanged(ctx)
	}
}

// followFailed says once that changes are not heard of, and once that they are again.
func (a *App) followFailed(err error) {
	was := a.deaf.Swap(err != nil)
	switch {
	case err != nil && !was:
		a.log.Error("changes in the database are not heard of: it cannot be reached", "error", err)
	case err == nil && was:
		a.log.Info("changes in the database are heard of again")
	}
}
