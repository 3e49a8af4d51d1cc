package azure_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
)

type signer struct{}

func (signer) Sign(context.Context, *llm.Call) error { return nil }

// where writes what a place says: the address of an operation, the header of the key, and who signs.
func where(p *provider.Place, op llm.Operation) string {
	path := p.Path(op)
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	out := p.Base + path
	if p.Query != "" {
		out += mark + p.Query
	}
	if p.KeyHeader != "" {
		out += " " + p.KeyHeader
	}
	if p.KeyBearer {
		out += " bearer"
	}
	if p.Signer != nil {
		out += " signed"
	}
	return out
}

func TestPlace(t *testing.T) {
	t.Parallel()
	f := func(d llm.Deployment, op llm.Operation, want string) {
		t.Helper()
		p, err := azure.Place(azure.Settings{})(&d)
		if err != nil {
			t.Fatal(err)
		}
		if got := where(p, op); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", d.Base, op, got, want)
		}
	}
	const host = "https://r.openai.azure.com"
	d := llm.Deployment{Model: "my dep/1", Base: host + "/"}
	const dep = host + "/openai/deployments/my%20dep%2F1"
	f(d, llm.OpChat, dep+"/chat/completions?api-version="+azure.DefaultVersion)
	d.APIVersion = "2024-10-21"
	f(d, llm.OpTranscription, dep+"/audio/transcriptions?api-version=2024-10-21")
	f(d, llm.OpResource, host+"/openai/?api-version=2024-10-21")
	f(d, llm.OpRealtime, host+"/openai/realtime?deployment=my+dep%2F1&api-version=2024-10-21")
	for _, end := range []string{"/openai", "/openai/", "/openai/deployments/my%20dep%2F1/chat/completions", "/openai/deployments/my%20dep%2F1/responses"} {
		d.Base = host + end
		if strings.Contains(end, "%2F1") {
			d.Model = "x"
			f(d, llm.OpChat, host+"/openai/deployments/x/chat/completions?api-version=2024-10-21") // a name with a slash is none
			d.Model = "my dep/1"
			continue
		}
		f(d, llm.OpChat, dep+"/chat/completions?api-version=2024-10-21")
	}
	d.Base = host + "/openai/deployments/other/embeddings?api-version=2023-05-15&x=1"
	f(d, llm.OpEmbedding, host+"/openai/deployments/other/embeddings?x=1&api-version=2023-05-15")
	d.Base, d.Model = "https://gw.example/prefix/openai/v1", "gpt-5"
	f(d, llm.OpChat, "https://gw.example/prefix/openai/v1/chat/completions")
	f(d, llm.OpResource, "https://gw.example/prefix/openai/v1/")
	f(d, llm.OpRealtime, "https://gw.example/prefix/openai/v1/realtime?model=gpt-5")
	d.Base, d.APIVersion = host, "preview"
	f(d, llm.OpChat, host+"/openai/v1/chat/completions?api-version=preview")
	d.APIVersion = "latest"
	f(d, llm.OpChat, host+"/openai/v1/chat/completions")
	d.APIVersion = "2024-10-21&x=y"
	if _, err := azure.Place(azure.Settings{})(&d); err == nil || !strings.Contains(err.Error(), "litellm_params.api_version") {
		t.Errorf("a version that is none gave %v", err)
	}
}

func TestPlaceAI(t *testing.T) {
	t.Parallel()
	f := func(base, version string, op llm.Operation, want string) {
		t.Helper()
		p, err := azure.PlaceAI(azure.Settings{})(&llm.Deployment{Model: "m", Base: base, APIVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		if got := where(p, op); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", base, op, got, want)
		}
	}
	f("https://r.services.ai.azure.com", "", llm.OpChat, "https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview api-key")
	f("https://r.services.ai.azure.com/models/chat/completions?api-version=2025-01-01", "", llm.OpEmbedding, "https://r.services.ai.azure.com/models/embeddings?api-version=2025-01-01 api-key")
	f("https://r.services.ai.azure.com/openai/v1/", "v1", llm.OpChat, "https://r.services.ai.azure.com/openai/v1/chat/completions")
	f("https://r.openai.azure.com", "2024-10-21", llm.OpChat, "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21")
	f("https://m.eastus2.models.ai.azure.com", "", llm.OpChat, "https://m.eastus2.models.ai.azure.com/chat/completions bearer")
	f("https://m.eastus2.models.ai.azure.com/v1/chat/completions", "", llm.OpChat, "https://m.eastus2.models.ai.azure.com/v1/chat/completions bearer")
	f("https://m.eastus2.models.ai.azure.com/v1", "", llm.OpRerank, "https://m.eastus2.models.ai.azure.com/v1/rerank bearer")
	f("https://m.eastus2.models.ai.azure.com", "2024-05-01-preview", llm.OpEmbedding, "https://m.eastus2.models.ai.azure.com/embeddings?api-version=2024-05-01-preview bearer")
	const kontext = "FLUX.1-Kontext-pro"
	image := func(base, version string, op llm.Operation, want string) {
		t.Helper()
		p, err := azure.PlaceAI(azure.Settings{})(&llm.Deployment{Model: kontext, Base: base, APIVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		if got := where(p, op); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", base, op, got, want)
		}
	}
	image("https://r.services.ai.azure.com", "", llm.OpImageEdit, "https://r.services.ai.azure.com/openai/deployments/"+kontext+"/images/edits?api-version=2025-04-01-preview api-key")
	image("https://r.services.ai.azure.com/models", "2026-01-01", llm.OpImage, "https://r.services.ai.azure.com/openai/deployments/"+kontext+"/images/generations?api-version=2026-01-01 api-key")
	if p, err := azure.PlaceAI(azure.Settings{})(&llm.Deployment{Model: "m"}); err != nil || p.Path != nil {
		t.Errorf("without an address: %+v, %v", p, err)
	}
}

// Versions before the Responses API have chats translated.
func TestResponses(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"": false, "2024-10-21": false, "2025-03-01-preview": true, "2025-04-01-preview": true, "v1": true, "preview": true} {
		p, err := azure.Place(azure.Settings{})(&llm.Deployment{Model: "m", Base: "https://h", APIVersion: version})
		if err != nil || p.NoResponses == want {
			t.Errorf("%q: %+v, %v", version, p, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := azure.Settings{Identity: func(d *llm.Deployment) (llm.Signer, error) {
		if d.Setting("tenant_id") == "" {
			return nil, errors.New("no tenant")
		}
		return signer{}, nil
	}}
	tenant := []llm.Pair{{Name: "tenant_id", Value: "t"}}
	for _, place := range []func(*llm.Deployment) (*provider.Place, error){azure.Place(s), azure.PlaceAI(s)} {
		d := &llm.Deployment{Model: "m", Base: "https://r.services.ai.azure.com", Settings: tenant}
		if p, err := place(d); err != nil || p.Signer == nil {
			t.Errorf("got %+v, %v", p, err)
		}
		d.APIKey = "k"
		if p, err := place(d); err != nil || p.Signer != nil {
			t.Errorf("with a key: %+v, %v", p, err)
		}
		if _, err := place(&llm.Deployment{Model: "m", Base: "https://r.services.ai.azure.com"}); err == nil {
			t.Error("an identity that is wrong was taken")
		}
	}
}

func TestReasoning(t *testing.T) {
	t.Parallel()
	f := func(model, base, written string, want bool) {
		t.Helper()
		d := &llm.Deployment{Model: azure.Model(model), Base: "https://h", Written: written, Info: map[string]any{}}
		if base != "" {
			d.Info["base_model"] = base
		}
		p, err := azure.Place(azure.Settings{})(d)
		if err != nil || (len(p.Rename) > 0) != want || (len(p.Unsupported) > 0) != want {
			t.Errorf("%s, %s, %s: %+v, %v", model, base, written, p, err)
		}
	}
	f("o1", "", "", true)
	f("o3-mini", "", "", true)
	f("gpt-5-mini", "", "", true)
	f("gpt-5.1", "", "", true)
	f("gpt-5-chat", "", "", false)
	f("gpt-4o", "", "", false)
	f("o1000", "", "", false)
	f("my-dep", "azure/o4-mini", "", true)
	f("o3", "azure/gpt-4o", "", false)
	f("o_series/my-dep", "", "azure/o_series/my-dep", true)
	f("gpt5_series/my-dep", "", "azure/gpt5_series/my-dep", true)
	if got := azure.Model("responses/dep"); got != "dep" {
		t.Errorf("got %q", got)
	}
}
