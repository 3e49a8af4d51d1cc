// Package compat is the table of vendors, and the rule by which a model's name tells its vendor. Most rows are vendors
// that speak OpenAI's API: what differs between them fits into a row. The others have a provider of their own. The names,
// addresses and variables are those of the reference system (litellm/constants.py,
// litellm/litellm_core_utils/get_llm_provider_logic.py and litellm/llms/openai_like/providers.json), so that its
// configurations work.
package compat

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Vendor is one row.
type Vendor struct {
	Name   string // the prefix of its models, such as "groq"
	Own    bool   // it has an API of its own and a provider for it; the row only says where it is and what the key is
	Base   string // base URL; "" must be configured
	Former string // an older base URL, by which the vendor is known too

	BaseVars []string // environment variables of the base URL, the first that is set counts
	KeyVars  []string // environment variables of the key, likewise

	KeyOptional bool   // it works without a key
	DefaultKey  string // sent if there is no key, because the server wants to see one
	KeyHeader   string // the header for the key alone, instead of Authorization: Bearer
	BaseSuffix  string // what a base URL ends with, also if the operator left it out
	ModelPrefix string // what a model's name begins with, also if the operator left it out

	Rename          []llm.Pair      // parameters it knows under another name
	Unsupported     []string        // parameters it refuses
	NoStreamOptions bool            // it refuses stream_options
	Lacks           []llm.Operation // what it does not offer of chats, completions and embeddings
	Offers          []llm.Operation // what it offers besides

	Responses   bool     // it has OpenAI's Responses API
	ResponsesOf []string // parts of the names of the models that have it; nil: all do
	Stateless   bool     // it keeps no responses, so that only requests with store: false go to it as they came
	ResponsesAt string   // what stands before /responses in the path, below the base
	NewLimit    bool     // the models that think know max_completion_tokens only
	Reasons     bool     // it has a use for the reasoning_content of earlier answers
	Caches      bool     // it knows cache_control in messages
	Extended    bool     // it knows all extensions of the reference, as a gateway of its kind

	// What follows is done by Edit.
	Developer bool     // it knows the role developer; for others those messages are system messages
	Plain     bool     // a content of texts only must be one string
	NoNames   bool     // it refuses the names of messages
	Unforced  bool     // it cannot be told that a tool must be called
	Choices   []string // the words it knows as tool_choice; nil: all of them
	Formats   []string // the types of response_format that it knows beside text; nil: all of them
	Thinks    Thinks   // how it is told to think

	Template string     // the base URL if there is none, with names of Settings in braces
	BaseSwap []llm.Pair // endings of a base URL that stand for another API of the vendor, and what they become

	Settings    []Setting // settings that variables of the environment can hold too
	KeySettings []string  // settings that take the place of a key

	Source string // where the facts can be checked: the vendor's page, or the reference's about the vendor
}

// Thinks says what becomes of reasoning_effort for a vendor that has a member thinking, with enabled or disabled as its type.
type Thinks uint8

// The ways. The zero value passes the effort on.
const (
	ThinksByEffort  Thinks = iota
	ThinksUnlessOff        // an effort of none becomes thinking that is disabled; others are passed on
	ThinksOrNot            // efforts are not known: each becomes thinking
)

// OnlyReference reports whether the facts are the reference's about the vendor: no page of the vendor's own was found.
// The reference's page about its own gateway is the vendor's.
func (v *Vendor) OnlyReference() bool {
	return v.Name != "litellm_proxy" && strings.HasPrefix(v.Source, "https://docs.litellm.ai/")
}

// Setting is one of a deployment's settings, and the variables that it is taken from if the deployment does not have it;
// the first that is set counts.
type Setting struct {
	Name string
	Vars []string
}

// Lookup returns the row with the name, or with one of the names that the reference has for it besides.
func Lookup(name string) (Vendor, bool) {
	switch name {
	case "text-completion-openai", "aiohttp_openai":
		name = "openai"
	case "text-completion-codestral":
		name = "codestral"
	case "ollama_chat":
		name = "ollama"
	case "cohere_chat":
		name = "cohere"
	case "azure_text":
		name = "azure"
	case "watsonx_text":
		name = "watsonx"
	case "openai_like":
		name = "custom_openai"
	case "vertex_ai_beta":
		name = "vertex_ai"
	case "ai21":
		name = "ai21_chat"
	case "venice":
		name = "veniceai"
	case "nanogpt":
		name = "nano-gpt"
	}
	rows := All()
	if i := slices.IndexFunc(rows, func(v Vendor) bool { return v.Name == name }); i >= 0 {
		return rows[i], true
	}
	return Vendor{}, false
}

// Vendors returns the rows of the vendors that speak OpenAI's API. The caller owns them.
func Vendors() []Vendor { return slices.Concat(hosted(), newer(), gateways(), local(), templated()) }

// All are the rows of all vendors.
func All() []Vendor { return slices.Concat(own(), further(), moved(), clouds(), Vendors()) }

// Resolve tells which vendor a model of the configuration is of, and the vendor's own name for it. The rule is the
// reference's: custom_llm_provider if it is given, else the part of the name before the first slash, else a base URL
// that is a vendor's, else a name that only OpenAI uses. The error names the model and what to write instead.
func Resolve(model, customProvider, apiBase string) (Vendor, string, error) {
	if model == "" {
		return Vendor{}, "", fmt.Errorf("the model is empty: write it like openai/gpt-4o")
	}
	if customProvider != "" {
		return resolveAs(customProvider, strings.TrimPrefix(model, customProvider+"/"))
	}
	prefix, rest, slash := strings.Cut(model, "/")
	if slash && (known(prefix) || foreign(prefix)) {
		return resolveAs(prefix, rest)
	}
	if v, ok := byBase(apiBase); ok {
		return v, v.prefixed(model), nil
	}
	if vendor := owner(model); vendor != "" && !slash {
		return resolveAs(vendor, model)
	}
	return Vendor{}, "", unknown(model, prefix, slash, apiBase)
}

func resolveAs(name, model string) (Vendor, string, error) {
	if v, ok := Lookup(name); ok {
		if model == "" {
			return Vendor{}, "", fmt.Errorf("the model %q names a vendor and no model: write it like %s/<model>", name+"/", name)
		}
		return v, v.prefixed(model), nil
	}
	if foreign(name) {
		return Vendor{}, "", &UnsupportedError{Vendor: name}
	}
	return Vendor{}, "", fmt.Errorf("custom_llm_provider %q is not a known vendor%s", name, nearest(name))
}

func known(name string) bool {
	_, ok := Lookup(name)
	return ok
}

// prefixed is the model under the name that the vendor wants to see. A name with a "#" stands for a deployment of the
// customer's own (litellm/llms/fireworks_ai/chat/transformation.py).
func (v *Vendor) prefixed(model string) string {
	switch v.Name {
	case "huggingface":
		return routed(model)
	case "github":
		return published(model)
	}
	first, _, _ := strings.Cut(v.ModelPrefix, "/")
	if v.ModelPrefix == "" || strings.HasPrefix(model, first+"/") || strings.Contains(model, "#") {
		return model
	}
	return v.ModelPrefix + model
}

// routed is a model of Hugging Face as its router wants it: the provider that the reference has in front of the name
// stands behind a colon (https://huggingface.co/docs/inference-providers/index#provider-selection).
func routed(model string) string {
	if by, rest, ok := strings.Cut(model, "/"); ok && strings.Contains(rest, "/") && !strings.Contains(model, ":") {
		return rest + ":" + by
	}
	return model
}

// published is a model of GitHub's with its publisher, which names had no need of at the former address
// (https://docs.github.com/en/rest/models/inference).
func published(model string) string {
	if !strings.Contains(model, "/") && owner(model) == "openai" && model != "*" {
		return "openai/" + model
	}
	return model
}

// UnsupportedError says that a vendor is known and speaks an API that the gateway cannot translate yet.
type UnsupportedError struct{ Vendor string }

// Error names the vendor.
func (e *UnsupportedError) Error() string {
	return "the vendor " + e.Vendor + " is not supported yet: it has an API of its own, and the gateway cannot translate for it"
}

// byBase finds the vendor whose API is at the base URL.
func byBase(base string) (Vendor, bool) {
	have := address(base)
	if have == "" {
		return Vendor{}, false
	}
	for _, v := range All() {
		for _, base := range [...]string{v.Base, v.Former} {
			if own := address(base); own != "" && !v.local() && (have == own || strings.HasPrefix(have, own+"/")) {
				return v, true
			}
		}
	}
	return Vendor{}, false
}

// local reports whether the base URL is a place on the operator's own machine, which says nothing about the vendor.
func (v *Vendor) local() bool {
	return strings.Contains(v.Base, "//localhost") || strings.Contains(v.Base, "//127.0.0.1")
}

func address(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return ""
	}
	return strings.ToLower(u.Host) + strings.TrimRight(u.Path, "/")
}

// owner is the vendor whose models have names like this one, without a prefix.
func owner(model string) string {
	for _, p := range []string{
		"gpt-", "o1-", "o3-", "o4-", "chatgpt-", "codex-", "text-embedding-", "ft:gpt-", "davinci-", "babbage-",
		"omni-moderation-", "text-moderation-",
	} {
		if strings.HasPrefix(model, p) {
			return "openai"
		}
	}
	switch {
	case model == "o1", model == "o3", model == "*":
		return "openai"
	case strings.HasPrefix(model, "claude-"):
		return "anthropic"
	case strings.HasPrefix(model, "gemini-"):
		return "vertex_ai"
	case strings.HasPrefix(model, "command-"), strings.HasPrefix(model, "embed-english-"), strings.HasPrefix(model, "embed-multilingual-"):
		return "cohere"
	}
	return ""
}

// unknown is the reference's error, with a hint behind it.
func unknown(model, prefix string, slash bool, apiBase string) error {
	hint := ""
	switch {
	case apiBase != "":
		hint = "\n For a server of your own that speaks OpenAI's API, write openai/" + model + "."
	case slash:
		hint = nearest(prefix)
	default:
		hint = nearest(model)
	}
	return fmt.Errorf("LLM Provider NOT provided. Pass in the LLM provider you are trying to call. You passed model=%s\n"+
		" Pass model as E.g. For 'Huggingface' inference endpoints pass in `completion(model='huggingface/starcoder',..)`"+
		" Learn more: https://docs.litellm.ai/docs/providers%s", model, hint)
}

// nearest lists the vendors with the most similar names.
func nearest(name string) string {
	const most, longest = 3, 64
	if len(name) > longest {
		name = name[:longest]
	}
	type candidate struct {
		name     string
		distance int
	}
	var list []candidate
	for _, v := range All() {
		list = append(list, candidate{v.Name, levenshtein.Distance(strings.ToLower(name), v.Name, nil)})
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return a.distance - b.distance })
	names := make([]string, most)
	for i := range names {
		names[i] = list[i].name
	}
	return "\n Nearest vendors: " + strings.Join(names, ", ") + "."
}

// foreign reports whether the reference knows the vendor, and it needs a translation of its own
// (litellm/types/utils.py, LlmProviders).
func foreign(name string) bool {
	switch name {
	case "a2a", "a2a_agent", "anthropic_text", "auto_router",
		"black_forest_labs", "bytez", "chatgpt", "custom",
		"dotprompt", "gigachat", "github_copilot", "humanloop", "langflow", "langfuse", "langgraph", "manus", "milvus",
		"nvidia_riva", "oci", "petals", "pg_vector", "runwayml", "s3_vectors", "sap", "soniox", "topaz", "valkey", "vllm":
		return true
	}
	return false
}
