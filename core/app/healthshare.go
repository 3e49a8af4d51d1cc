package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/store"
)

// share is where replicas find each other's results.
type share interface {
	// acquire reports whether this replica is to check now. Nobody else does for as long.
	acquire(ctx context.Context, ttl time.Duration) (bool, error)
	release(ctx context.Context)
	// publish tells the others.
	publish(ctx context.Context, results []healthResult) error
	// read returns the results that are not older than a time.
	read(ctx context.Context, since time.Time) ([]healthResult, error)
	// kind is redis or database.
	kind() string
}

// share is the one to use: Redis if it was asked for and is there, else the database, else none.
func (c *checks) share(cfg *config.Config) share {
	db := c.a.db.Load()
	switch {
	case cfg.GeneralSettings.UseSharedHealthCheck && c.redis != nil:
		return redisShare{c.redis, c.a.replica, func(ctx context.Context, list []healthResult) error {
			if db == nil {
				return nil
			}
			return c.save(ctx, db, list)
		}}
	case db != nil:
		return storeShare{c, db}
	}
	return nil
}

const healthLease = "health_check"

// storeShare shares through the table of health checks.
type storeShare struct {
	c  *checks
	db *database
}

func (s storeShare) kind() string { return "database" }

func (s storeShare) acquire(ctx context.Context, ttl time.Duration) (bool, error) {
	return s.db.Leases().Acquire(ctx, healthLease, s.c.a.replica, ttl)
}

func (s storeShare) release(ctx context.Context) {
	_ = s.db.Leases().Release(ctx, healthLease, s.c.a.replica)
}

func (s storeShare) publish(ctx context.Context, list []healthResult) error {
	return s.c.save(ctx, s.db, list)
}

func (s storeShare) read(ctx context.Context, since time.Time) ([]healthResult, error) {
	rows, err := s.db.HealthChecks().Find(ctx, store.Query{Where: []store.Cond{store.Where("checked_at", store.GreaterEqual, since.UTC())}})
	if err != nil {
		return nil, err
	}
	out := make([]healthResult, 0, len(rows))
	for i := range rows {
		out = append(out, resultOf(&rows[i]))
	}
	return out, nil
}

// healthDetails is what a row keeps besides its columns.
type healthDetails struct {
	Status int               `json:"status_code,omitempty"`
	Limits map[string]string `json:"limits,omitempty"`
}

func resultOf(row *store.HealthCheck) healthResult {
	var d healthDetails
	if len(row.Details) > 0 {
		_ = json.Unmarshal(row.Details, &d) // a row of another system has none of ours
	}
	r := healthResult{
		ID: string(row.ModelID), Group: row.ModelName, Healthy: row.Status == healthy, Error: string(row.ErrorMessage),
		Status: d.Status, Limits: d.Limits, At: row.CheckedAt, By: string(row.CheckedBy),
	}
	if row.ResponseTimeMS != nil {
		r.Took = time.Duration(*row.ResponseTimeMS * float64(time.Millisecond))
	}
	return r
}

// The states of a row.
const (
	healthy   = "healthy"
	unhealthy = "unhealthy"

	rowSpan  = time.Hour // how long a row stands for a state that stays
	maxError = 500       // bytes of an error in a row, as in the reference
)

// save keeps results in the table of health checks: a new row when a deployment's state changed, or its last row is an
// hour old; else the last row is brought up to date. So the table tells when a state began and until when it was seen,
// and stays short.
func (c *checks) save(ctx context.Context, db *database, list []healthResult) error {
	if len(list) == 0 {
		return nil
	}
	rows, err := db.HealthChecks().Find(ctx, store.Query{
		Where: []store.Cond{store.Where("created_at", store.GreaterEqual, time.Now().UTC().Add(-rowSpan))}, Sort: "checked_at",
	})
	if err != nil {
		return err
	}
	last := map[string]*store.HealthCheck{}
	for i := range rows {
		last[string(rows[i].ModelID)] = &rows[i]
	}
	return db.Tx(ctx, func(tx store.Store) error {
		for i := range list {
			if err := saveResult(ctx, tx, &list[i], last[list[i].ID]); err != nil {
				return err
			}
		}
		return nil
	})
}

func saveResult(ctx context.Context, tx store.Store, r *healthResult, last *store.HealthCheck) error {
	details, err := json.Marshal(healthDetails{r.Status, r.Limits})
	if err != nil {
		return err
	}
	now := store.HealthCheck{
		ModelName: r.Group, ModelID: store.Text(r.ID), Status: unhealthy, UnhealthyCount: 1,
		ErrorMessage: store.Text(r.Error[:min(len(r.Error), maxError)]), ResponseTimeMS: store.Ptr(float64(r.Took) / float64(time.Millisecond)),
		Details: details, CheckedBy: store.Text(r.By), CheckedAt: r.At,
	}
	if r.Healthy {
		now.Status, now.HealthyCount, now.UnhealthyCount = healthy, 1, 0
	}
	if last == nil || last.Status != now.Status {
		return tx.HealthChecks().Create(ctx, &now)
	}
	_, err = tx.HealthChecks().Update(ctx, last.HealthCheckID, func(row *store.HealthCheck) error {
		row.ErrorMessage, row.ResponseTimeMS, row.Details = now.ErrorMessage, now.ResponseTimeMS, now.Details
		row.CheckedBy, row.CheckedAt = now.CheckedBy, now.CheckedAt
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return tx.HealthChecks().Create(ctx, &now)
	}
	return err
}

// redisShare shares through two keys of Redis: who checks, and what was found.
type redisShare struct {
	client  redis.UniversalClient
	replica string
	keep    func(context.Context, []healthResult) error
}

const (
	redisHealthLock    = "sallyport:health:lock"
	redisHealthResults = "sallyport:health:results"
	redisHealthTTL     = 24 * time.Hour // of results, whose own times say how old they are
	redisPatience      = 2 * time.Second
)

func (s redisShare) kind() string { return "redis" }

func (s redisShare) acquire(ctx context.Context, ttl time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	return s.client.SetNX(ctx, redisHealthLock, s.replica, ttl).Result()
}

// releaseHealth deletes the lock if it is still ours.
const releaseHealth = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

func (s redisShare) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	_ = s.client.Eval(ctx, releaseHealth, []string{redisHealthLock}, s.replica).Err() // it ends by itself
}

func (s redisShare) publish(ctx context.Context, list []healthResult) error {
	if list == nil {
		return nil
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	if err := s.client.Set(within, redisHealthResults, b, redisHealthTTL).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return s.keep(ctx, list)
}

func (s redisShare) read(ctx context.Context, since time.Time) ([]healthResult, error) {
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	b, err := s.client.Get(ctx, redisHealthResults).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	var list, out []healthResult
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("redis: %s holds something else: %w", redisHealthResults, err)
	}
	for _, r := range list {
		if !r.At.Before(since) {
			out = append(out, r)
		}
	}
	return out, nil
}

// holder is who checks at the moment, or "".
func (s redisShare) holder(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	who, err := s.client.Get(ctx, redisHealthLock).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return who, err
}
