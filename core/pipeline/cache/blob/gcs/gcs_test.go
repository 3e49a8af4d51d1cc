package gcs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/gcs"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
)

type bearer struct{}

func (bearer) Sign(_ context.Context, c *llm.Call) error {
	c.Header = append(c.Header, llm.Field{Name: []byte("Authorization"), Value: []byte("Bearer token-1")})
	return nil
}

// The XML API of Google's storage is that of S3 in all that a cache needs, so a server of that API stands for it, behind a
// check of the token.
func TestContract(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("answers"); err != nil {
		t.Fatal(err)
	}
	fake := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token-1" {
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	cachetest.Store(t, cachetest.Options{
		Keeps: true, Break: func(testing.TB) { s.Close() },
		Open: func(t testing.TB) cache.Store {
			api, err := gcs.New("answers", s.URL)
			if err != nil {
				t.Fatal(err)
			}
			return blob.New(blob.Settings{Name: "Google Cloud Storage", API: api, Target: api.Target(), Signer: bearer{}, Prefix: "p"})
		},
	})
}

func TestPlace(t *testing.T) {
	t.Parallel()
	api, err := gcs.New("bkt", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := api.Target().Scheme + "://" + api.Target().Host + api.Object("o"); got != "https://storage.googleapis.com/bkt/o" {
		t.Error(got)
	}
	for _, b := range []string{"", "a/b", "a?b"} {
		if _, err := gcs.New(b, ""); err == nil {
			t.Errorf("%q was taken", b)
		}
	}
}
