package price

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Lookup finds the entry of a model. base is the operator's base_model and wins if the table has it; region is where a
// Bedrock model runs, or empty.
//
// The rules are those of the reference (litellm/utils.py, _get_model_info_helper and _get_potential_model_names): the
// provider and the model, the model alone, the two again without what marks a variant (see stripped), each only if the
// entry belongs to the provider. A provider in front of the model, as operators write it, makes no difference.
func (t *Table) Lookup(provider, model, base, region string) (Entry, bool) {
	if base != "" {
		if e, ok := t.lookup(provider, base, region); ok {
			return e, true
		}
		// The base model may be another vendor's, as with openai/gpt-4o behind an address of one's own.
		if e, ok := t.Get(base); ok {
			return e, true
		}
		if vendor, rest, ok := strings.Cut(base, "/"); ok {
			if e, ok := t.lookup(vendor, rest, region); ok {
				return e, true
			}
		}
	}
	return t.lookup(provider, model, region)
}

func (t *Table) lookup(provider, model, region string) (Entry, bool) {
	if model == "" {
		return Entry{}, false
	}
	if provider == "vertex_ai_beta" {
		provider = "vertex_ai"
	}
	model = strings.TrimPrefix(model, provider+"/")
	for _, name := range names(provider, model, region) {
		if e, ok := t.Get(name); ok && belongs(e.Provider(), provider) {
			return e, true
		}
	}
	return t.Get(bySize(provider, model))
}

// bySize returns the entry for models of the size in a model's name, for vendors that charge by it
// (litellm/llms/together_ai/cost_calculator.py and litellm/llms/fireworks_ai/cost_calculator.py).
func bySize(provider, model string) string {
	type class struct {
		most int // billions of parameters
		key  string
	}
	var classes []class
	if provider != "together_ai" && provider != "fireworks_ai" {
		return ""
	}
	n, experts := billions(model)
	switch {
	case n == 0:
	case provider == "together_ai" && experts == 1:
		classes = []class{{4, "up-to-4b"}, {8, "4.1b-8b"}, {21, "8.1b-21b"}, {41, "21.1b-41b"}, {80, "41.1b-80b"}, {110, "81.1b-110b"}}
	case provider == "fireworks_ai" && experts > 1:
		classes = []class{{56, "moe-up-to-56b"}, {176, "56b-to-176b"}}
	case provider == "fireworks_ai":
		classes = []class{{4, "up-to-4b"}, {16, "4.1b-to-16b"}, {math.MaxInt, "above-16b"}}
	}
	for _, c := range classes {
		if n*experts <= c.most {
			return strings.ReplaceAll(provider, "_", "-") + "-" + c.key
		}
	}
	return ""
}

// billions finds the number of parameters in a name such as llama-3-70b or mixtral-8x22b; 0 if there is none.
func billions(model string) (n, experts int) {
	m := regexp.MustCompile(`(?:(\d{1,3})x)?(\d{1,4})b(?:[^a-z0-9]|$)`).FindStringSubmatch(strings.ToLower(model))
	if m == nil {
		return 0, 1
	}
	n, _ = strconv.Atoi(m[2]) // digits
	if experts, _ = strconv.Atoi(m[1]); experts == 0 {
		experts = 1
	}
	return n, experts
}

// names are where the table may have a model, the most exact name first.
func names(provider, model, region string) []string {
	var out []string
	add := func(model string) {
		if region != "" {
			out = append(out, provider+"/"+region+"/"+model)
		}
		if provider != "" {
			out = append(out, provider+"/"+model)
		}
		out = append(out, model)
	}
	add(model)
	if s := stripped(provider, model); s != model {
		add(s)
		// A region in front of the name may be the only thing in the way of a price.
		if s2 := stripped(provider, s); s2 != s {
			add(s2)
		}
	}
	if provider == "vertex_ai" {
		add("meta/" + model)
		add(model + "@latest")
	}
	return out
}

// stripped takes away what marks a variant of a model that is charged like the model: Bedrock's routes, regions and
// throughputs, the version of a Google or Databricks model, the owner of a fine-tuned one.
func stripped(provider, model string) string {
	switch provider {
	case "bedrock", "bedrock_converse":
		return bedrockModel(model)
	case "vertex_ai", "gemini", "databricks":
		if i := strings.LastIndexByte(model, '-'); i > 0 && digits(model[i+1:]) {
			return model[:i]
		}
	default:
		if strings.Contains(model, "ft:") {
			return fineTuned(model)
		}
	}
	return model
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// fineTuned returns ft:gpt-4o of ft:gpt-4o:my-org:suffix:id.
func fineTuned(model string) string {
	s := model
	for range 3 {
		i := strings.LastIndexByte(s, ':')
		if i < 0 || i == len(s)-1 {
			return model
		}
		s = s[:i]
	}
	if !strings.Contains(s, "ft:") {
		return model
	}
	return s
}

// bedrockModel follows get_bedrock_base_model of litellm/llms/bedrock/common_utils.py, in two steps: a region is taken
// away only from a name that has nothing else to lose, because some regions have a price of their own.
func bedrockModel(model string) string {
	written := model
	for _, route := range []string{"bedrock/", "converse_like/", "converse/", "invoke/", "openai/"} {
		model = strings.TrimPrefix(model, route)
	}
	if strings.Contains(model, "arn:") {
		model = model[strings.LastIndexByte(model, '/')+1:]
	}
	if i := strings.LastIndexByte(model, ':'); i > 0 && strings.HasSuffix(model, "k") && digits(model[i+1:len(model)-1]) {
		if j := strings.LastIndexByte(model[:i], ':'); j > 0 && digits(model[j+1:i]) {
			model = model[:i]
		}
	}
	if model != written {
		return model
	}
	if area, rest, ok := strings.Cut(model, "."); ok {
		switch area {
		case "global", "us", "eu", "apac", "jp", "au", "ca", "us-gov":
			return rest
		}
	}
	if area, rest, ok := strings.Cut(model, "/"); ok && isRegion(area) {
		return rest
	}
	return model
}

// isRegion tells names such as eu-central-1 and us-gov-west-1.
func isRegion(s string) bool {
	i := strings.LastIndexByte(s, '-')
	return i > 0 && digits(s[i+1:]) && strings.Count(s, "-") >= 2 && !strings.ContainsAny(s, ".:")
}

// belongs reports whether an entry of one vendor serves a deployment of another: the cost map has several names for
// some vendors (litellm/utils.py, _check_provider_match).
func belongs(entry, provider string) bool {
	if provider == "" || entry == "" || entry == provider || provider == "litellm_proxy" {
		return true
	}
	switch provider {
	case "vertex_ai", "fireworks_ai":
		return strings.HasPrefix(entry, provider)
	case "bedrock", "bedrock_converse", "bedrock_mantle":
		return strings.HasPrefix(entry, "bedrock")
	case "azure_ai":
		return entry == "azure" || entry == "openai"
	case "azure", "azure_text":
		return entry == "azure" || entry == "azure_text"
	case "openai":
		return entry == "text-completion-openai"
	case "cohere", "cohere_chat":
		return entry == "cohere" || entry == "cohere_chat"
	case "text-completion-openai":
		return entry == "openai"
	case "ollama_chat":
		return entry == "ollama"
	case "codestral", "text-completion-codestral":
		return entry == "codestral" || entry == "text-completion-codestral"
	}
	return false
}
