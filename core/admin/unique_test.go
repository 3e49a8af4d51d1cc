package admin_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// together is how many callers ask for the same at the same time.
const together = 20

// Of many who ask at the same instant for the same alias of a key, or the same e-mail address of a user, one gets it; and an
// unknown e-mail address that is added to many teams at once is one user.
func TestUnique(t *testing.T) {
	t.Parallel()
	desks(t, admin.Policy{}, func(t *testing.T, d *desk) { unique(t, d) })
}

// The same on a database where transactions see by default what there was when they began, with two gateways.
func TestUniqueRepeatableRead(t *testing.T) {
	t.Parallel()
	address := storetest.Postgres(t)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if err = conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err == nil {
		_, err = conn.Exec(t.Context(), fmt.Sprintf(`ALTER DATABASE %q SET default_transaction_isolation = 'repeatable read'`, name))
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(context.Background())
	var list []*desk
	for range 2 {
		s, err := postgres.Open(t.Context(), postgres.Settings{URL: address, Options: sqlstore.Options{Vault: store.NewVault("salt")}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		list = append(list, &desk{t, admin.New(admin.Settings{Store: s}), s})
	}
	unique(t, list...)
}

func unique(t *testing.T, list ...*desk) {
	t.Helper()
	passed := func(what string, one func(i int) request) {
		t.Helper()
		n := 0
		answers := make(chan []reply, len(list))
		for at, d := range list {
			var all []request
			for i := range together / len(list) {
				all = append(all, one(at*together+i))
			}
			go func() { answers <- d.master().atOnce(all...) }()
		}
		for range list {
			for _, r := range <-answers {
				switch r.status {
				case 200:
					n++
				case 400, 409:
				default:
					t.Errorf("%s: %d %s", what, r.status, r.raw)
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: %d of %d passed", what, n, together)
		}
	}
	m := list[0].master()
	passed("alias of a new key", func(int) request { return request{"POST", "/key/generate", `{"key_alias":"same"}`} })
	keys := make([]string, len(list)*together)
	for i := range keys {
		keys[i] = m.post("/key/generate", `{}`).ok().text("key")
	}
	passed("alias of a key", func(i int) request {
		return request{"POST", "/key/update", `{"key":"` + keys[i] + `","key_alias":"changed"}`}
	})
	passed("e-mail of a new user", func(i int) request {
		return request{"POST", "/user/new", `{"user_email":"` + []string{"a@example.com", "A@Example.com"}[i%2] + `","auto_create_key":false}`}
	})
	var all []request
	for i := range together {
		id := fmt.Sprint("team", i)
		m.post("/team/new", `{"team_id":"`+id+`"}`).ok()
		all = append(all, request{"POST", "/team/member_add", `{"team_id":"` + id + `","member":{"role":"user","user_email":"new@example.com"}}`})
	}
	for _, r := range m.atOnce(all...) {
		r.ok()
	}
	users, err := list[0].store.Users().Find(t.Context(), store.Query{Where: []store.Cond{store.Eq("user_email", "new@example.com")}})
	if err != nil || len(users) != 1 || len(users[0].Teams) != together {
		t.Errorf("%d users have the e-mail address: %v", len(users), err)
	}
}
