package app_test

import (
	"fmt"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Azure has what it stores below /openai, and wants to know the version of the API.
func TestAzureResources(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"assistant-1","object":"file"}`))
	s := apptest.Start(t, fmt.Sprintf(`
files_settings:
  - {custom_llm_provider: azure, api_base: %[1]s, api_key: k-files, api_version: "2024-10-21"}
general_settings: {master_key: sk-1234}
`, v.URL), apptest.Env("AZURE_API_KEY=k-env", "AZURE_API_BASE="+v.URL, "AZURE_API_VERSION=2025-03-01"))
	f := func(path, sent, key string) {
		t.Helper()
		if r := s.Get(path); r.Status != 200 {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
		if got := v.Last(); got.Path != sent || got.Header.Get("Api-Key") != key {
			t.Errorf("%s: sent %s with %v, want %s", path, got.Path, got.Header, sent)
		}
	}
	f("/azure/v1/files/assistant-1", "/openai/files/assistant-1?api-version=2024-10-21", "k-files")
	f("/v1/batches?custom_llm_provider=azure&limit=3", "/openai/batches?api-version=2024-10-21&limit=3", "k-files")
	f("/v1/vector_stores?custom_llm_provider=azure", "/openai/vector_stores?api-version=2025-03-01", "k-env")
}
