package vendorcheck_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	dialect "github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/mock"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = flag.Bool("update", false, "write testdata/rows.txt anew")

const rows = "testdata/rows.txt"

func newProvider(v compat.Vendor) *openai.Provider {
	return openai.New(openai.Settings{
		Name: v.Name, Base: v.Base, BaseSuffix: v.BaseSuffix, KeyOptional: v.KeyOptional, DefaultKey: v.DefaultKey,
		KeyHeader: v.KeyHeader, KeyVars: v.KeyVars, BaseVars: v.BaseVars, Rename: v.Rename, Unsupported: v.Unsupported,
		NoStreamOptions: v.NoStreamOptions, Lacks: v.Lacks, Responses: v.Responses, NewLimit: v.NewLimit,
		Reasons: v.Reasons, Caches: v.Caches, Extended: v.Extended,
	})
}

func exchange(t *testing.T, op llm.Operation) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	x.Op = op
	if err := x.Body.Parse([]byte(`{"model":"mine"}`)); err != nil {
		t.Fatal(err)
	}
	if err := dialect.Decode(x); err != nil {
		t.Fatal(err)
	}
	return x
}

// encode returns "URL, credential line" of a call, or the error.
func encode(t *testing.T, e provider.Endpoint, op llm.Operation) string {
	t.Helper()
	var c llm.Call
	if err := e.Encode(exchange(t, op), &c); err != nil {
		return strings.TrimPrefix(llm.AsError(err).Message, "litellm.BadRequestError: ")
	}
	return c.Target.Scheme + "://" + c.Target.Host + string(c.Path) + ", " + credential(string(c.Head))
}

func credential(head string) string {
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "", "Content-Type", "Accept", "User-Agent":
		default:
			return line
		}
	}
	return "no credential"
}

// TestRows binds every row, with and without a key, and compares where its calls go with testdata/rows.txt.
func TestRows(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	for _, v := range compat.Vendors() {
		d := &llm.Deployment{Group: "mine", Provider: v.Name, Model: "m", APIKey: "the-key"}
		if v.Base == "" {
			if _, err := newProvider(v).Bind(d); err == nil || !strings.Contains(err.Error(), v.BaseVars[0]) {
				t.Errorf("%s without an address: %v", v.Name, err)
			}
			d.Base = "https://configured.example/root"
		}
		e, err := newProvider(v).Bind(d)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		for _, op := range []llm.Operation{llm.OpChat, llm.OpCompletion, llm.OpEmbedding} {
			fmt.Fprintf(&got, "%s: %s\n", v.Name, encode(t, e, op))
		}
		d.APIKey = ""
		e, err = newProvider(v).Bind(d)
		if v.KeyOptional || v.DefaultKey != "" {
			if err != nil {
				t.Errorf("%s without a key: %v", v.Name, err)
				continue
			}
			fmt.Fprintf(&got, "%s without a key: %s\n", v.Name, encode(t, e, llm.OpChat))
			continue
		}
		if err == nil || !strings.Contains(err.Error(), v.KeyVars[0]) {
			t.Errorf("%s without a key: %v", v.Name, err)
		}
	}
	if *update {
		if err := os.WriteFile(rows, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMockInFront runs the scripts through a provider that mocks nothing: it must not show.
func TestMockInFront(t *testing.T) {
	t.Parallel()
	v, _ := compat.Lookup("openai")
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: v.Name, Model: "vendor-model", APIKey: "sk-0123456789abc"}
	providertest.Run(t, mock.New(newProvider(v)), d, os.DirFS("../../provider/openai/testdata"), providertest.Options{})
}

// TestSuite runs the scripts of the OpenAI provider against vendors that differ from it.
func TestSuite(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"groq", "together_ai", "mistral", "openrouter", "hosted_vllm", "ollama", "sarvam", "cloudflare", "fireworks_ai", "ai21_chat", "huggingface"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, ok := compat.Lookup(name)
			if !ok {
				t.Fatal("there is no such row")
			}
			d := &llm.Deployment{
				ID: "d1", Group: "mine", Provider: name, Model: "vendor-model", APIKey: "sk-0123456789abc",
				Base: "https://vendor.example/v1", DropParams: true,
			}
			o := providertest.Options{SkipCalls: true, Expect: func(s string) string {
				s = strings.ReplaceAll(s, "OpenAIException", string(unicode.ToUpper(rune(name[0])))+name[1:]+"Exception")
				return strings.ReplaceAll(s, " of openai ", " of "+name+" ")
			}}
			for _, op := range v.Lacks {
				switch op {
				case llm.OpCompletion:
					o.Skip = append(o.Skip, "completion", "completion-stream")
				case llm.OpEmbedding:
					o.Skip = append(o.Skip, "embeddings")
				}
			}
			providertest.Run(t, newProvider(v), d, os.DirFS("../../provider/openai/testdata"), o)
		})
	}
}
