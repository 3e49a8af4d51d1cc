package compat_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

func TestRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	rows := compat.Vendors()
	if len(rows) < 40 {
		t.Errorf("only %d rows", len(rows))
	}
	for _, v := range rows {
		if seen[v.Name] {
			t.Errorf("%s is there twice", v.Name)
		}
		seen[v.Name] = true
		if got, ok := compat.Lookup(v.Name); !ok || got.Name != v.Name {
			t.Errorf("Lookup(%s) = %q, %v", v.Name, got.Name, ok)
		}
		if !strings.HasPrefix(v.Source, "https://") {
			t.Errorf("%s: the source is %q", v.Name, v.Source)
		}
		if v.Base == "" && len(v.BaseVars) == 0 {
			t.Errorf("%s: there is no way to set the base URL by a variable", v.Name)
		}
		if len(v.KeyVars) == 0 {
			t.Errorf("%s: there is no way to set the key by a variable", v.Name)
		}
		if u, err := url.Parse(v.Base); v.Base != "" && (err != nil || u.Host == "" || strings.HasSuffix(v.Base, "/")) {
			t.Errorf("%s: base %q: %v", v.Name, v.Base, err)
		}
		for _, name := range slices.Concat(v.BaseVars, v.KeyVars) {
			if name == "" || strings.ToUpper(name) != name || strings.ContainsAny(name, " -") {
				t.Errorf("%s: %q is no name of a variable", v.Name, name)
			}
		}
		for _, r := range v.Rename {
			if slices.Contains(v.Unsupported, r.Name) || slices.Contains(v.Unsupported, r.Value) {
				t.Errorf("%s: %s is both renamed and refused", v.Name, r.Name)
			}
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	f := func(model, custom, base, vendor, upstream string) {
		t.Helper()
		v, got, err := compat.Resolve(model, custom, base)
		if err != nil || v.Name != vendor || got != upstream {
			t.Errorf("Resolve(%q, %q, %q) = %q, %q, %v; want %q, %q", model, custom, base, v.Name, got, err, vendor, upstream)
		}
	}
	f("groq/llama3-8b", "", "", "groq", "llama3-8b")
	f("openai/gpt-4o", "", "", "openai", "gpt-4o")
	f("openai/org/model", "", "http://localhost:8000/v1", "openai", "org/model")
	f("openrouter/anthropic/claude-3.5-sonnet", "", "", "openrouter", "anthropic/claude-3.5-sonnet")
	f("text-completion-openai/davinci-002", "", "", "openai", "davinci-002")
	f("ollama_chat/llama3", "", "", "ollama", "llama3")
	f("hosted_vllm/meta-llama/Llama-3", "", "", "hosted_vllm", "meta-llama/Llama-3")
	f("fireworks_ai/llama-v3", "", "", "fireworks_ai", "accounts/fireworks/models/llama-v3")
	f("fireworks_ai/accounts/me/models/x", "", "", "fireworks_ai", "accounts/me/models/x")
	f("fireworks_ai/llama-v3#accounts/me/deployments/1", "", "", "fireworks_ai", "llama-v3#accounts/me/deployments/1")

	f("github/gpt-4o", "", "", "github", "openai/gpt-4o")
	f("github/openai/gpt-4.1", "", "", "github", "openai/gpt-4.1")
	f("github/meta/Llama-3.3-70B-Instruct", "", "", "github", "meta/Llama-3.3-70B-Instruct")
	f("github/Phi-4", "", "", "github", "Phi-4")
	f("gpt-4o", "", "https://models.inference.ai.azure.com", "github", "openai/gpt-4o")

	f("llama3-8b", "groq", "", "groq", "llama3-8b")
	f("groq/llama3-8b", "groq", "", "groq", "llama3-8b")
	f("meta/llama", "nvidia_nim", "", "nvidia_nim", "meta/llama")

	for _, m := range []string{"gpt-4o", "gpt-3.5-turbo", "o1-mini", "o3", "o4-mini", "chatgpt-4o-latest", "text-embedding-3-small", "ft:gpt-4o:org::1", "*"} {
		f(m, "", "", "openai", m)
	}

	f("anthropic/claude-opus-4-20250514", "", "", "anthropic", "claude-opus-4-20250514")
	f("claude-sonnet-4-5", "", "", "anthropic", "claude-sonnet-4-5")
	f("command-r", "", "", "cohere", "command-r")
	f("huggingface/together/deepseek-ai/DeepSeek-R1", "", "", "huggingface", "deepseek-ai/DeepSeek-R1:together")
	f("huggingface/meta-llama/Llama-3", "", "", "huggingface", "meta-llama/Llama-3")
	f("huggingface/tgi", "", "", "huggingface", "tgi")
	f("cloudflare/@cf/meta/llama", "", "", "cloudflare", "@cf/meta/llama")
	f("cohere_chat/command-a", "", "", "cohere", "command-a")
	f("my-claude", "anthropic", "", "anthropic", "my-claude")
	f("my-claude", "", "https://api.anthropic.com/v1", "anthropic", "my-claude")

	f("llama3", "", "https://api.groq.com/openai/v1", "groq", "llama3")
	f("llama3", "", "https://API.groq.com/openai/v1/", "groq", "llama3")
	f("meta-llama/Llama-3", "", "https://api.together.xyz/v1", "together_ai", "meta-llama/Llama-3")
	f("sonar", "", "https://api.perplexity.ai/chat", "perplexity", "sonar")
	f("gpt-4o", "", "http://localhost:8000/v1", "openai", "gpt-4o")
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	f := func(model, custom, base string, parts ...string) {
		t.Helper()
		v, _, err := compat.Resolve(model, custom, base)
		if err == nil {
			t.Errorf("Resolve(%q, %q, %q) = %q", model, custom, base, v.Name)
			return
		}
		for _, p := range parts {
			if !strings.Contains(err.Error(), p) {
				t.Errorf("Resolve(%q, %q, %q): the error %q lacks %q", model, custom, base, err, p)
			}
		}
	}
	f("", "", "", "openai/gpt-4o")
	f("grok/llama3", "", "", "LLM Provider NOT provided", "You passed model=grok/llama3", "groq")
	f("mistrall/x", "", "", "mistral")
	f("llama3", "", "", "LLM Provider NOT provided", "model=llama3")
	f("llama3", "", "http://localhost:8000/v1", "write openai/llama3")
	f("llama3", "", "http://127.0.0.1:8080/v1", "write openai/llama3")
	f("llama3", "", "https://api.groq.com.evil.example/openai/v1", "write openai/llama3")
	f("llama3", "grok", "", "custom_llm_provider", `"grok"`, "groq")
	f("groq/", "", "", "groq/<model>")
	f(strings.Repeat("x", 100000), "", "", "LLM Provider NOT provided")

	unsupported := func(model, custom, vendor string) {
		t.Helper()
		_, _, err := compat.Resolve(model, custom, "")
		var e *compat.UnsupportedError
		if !errors.As(err, &e) || e.Vendor != vendor || !strings.Contains(err.Error(), vendor+" is not supported yet") {
			t.Errorf("Resolve(%q, %q) = %v", model, custom, err)
		}
	}
	unsupported("anthropic_text/claude-2", "", "anthropic_text")
}

func FuzzResolve(f *testing.F) {
	f.Add("groq/llama", "", "https://api.groq.com/openai/v1")
	f.Add("x", "openai", "::")
	f.Fuzz(func(t *testing.T, model, custom, base string) {
		v, upstream, err := compat.Resolve(model, custom, base)
		if err == nil && (v.Name == "" || upstream == "") {
			t.Errorf("Resolve(%q, %q, %q) = %q, %q", model, custom, base, v.Name, upstream)
		}
	})
}
