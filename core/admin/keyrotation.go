package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// rotator is who changes keys when their time has come
// (litellm/constants.py, LITELLM_INTERNAL_JOBS_SERVICE_ACCOUNT_NAME).
const rotator = "litellm_internal_jobs"

// errNotDue says that a key was rotated or changed since it was found.
var errNotDue = errors.New("the key is not due")

// RotateDue gives a new secret to every key with auto_rotate whose time has come, and returns how many there were. The
// old secret stays good for Policy.GracePeriod. Nobody is told the new one: the user of a key asks for one with
// POST /key/regenerate and the old one, and an administrator for a key of nobody's. A key is rotated once, however many replicas ask at the same time.
func (a *API) RotateDue(ctx context.Context) (int, error) {
	now := store.Clean(a.Now())
	due, err := a.Store.Keys().Find(ctx, store.Query{Where: []store.Cond{
		store.Eq("auto_rotate", true),
		{Any: [][]store.Cond{{store.Where("key_rotation_at", store.IsNull)}, {store.Where("key_rotation_at", store.LessEqual, now)}}},
	}})
	if err != nil {
		return 0, err
	}
	done := 0
	var failed error
	for i := range due {
		if period, err := store.ParsePeriod(string(due[i].RotationInterval)); err != nil || period.N == 0 {
			if due[i].RotationInterval != "" { // from a database that the reference wrote
				failed = errors.Join(failed, fmt.Errorf("key %s: its rotation_interval %q is no time to wait: set one such as 30d",
					due[i].Token, due[i].RotationInterval))
			}
			continue // it would be due again at once
		}
		switch err := a.rotateOne(ctx, &due[i]); {
		case err == nil:
			done++
		case errors.Is(err, errNotDue), errors.Is(err, store.ErrNotFound): // another replica did it, or it was deleted
		default:
			failed = errors.Join(failed, err)
		}
	}
	return done, errors.Join(failed, a.dropRevoked(ctx))
}

func (a *API) rotateOne(ctx context.Context, found *store.Key) error {
	now := store.Clean(a.Now())
	revoke, err := a.graceEnd(a.Policy.GracePeriod)
	if err != nil {
		return err
	}
	next := newKey()
	var made *store.Key
	err = a.Store.Tx(ctx, func(tx store.Store) (err error) {
		var before store.Key
		made, err = tx.Keys().Rotate(ctx, found.Token, hashOf(next), revoke, func(k *store.Key) error {
			before = *k
			before.Token = found.Token
			if k.AutoRotate == nil || !*k.AutoRotate || k.RotationInterval == "" || k.KeyRotationAt != nil && k.KeyRotationAt.After(now) {
				return errNotDue
			}
			rotated(k, next, rotator, now)
			return nil
		})
		if err != nil {
			return err
		}
		log := store.AuditLog{UpdatedAt: now, ChangedBy: rotator, Action: "rotated", Table: "LiteLLM_VerificationToken", ObjectID: found.Token}
		if log.BeforeValue, err = recorded(&before); err != nil {
			return err
		}
		if log.UpdatedValues, err = recorded(made); err != nil {
			return err
		}
		return tx.AuditLogs().Create(ctx, &log)
	})
	if err != nil {
		return err
	}
	a.forget(found.Token, made.Token)
	return nil
}

// rotated writes into a key that it has a new secret.
func rotated(k *store.Key, secret, by string, now time.Time) {
	k.KeyName, k.UpdatedBy, k.LastRotationAt = keyName(secret), store.Text(by), &now
	k.RotationCount = store.Ptr(value(k.RotationCount) + 1)
	k.KeyRotationAt = rotation(k, now)
}

// dropRevoked deletes the old hashes that are good no more.
func (a *API) dropRevoked(ctx context.Context) error {
	old, err := a.Store.DeprecatedKeys().Find(ctx, store.Query{Where: []store.Cond{store.Where("revoke_at", store.Less, store.Clean(a.Now()))}})
	if err != nil || len(old) == 0 {
		return err
	}
	ids := make([]string, len(old))
	for i := range old {
		ids[i] = old[i].ID
	}
	_, err = a.Store.DeprecatedKeys().Delete(ctx, ids...)
	return err
}
