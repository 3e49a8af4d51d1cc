// Package bridge is the provider for chats with models that OpenAI and Azure have in the Responses API only, such as
// o1-pro, gpt-5-pro and the codex models: requests and answers are translated
// (https://platform.openai.com/docs/guides/migrate-to-responses,
// https://platform.openai.com/docs/api-reference/responses). Everything else about such a deployment is OpenAI's API.
package bridge

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Settings describe the vendor.
type Settings struct {
	Name      string
	Base      string // base URL of deployments that have none
	BaseVars  []string
	KeyVars   []string
	KeyHeader string // the header for the key alone, instead of Authorization: Bearer

	// Place says for a deployment where its calls go, for a vendor with addresses of its own making. Nil: the path is
	// /responses behind the base.
	Place func(d *llm.Deployment) (*provider.Place, error)

	Summary     bool             // ask for a summary of thoughts where a request says how much shall be thought
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	v := provider.Translation{
		Name: s.Name, Base: s.Base, BaseVars: s.BaseVars, KeyVars: s.KeyVars, KeyHeader: s.KeyHeader,
		Allows: true, Free: true, MaxResponse: s.MaxResponse, Now: s.Now,
		Chat: &provider.Chat{Path: "/responses", Request: s.request, Whole: whole, Events: events, Params: params()},
	}
	if s.Place != nil {
		v.Locate, v.Bind = locate(s.Place), bind(s.Place)
	}
	return provider.Translate(v)
}

// params are the parameters of chats that the Responses API has something for. modalities and audio are not among them: it
// hears sounds, and answers in text and refusals only (src/openai/types/responses/response_create_params.py and
// response_output_message.py of https://github.com/openai/openai-python; https://platform.openai.com/docs/guides/audio names
// chat completions and realtime for answers that are spoken).
func params() []string {
	return []string{
		"functions", "function_call", "logprobs", "max_completion_tokens", "max_tokens", "metadata", "parallel_tool_calls",
		"prompt_cache_key", "prompt_cache_retention", "reasoning", "reasoning_effort", "response_format", "safety_identifier",
		"service_tier", "store", "temperature", "thinking", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
		"web_search_options",
	}
}

// locate is the base of a deployment at a vendor with addresses of its own making.
func locate(place func(*llm.Deployment) (*provider.Place, error)) func(*provider.Site) (string, error) {
	return func(s *provider.Site) (string, error) {
		p, err := place(s.Deployment)
		if err != nil {
			return "", err
		}
		base := p.Base
		if base == "" {
			base = s.Deployment.Base
		}
		if base == "" {
			return "", nil
		}
		if p.Path != nil {
			base += strings.TrimRight(p.Path(llm.OpResource), "/")
		}
		if p.Query != "" {
			base += "?" + p.Query
		}
		return base, nil
	}
}

func bind(place func(*llm.Deployment) (*provider.Place, error)) func(*provider.Site) error {
	return func(s *provider.Site) error {
		p, err := place(s.Deployment)
		if err != nil {
			return err
		}
		s.Signer, s.Keyless = p.Signer, p.Signer != nil
		return nil
	}
}

// Reasons reports whether the deployment's model thinks, by its name or by that of its base_model: it has what it thought
// encrypted in its answers, and no temperature.
func Reasons(d *llm.Deployment) bool {
	name := d.Model
	if base, ok := d.Info["base_model"].(string); ok {
		name = base
	}
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	if strings.HasPrefix(name, "codex") {
		return true
	}
	if rest, ok := strings.CutPrefix(name, "o"); ok {
		return rest != "" && rest[0] >= '1' && rest[0] <= '9'
	}
	rest, ok := strings.CutPrefix(name, "gpt-")
	return ok && rest != "" && rest[0] >= '5' && rest[0] <= '9' && !strings.Contains(rest, "-chat")
}
