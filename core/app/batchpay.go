package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/store"
)

// lookedAt is how long what was found of a batch is taken to hold, when a file is deleted that it may have made.
const lookedAt = time.Minute

// payer implements listener.Payer.
type payer struct{ a *App }

// Pays implements listener.Payer.
func (p payer) Pays() bool { return p.a.db.Load() != nil }

// Settle implements listener.Payer. A batch whose row does not name the file may have made it since, so it is looked at too.
func (p payer) Settle(ctx context.Context, files []string) (unpaid []listener.Unpaid, err error) {
	db := p.a.db.Load()
	if db == nil {
		return nil, nil
	}
	rows, err := db.Objects().Find(ctx, store.Query{
		Where: []store.Cond{store.Eq("kind", string(store.ObjectBatch)), store.Eq("pending", true)}, Sort: "updated_at", Limit: pollAtOnce,
	})
	if err != nil {
		return nil, err
	}
	names := func(row *store.Object) bool {
		for _, f := range files {
			if strings.Contains(row.Body, `"`+f+`"`) {
				return true
			}
		}
		return false
	}
	for i := range rows {
		row := &rows[i]
		if !names(row) && time.Since(row.UpdatedAt) < lookedAt && !listener.Ended(row.Status) {
			continue
		}
		failed := p.a.look(ctx, db, row)
		if row.Pending && names(row) && !errors.Is(failed, errGone) {
			unpaid = append(unpaid, listener.Unpaid{ID: row.ID, Status: row.Status})
		}
	}
	return unpaid, nil
}
