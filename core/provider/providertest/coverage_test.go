package providertest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// coverage is the table of what the scripts show.
const coverage = "../COVERAGE.md"

var update = UpdateFlag()

// covered is a provider, and the folders of the scripts that its own test runs.
type covered struct {
	name    string
	folders []string
	chats   bool
}

func providers() []covered {
	return []covered{
		{"openai", []string{"openai/testdata"}, true},
		{"openai, by the Responses API", []string{"bridge/testdata"}, true},
		{"anthropic", []string{"anthropic/testdata"}, true},
		{"bedrock", []string{"bedrock/testdata/claude", "bedrock/testdata/other", "bedrock/testdata/nova", "bedrock/testdata/adaptive"}, true},
		{"gemini, vertex_ai", []string{"gemini/testdata", "gemini/testdata/three", "gemini/testdata/vertex"}, true},
		{"cohere", []string{"cohere/testdata"}, true},
		{"mistral", []string{"mistral/testdata"}, true},
		{"ollama", []string{"ollama/testdata"}, true},
		{"databricks", []string{"databricks/testdata"}, true},
		{"watsonx", []string{"watsonx/testdata"}, true},
		{"predibase", []string{"predibase/testdata"}, true},
		{"sagemaker", []string{"sagemaker/testdata"}, true},
		{"replicate", []string{"replicate/testdata"}, true},
		{"triton", []string{"triton/testdata"}, true},
		{"nlp_cloud", []string{"nlpcloud/testdata"}, true},
		{"huggingface, beside chats", []string{"huggingface/testdata"}, false},
		{"jina_ai", []string{"jina/testdata"}, false},
		{"voyage", []string{"voyage/testdata"}, false},
		{"deepgram", []string{"deepgram/testdata"}, false},
		{"elevenlabs", []string{"elevenlabs/testdata"}, false},
		{"aws_polly", []string{"polly/testdata"}, false},
		{"dashscope, beside chats", []string{"dashscope/testdata"}, false},
		{"deepinfra, reranking", []string{"deepinfra/testdata"}, false},
		{"nvidia_nim, reranking", []string{"nvidia/testdata"}, false},
		{"snowflake, embeddings", []string{"snowflake/testdata"}, false},
		{"fal_ai", []string{"falai/testdata"}, false},
		{"stability", []string{"stability/testdata"}, false},
		{"openrouter, images", []string{"openrouter/testdata"}, false},
		{"minimax, speech", []string{"minimax/testdata"}, false},
		{"bedrock, knowledge bases", []string{"bedrock/testdata/knowledge"}, false},
		{"vertex_ai, corpora", []string{"gemini/testdata/corpus"}, false},
		{"vertex_ai, data stores", []string{"gemini/testdata/datastore", "gemini/testdata/app"}, false},
		{"vertex_ai, tuning", []string{"gemini/testdata/tuning"}, false},
		{"azure_ai, documents", []string{"azure/testdata/documents"}, false},
		{"azure_ai, search", []string{"azure/testdata/search"}, false},
	}
}

// capability is a column: the scripts that may show it, and what their replies must hold.
type capability struct {
	name    string
	chat    bool
	scripts []string
	reply   *regexp.Regexp // nil: that of an answer
	after   string         // another capability that this one goes with: refused if that one is
}

func capabilities() []capability {
	kind := func(kinds ...llm.Kind) *regexp.Regexp {
		var all []string
		for _, k := range kinds {
			all = append(all, strconv.Itoa(int(k)))
		}
		return regexp.MustCompile(`^error kind (` + strings.Join(all, "|") + `),`)
	}
	two := regexp.MustCompile(`"type":"function".*(\n.*)*"type":"function"`)
	list := []capability{
		{"whole", true, []string{"whole"}, regexp.MustCompile(`streamed false`), ""},
		{"stream", true, []string{"stream"}, regexp.MustCompile(`streamed true`), ""},
		{"usage of a stream", true, []string{"stream-usage", "stream"}, regexp.MustCompile(`Prompt:[1-9]`), ""},
		{"tools", true, []string{"tools"}, regexp.MustCompile(`"tool_calls":\[`), ""},
		{"parallel tools", true, []string{"parallel-tools"}, two, "tools"},
		{"tools streamed", true, []string{"stream-tools"}, regexp.MustCompile(`"tool_calls":\[`), "tools"},
		{"parallel, streamed", true, []string{"stream-parallel-tools"}, two, "tools"},
		{"choice of tools", true, []string{"tool-choice"}, nil, "tools"},
		{"results of tools", true, []string{"tool-results"}, nil, "tools"},
		{"images", true, []string{"images"}, nil, ""},
		{"JSON mode", true, []string{"json-mode"}, nil, ""},
		{"JSON schema", true, []string{"json-schema"}, nil, ""},
		{"reasoning", true, []string{"reasoning", "thinking"}, regexp.MustCompile(`"reasoning_content":"|Reasoning:[1-9]`), ""},
		{"reasoning streamed", true, []string{"stream-reasoning", "stream-thinking"}, regexp.MustCompile(`"reasoning_content":"`), "reasoning"},
		{"cached tokens", true, nil, regexp.MustCompile(`Cached:[1-9]`), ""},
		{"reasoning tokens", true, nil, regexp.MustCompile(`Reasoning:[1-9]`), "reasoning"},
		{"stop sequences", true, []string{"stop"}, nil, ""},
		{"ended by length", true, nil, regexp.MustCompile(`finish "length"`), ""},
		{"ended by a filter", true, nil, regexp.MustCompile(`finish "content_filter"`), ""},
	}
	for _, e := range []struct {
		name  string
		kinds []llm.Kind
	}{
		{"bad-request", []llm.Kind{llm.KindBadRequest}},
		{"authentication", []llm.Kind{llm.KindAuthentication}},
		{"permission", []llm.Kind{llm.KindPermission}},
		{"not-found", []llm.Kind{llm.KindNotFound}},
		{"timeout", []llm.Kind{llm.KindTimeout}},
		{"unprocessable", []llm.Kind{llm.KindUnprocessable}},
		{"rate-limit", []llm.Kind{llm.KindRateLimit}},
		{"server", []llm.Kind{llm.KindInternal}},
		{"unavailable", []llm.Kind{llm.KindUnavailable}},
		{"overloaded", []llm.Kind{llm.KindUnavailable, llm.KindInternal, llm.KindRateLimit}}, // 503, 529 and 429
		{"context-window", []llm.Kind{llm.KindContextWindow}},
		{"content-policy", []llm.Kind{llm.KindContentPolicy}},
		{"html", []llm.Kind{llm.KindInternal, llm.KindBadGateway, llm.KindUnavailable}},
	} {
		list = append(list, capability{name: "error: " + e.name, scripts: []string{"error-" + e.name}, reply: kind(e.kinds...)})
	}
	broken := regexp.MustCompile(`error kind (` + strconv.Itoa(int(llm.KindConnection)) + `|` + strconv.Itoa(int(llm.KindBadGateway)) + `),`)
	return append(list,
		capability{name: "broken stream", chat: true, scripts: []string{"stream-cut", "stream-not-json", "stream-without-end"}, reply: broken},
		capability{name: "no JSON", scripts: []string{"broken-not-json"}, reply: broken},
		capability{name: "empty body", scripts: []string{"broken-empty"}, reply: broken},
	)
}

// absent says why a cell is empty: the vendor has no such thing, with the page that shows it.
func absent() map[string]map[string]string {
	const (
		sage   = "https://huggingface.co/docs/text-generation-inference"
		triton = "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html"
		nlp    = "https://docs.nlpcloud.com"
		rep    = "https://replicate.com/docs/reference/http"
		polly  = "https://docs.aws.amazon.com/polly/latest/dg/CommonErrors.html"

		retrieve = "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Retrieve.html"

		mini = "https://platform.minimax.io/docs/api-reference/errorcode"
	)
	unfiltered := map[string]string{ // of reranking and embeddings
		"error: content-policy": "documents that are ranked or embedded are not filtered",
	}
	found := func(page string) map[string]string { // of vector stores
		return map[string]string{
			"error: context-window": "a query that is too long is a bad request, " + page,
			"error: content-policy": "what was found is not filtered, " + page,
		}
	}
	text := "the API tells a text and not why it ended, " // of servers of one's own models
	return map[string]map[string]string{
		"bedrock": {
			"reasoning tokens": "TokenUsage does not tell them apart, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html",
		},
		"cohere": {"reasoning tokens": "usage does not tell them apart, https://docs.cohere.com/reference/chat"},
		"ollama": {
			"reasoning tokens":  "eval_count does not tell them apart, https://docs.ollama.com/api/chat",
			"ended by a filter": "models run without one: done_reason is stop, length or load, https://docs.ollama.com/api/chat",
		},
		"predibase": {
			"cached tokens":     "details do not tell them, https://docs.predibase.com/user-guide/inference/rest_api",
			"ended by a filter": "finish_reason is length, eos_token or stop_sequence, https://docs.predibase.com/user-guide/inference/rest_api",
		},
		"sagemaker": {
			"cached tokens": "details do not tell them, " + sage, "ended by a filter": "finish_reason is length, eos_token or stop_sequence, " + sage,
		},
		"replicate": {
			"usage of a stream": "events are output, logs, error and done, without counts, https://replicate.com/docs/topics/predictions/streaming",
			"cached tokens":     "metrics tell the input and the output, " + rep, "reasoning tokens": "metrics tell the input and the output, " + rep,
			"reasoning": "an effort goes to the model as an input, and the output is one text, " + rep, "reasoning streamed": "likewise",
			"ended by length": "a prediction succeeds whatever it ended by, " + rep, "ended by a filter": "a filter fails the prediction, " + rep,
		},
		"triton": {
			"usage of a stream": "answers have no counts, " + triton, "cached tokens": "answers have no counts, " + triton,
			"ended by length": text + triton, "ended by a filter": text + triton,
		},
		"nlp_cloud": {
			"usage of a stream": "events are texts without counts, " + nlp, "cached tokens": "nb_input_tokens does not tell them apart, " + nlp,
			"ended by length": text + nlp, "ended by a filter": text + nlp,
		},
		"deepinfra, reranking": unfiltered, "nvidia_nim, reranking": unfiltered, "snowflake, embeddings": unfiltered,
		"bedrock, knowledge bases": {
			"error: context-window": "a query that is too long is a bad request, " + retrieve,
			"error: content-policy": "a guardrail leaves out results and says so in guardrailAction, " + retrieve,
		},
		"vertex_ai, corpora":     found("https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/rag-api-v1"),
		"vertex_ai, data stores": found("https://docs.cloud.google.com/generative-ai-app-builder/docs/reference/rest/v1/projects.locations.collections.dataStores.servingConfigs/search"),
		"azure_ai, documents": {
			"error: context-window": "a document that is too large is a bad request, https://learn.microsoft.com/en-us/azure/ai-services/document-intelligence/service-limits",
			"error: content-policy": "documents are not filtered, https://learn.microsoft.com/en-us/azure/ai-services/document-intelligence/how-to-guides/resolve-errors",
		},
		"vertex_ai, tuning": {
			"error: context-window": "files are looked at later, and a job fails with them, https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-use-supervised-tuning",
			"error: content-policy": "likewise",
		},
		"azure_ai, search": found("https://learn.microsoft.com/en-us/rest/api/searchservice/documents/search-post"),
		"fal_ai":           {"error: context-window": "models of images have none, https://docs.fal.ai/errors"},
		"stability":        {"error: context-window": "models of images have none, https://platform.stability.ai/docs/api-reference"},
		"aws_polly": {
			"error: authentication": "a wrong key is refused with 403, " + polly, "error: timeout": "no error is one, " + polly,
			"error: unprocessable": "no error is one, " + polly, "error: context-window": "a text that is too long is a bad request, " + polly,
			"error: content-policy": "texts are not filtered, " + polly, "no JSON": "the answer is the sound",
		},
		"minimax, speech": {
			"error: permission": "no code is one, " + mini, "error: not-found": "no code is one, " + mini,
			"error: unprocessable": "no code is one, " + mini, "error: unavailable": "no code is one, " + mini,
			"error: context-window": "no code is one, " + mini,
		},
	}
}

// outcome is what came of a script.
type outcome struct {
	reply string
	made  bool // the answer has the vendor's envelope, and words that no page of the vendor's shows
}

// show reads the scripts of a provider: by name what came of them.
func show(t *testing.T, p covered) map[string][]outcome {
	t.Helper()
	out := map[string][]outcome{}
	for _, folder := range p.folders {
		files, err := filepath.Glob(filepath.Join("..", folder, "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no scripts in %s: %v", p.name, folder, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(raw)
			made := strings.Contains(string(a.Comment), "whose words are ours")
			for _, f := range a.Files {
				if f.Name == "reply" {
					name := strings.TrimSuffix(filepath.Base(file), ".txtar")
					out[name] = append(out[name], outcome{string(f.Data), made})
				}
			}
		}
	}
	return out
}

// The marks of cells.
const (
	shown   = "x"
	alike   = "e"
	refused = "r"
	none    = ""
)

// refusedByName is the reply to a request for what the vendor does not have.
var refusedByName = regexp.MustCompile(`^error kind 1, status 400: .*(UnsupportedParamsError|messages\[)`)

func cell(c *capability, replies map[string][]outcome, before map[string]string) string {
	if c.after != "" && before[c.after] == refused {
		return refused
	}
	scripts := c.scripts
	if scripts == nil {
		for name := range replies {
			scripts = append(scripts, name)
		}
	}
	mark := none
	for _, name := range scripts {
		for _, o := range replies[name] {
			want := c.reply
			if want == nil {
				want = regexp.MustCompile(`(?m)^streamed (true|false), usage`)
			}
			switch {
			case want.MatchString(o.reply) && !o.made:
				return shown
			case want.MatchString(o.reply):
				mark = alike
			case c.scripts != nil && refusedByName.MatchString(o.reply):
				mark = refused
			}
		}
	}
	return mark
}

// TestCoverage makes the table of what the scripts show of each provider, which is in COVERAGE.md. A cell that no script
// shows has its reason in absent, with a source.
func TestCoverage(t *testing.T) {
	t.Parallel()
	columns := capabilities()
	reasons := absent()
	var table, notes strings.Builder
	table.WriteString("| |")
	for _, p := range providers() {
		table.WriteString(" " + p.name + " |")
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(providers())) + "\n")
	marks := map[string]map[string]string{}
	for _, p := range providers() {
		replies, row := show(t, p), map[string]string{}
		for i := range columns {
			c := &columns[i]
			if c.chat && !p.chats {
				row[c.name] = "no chats"
				continue
			}
			row[c.name] = cell(c, replies, row)
			why := reasons[p.name][c.name]
			switch {
			case row[c.name] == none && why == "":
				t.Errorf("%s: no script shows %q, and absent does not say why", p.name, c.name)
			case row[c.name] != none && why != "":
				t.Errorf("%s: a script shows %q, of which absent says that there is none: %s", p.name, c.name, why)
			case why != "":
				row[c.name] = "–"
				fmt.Fprintf(&notes, "- %s, %s: %s\n", p.name, c.name, why)
			}
		}
		marks[p.name] = row
	}
	for _, c := range columns {
		table.WriteString("| " + c.name + " |")
		for _, p := range providers() {
			table.WriteString(" " + strings.ReplaceAll(marks[p.name][c.name], "no chats", "") + " |")
		}
		table.WriteString("\n")
	}
	for name, list := range reasons {
		for c := range list {
			if !slices.ContainsFunc(columns, func(x capability) bool { return x.name == c }) {
				t.Errorf("absent has a reason for %s, %q, which is no column", name, c)
			}
		}
	}
	got := "# What the scripts show\n\nWritten by `go test ./core/provider/providertest -update` from the scripts in `testdata`, which each provider's own\n" +
		"test runs. An x is shown by a script, an e by one whose answer has the vendor's envelope and words that no page of the\nvendor's shows, an r is refused by name " +
		"because the vendor has nothing for it, and – does not exist with the vendor, for\nthe reason below the table. Columns without chats are empty in the rows of chats.\n\nThe scripts of `openai` are also run by `core/internal/vendorcheck` against " +
		"Azure OpenAI, Azure AI, SageMaker's chats,\nGroq, Together, OpenRouter, vLLM, Sarvam, Cloudflare, Fireworks, AI21, Hugging Face's router, Mistral and Ollama as " +
		"servers of\nOpenAI's API, by `core/wasm` through a plugin that is a provider, and with a mock in front.\n\n" + table.String() + "\n" + notes.String()
	if *update {
		if err := os.WriteFile(coverage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(coverage)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is stale: run go test ./core/provider/providertest -update", coverage)
	}
}

// A folder with scripts that no column shows is a vendor that somebody added without its column.
func TestEveryFolderHasAColumn(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{
		"azure": true, // what it has beside the API of openai, whose scripts its chats are tried with
	}
	for _, p := range providers() {
		for _, folder := range p.folders {
			shown[strings.Split(folder, "/")[0]] = true
		}
	}
	folders, err := filepath.Glob("../*/testdata")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no folders: %v", err)
	}
	for _, folder := range folders {
		name := filepath.Base(filepath.Dir(folder))
		if !shown[name] {
			t.Errorf("core/provider/%s/testdata is in no column of COVERAGE.md: add it to providers in coverage_test.go", name)
		}
	}
}
