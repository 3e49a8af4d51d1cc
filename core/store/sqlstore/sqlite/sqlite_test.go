package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/sqlite"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func open(t testing.TB, path string, o sqlstore.Options) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Open {
		path := filepath.Join(t.TempDir(), "store.db")
		return func(t testing.TB, vault *store.Vault) store.Store {
			return open(t, path, sqlstore.Options{Vault: vault})
		}
	})
}
