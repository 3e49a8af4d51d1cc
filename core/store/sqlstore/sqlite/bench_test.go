package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// BenchmarkRecord is the cost of one call in a batch of a thousand, all by one key.
func BenchmarkRecord(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "store.db"), sqlstore.Options{})
	if err := s.Keys().Create(b.Context(), &store.Key{Token: storetest.BenchKey, UserID: "u", TeamID: "t"}); err != nil {
		b.Fatal(err)
	}
	storetest.BenchmarkRecord(b, s)
}
