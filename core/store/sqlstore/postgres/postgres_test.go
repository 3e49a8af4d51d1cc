package postgres_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func open(t testing.TB, s postgres.Settings) store.Store {
	t.Helper()
	opened, err := postgres.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Built(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return opened
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Open {
		url := storetest.Postgres(t)
		return func(t testing.TB, vault *store.Vault) store.Store {
			return open(t, postgres.Settings{URL: url, MaxConns: 4, Options: sqlstore.Options{Vault: vault}})
		}
	})
}
