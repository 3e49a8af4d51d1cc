package vendorcheck_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/sagemaker"
)

type signer struct{}

func (signer) Sign(context.Context, *llm.Call) error { return nil }

// TestClouds runs the scripts of the OpenAI provider against clouds that speak its API under addresses of their own.
func TestClouds(t *testing.T) {
	t.Parallel()
	f := func(name, base, key, path string, bind func(s openai.Settings) provider.Provider, skip ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openai.Settings{Name: name, KeyHeader: "api-key"}
			d := &llm.Deployment{ID: "d1", Group: "mine", Provider: name, Model: "vendor-model", Base: base, APIKey: key, APIVersion: "2024-10-21"}
			o := providertest.Options{Skip: skip, Expect: func(s string) string {
				s = strings.ReplaceAll(s, "OpenAIException", exception(name))
				return strings.ReplaceAll(s, " of openai ", " of "+name+" ")
			}}
			p := bind(s)
			providertest.Run(t, p, d, os.DirFS("../../provider/openai/testdata"), o)
			e, err := p.Bind(d)
			if err != nil {
				t.Fatal(err)
			}
			var c llm.Call
			if err := e.Encode(exchange(t, llm.OpChat), &c); err != nil {
				t.Fatal(err)
			}
			if got := string(c.Path); got != path || (c.Signer == nil) != (key != "") || strings.Contains(string(c.Head), "api-key: sk-") != (key != "") {
				t.Errorf("path %s, signer %v, head %q", got, c.Signer, c.Head)
			}
		})
	}
	identity := azure.Settings{Identity: func(*llm.Deployment) (llm.Signer, error) { return signer{}, nil }}
	placed := func(place func(*llm.Deployment) (*provider.Place, error)) func(openai.Settings) provider.Provider {
		return func(s openai.Settings) provider.Provider {
			s.Place = place
			return openai.New(s)
		}
	}
	const dep = "/openai/deployments/vendor-model/chat/completions?api-version=2024-10-21"
	f("azure", "https://r.openai.azure.com", "sk-0123456789abc", dep, placed(azure.Place(identity)))
	f("azure", "https://r.openai.azure.com/openai/v1", "", "/openai/v1/chat/completions", placed(azure.Place(identity)))
	f("azure_ai", "https://r.services.ai.azure.com", "sk-0123456789abc", "/models/chat/completions?api-version=2024-10-21", placed(azure.PlaceAI(identity)))
	account := sagemaker.Settings{Account: func(*llm.Deployment, string, string) (string, llm.Signer, error) { return "us-east-1", signer{}, nil }}
	f("sagemaker_chat", "", "", "/endpoints/vendor-model/invocations", func(s openai.Settings) provider.Provider {
		return sagemaker.Chat(placed(sagemaker.Place(account))(s))
	}, "completion", "completion-stream", "embeddings")
}

// exception is the vendor's name in errors, as the reference writes it.
func exception(name string) string { return strings.ToUpper(name[:1]) + name[1:] + "Exception" }
