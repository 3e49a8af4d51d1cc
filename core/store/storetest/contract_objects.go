package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func testObjects(t *testing.T, open Open) {
	ctx := t.Context()
	s := open(t, store.NewVault("salt"))
	body := `{"said":"a \u0000 secret"}`
	add := func(id string, kind store.ObjectKind, age time.Duration, bytes int64) {
		t.Helper()
		must(t, s.Objects().Put(ctx, &store.Object{
			ID: id, Kind: kind, UserID: "u", Token: "k", Status: "completed", Body: body, Bytes: bytes,
			CreatedAt: now().Add(-age), ExpiresAt: now().Add(time.Hour - age),
		}))
	}
	add("new", store.ObjectResponse, 0, 60)
	add("older", store.ObjectResponse, time.Minute, 30)
	add("oldest", store.ObjectResponse, 2*time.Minute, 20)
	add("file", store.ObjectFile, 3*time.Minute, 1000)
	add("expired", store.ObjectResponse, 2*time.Hour, 1)
	o := got[*store.Object](t)(s.Objects().Get(ctx, "new"))
	same(t, "body", o.Body, body)
	o = got[*store.Object](t)(s.Objects().Update(ctx, "new", func(o *store.Object) error {
		o.Status, o.Pending, o.Body = "queued", true, "{}"
		return nil
	}))
	same(t, "changed", o.Status+o.Body, "queued{}")
	pending := got[[]store.Object](t)(s.Objects().Find(ctx, store.Query{Where: []store.Cond{store.Eq("pending", true)}, Sort: "updated_at"}))
	same(t, "pending", len(pending), 1)
	same(t, "put keeps when it was made", o.CreatedAt, now())

	same(t, "pruned", got[int64](t)(s.Objects().Prune(ctx, now(), 100)), int64(2))
	var left []string
	for _, o := range got[[]store.Object](t)(s.Objects().Find(ctx, store.Query{})) {
		left = append(left, o.ID)
	}
	same(t, "left", fmt.Sprint(left), "[file new older]")
	same(t, "nothing more to prune", got[int64](t)(s.Objects().Prune(ctx, now(), 100)), int64(0))

	_, err := open(t, store.NewVault("other")).Objects().Get(ctx, "new")
	fails(t, "an object with another salt", err, store.ErrSecret)
	if strings.Contains(err.Error(), "said") {
		t.Errorf("the error tells what was said: %v", err)
	}
	_, err = s.Objects().Get(ctx, "expired")
	fails(t, "what was pruned", err, store.ErrNotFound)
}
