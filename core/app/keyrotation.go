package app

import (
	"context"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// rotateKeys gives keys new secrets when their time has come, if LITELLM_KEY_ROTATION_ENABLED says so. Two replicas that
// do it at the same time do not rotate a key twice, so no lease is needed.
func (a *App) rotateKeys(ctx context.Context, db *database) {
	var begun time.Time // the first look is at the start: a gateway that is started anew every day must look, too
	for {
		wait := time.Minute // not all at once: the settings may change meanwhile
		if v := a.settings().Variables; v.KeyRotation {
			wait = min(max(time.Until(begun.Add(rotationPause(v))), 100*time.Millisecond), wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if v := a.settings().Variables; !v.KeyRotation || time.Since(begun) < rotationPause(v) {
			continue
		}
		begun = time.Now()
		if err := a.rotateNow(ctx, db); err != nil && ctx.Err() == nil {
			a.log.Error("some keys were not rotated", "error", err)
		}
	}
}

func (a *App) rotateNow(ctx context.Context, db *database) error {
	// What was spent with the old secret is to be on the row before it gets another hash.
	if err := db.loader.Flush(ctx); err != nil {
		return err
	}
	n, err := a.api(db).RotateDue(ctx)
	if n > 0 {
		a.log.Info("keys were rotated: their users get a new secret from POST /key/regenerate with the old one", "count", n)
	}
	return err
}

// rotationPause is how long there is between two looks for keys whose time has come.
func rotationPause(v config.Variables) time.Duration {
	const usual = 24 * time.Hour
	n, err := strconv.ParseFloat(v.KeyRotationEvery, 64)
	if err != nil || n <= 0 || n > usual.Seconds()*365 {
		return usual
	}
	return time.Duration(n * float64(time.Second))
}

// joinKeys learns which keys that changed are ones that are counted under an older hash.
func (a *App) joinKeys(ctx context.Context, db *database, list []store.Change) error {
	var unknown []string
	for _, c := range list {
		if c.Kind == store.KindKey && a.registry.Find(llm.ScopeKey, c.ID) == nil {
			unknown = append(unknown, c.ID)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	origins, err := db.Keys().Origins(ctx, unknown...)
	for token, origin := range origins {
		if a.registry.Find(llm.ScopeKey, origin) != nil {
			a.registry.Join(llm.ScopeKey, token, origin)
		}
	}
	return err
}
