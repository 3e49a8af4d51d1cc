package store_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sallyport-ai/sallyport/core/store"
)

func TestText(t *testing.T) {
	t.Parallel()
	var row struct {
		A, B store.Text
		L    store.List
	}
	encoded, err := json.Marshal(row)
	if err != nil || string(encoded) != `{"A":null,"B":null,"L":[]}` {
		t.Errorf("%s, %v", encoded, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"x","B":null,"L":["y"]}`), &row); err != nil || row.A != "x" || row.B != "" || row.L[0] != "y" {
		t.Errorf("%+v, %v", row, err)
	}
	if err := json.Unmarshal([]byte(`{"A":1}`), &row); err == nil {
		t.Error("a number was taken for a text")
	}
}

func TestConflict(t *testing.T) {
	t.Parallel()
	err := error(&store.ConflictError{Table: "T", Field: "f"})
	if !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || err.Error() != "T: a row with this f exists already" {
		t.Error(err)
	}
}
