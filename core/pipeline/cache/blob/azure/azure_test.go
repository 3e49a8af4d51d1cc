package azure_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/azure"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
)

// account is Azure's storage as its REST reference describes it: Put Blob, Get Blob, Delete Blob, List Blobs with pages, and
// Create Container (https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-rest-api).
type account struct {
	t     testing.TB
	mu    sync.Mutex
	blobs map[string][]byte // nil before there is a container
}

const pageSize = 100

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := r.URL.Query()
	if q.Get("sig") != "s1" || r.Header.Get("x-ms-version") == "" {
		a.t.Errorf("%s %s: signature %q, version %q", r.Method, r.URL.Path, q.Get("sig"), r.Header.Get("x-ms-version"))
	}
	name, inside := strings.CutPrefix(r.URL.Path, "/answers/")
	fail := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>no</Message></Error>", code)
	}
	switch {
	case r.Method == http.MethodPut && !inside && q.Get("restype") == "container":
		a.blobs = map[string][]byte{}
		w.WriteHeader(http.StatusCreated)
	case a.blobs == nil:
		fail(http.StatusNotFound, "ContainerNotFound")
	case r.Method == http.MethodGet && !inside && q.Get("comp") == "list":
		a.list(w, q.Get("prefix"), q.Get("marker"))
	case r.Method == http.MethodPut:
		if r.Header.Get("x-ms-blob-type") != "BlockBlob" {
			fail(http.StatusBadRequest, "MissingRequiredHeader")
			return
		}
		a.blobs[name], _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
	case a.blobs[name] == nil:
		fail(http.StatusNotFound, "BlobNotFound")
	case r.Method == http.MethodDelete:
		delete(a.blobs, name)
		w.WriteHeader(http.StatusAccepted)
	default:
		_, _ = w.Write(a.blobs[name])
	}
}

func (a *account) list(w http.ResponseWriter, prefix, marker string) {
	fmt.Fprint(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="answers"><Blobs>`)
	n, next := 0, ""
	for _, name := range slices.Sorted(maps.Keys(a.blobs)) {
		if !strings.HasPrefix(name, prefix) || name < marker {
			continue
		}
		if n++; n > pageSize {
			next = name
			break
		}
		fmt.Fprintf(w, "<Blob><Name>%s</Name><Properties><Content-Length>%d</Content-Length></Properties></Blob>", name, len(a.blobs[name]))
	}
	fmt.Fprintf(w, "</Blobs><NextMarker>%s</NextMarker></EnumerationResults>", next)
}

func TestContract(t *testing.T) {
	t.Parallel()
	a := &account{t: t}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	cachetest.Store(t, cachetest.Options{
		Keeps: true, Break: func(testing.TB) { s.Close() },
		Open: func(t testing.TB) cache.Store {
			api, err := azure.New(s.URL+"?sv=2021-12-02&sig=s1", "answers")
			if err != nil {
				t.Fatal(err)
			}
			if !api.Signed() {
				t.Error("the signature in the address was not seen")
			}
			return blob.New(blob.Settings{Name: "Azure Blob Storage", API: api, Target: api.Target(), Prefix: "p"})
		},
		Foreign: func(testing.TB) func(testing.TB) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.blobs == nil {
				a.blobs = map[string][]byte{}
			}
			a.blobs["p/theirs.txt"] = []byte("theirs")
			return func(t testing.TB) {
				a.mu.Lock()
				defer a.mu.Unlock()
				if string(a.blobs["p/theirs.txt"]) != "theirs" {
					t.Error("what others keep is gone")
				}
			}
		},
	})
}

// An address with a signature does not show in errors.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	api, err := azure.New(s.URL+"?sig=top-secret", "answers")
	if err != nil {
		t.Fatal(err)
	}
	err = blob.New(blob.Settings{Name: "Azure Blob Storage", API: api, Target: api.Target()}).Ping(t.Context())
	if err == nil || strings.Contains(err.Error(), "top-secret") {
		t.Errorf("%v", err)
	}
	for _, bad := range [][2]string{{"name.blob.core.windows.net", "c"}, {"https://h", ""}, {"https://h", "a/b"}} {
		if _, err := azure.New(bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
