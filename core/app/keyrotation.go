package app

import (
	"context"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/config"
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
