package app

import (
	"io"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/config"
	dialect "github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/router"
)

// TestElsewhere binds deployments of vendors whose addresses are made of several things, and of those that have an API of
// their own beside OpenAI's, and compares where their calls go.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	cfg, _, err := config.ForModel(config.ModelFlags{Model: "openai/x"}, config.Options{Dir: t.TempDir(), Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	a := &App{opts: Options{Log: io.Discard, Out: io.Discard}, states: router.NewStates()}
	a.startLog(cfg)
	b := &builder{App: a, cfg: cfg}
	f := func(written, base string, op llm.Operation, body, want string, settings ...llm.Pair) {
		t.Helper()
		v, model, err := compat.Resolve(written, "", "")
		if err != nil {
			t.Fatal(err)
		}
		d := &llm.Deployment{Group: "mine", Provider: v.Name, Model: model, APIKey: "the-key", Base: base, Settings: settings}
		b.fill(d, v, "")
		if err := place(d, v); err != nil {
			t.Fatal(err)
		}
		if got := called(t, b.vendor(v), d, op, body); got != want {
			t.Errorf("%s at %q:\ngot  %s\nwant %s", written, base, got, want)
		}
	}
	const chat, rank, image = `{"messages":[]}`, `{"query":"q","documents":["d"]}`, `{"prompt":"a cat"}`
	region := llm.Pair{Name: "aws_region_name", Value: "eu-west-1"}
	project, location := llm.Pair{Name: "vertex_project", Value: "p"}, llm.Pair{Name: "vertex_location", Value: "l"}

	f("bedrock_mantle/openai.gpt-oss-120b", "", llm.OpChat, chat, "https://bedrock-mantle.eu-west-1.api.aws/v1/chat/completions openai.gpt-oss-120b", region)
	f("bedrock_mantle/openai.gpt-5.4", "", llm.OpChat, chat, "https://bedrock-mantle.us-east-1.api.aws/openai/v1/chat/completions openai.gpt-5.4")
	f("bedrock_mantle/m", "https://mantle.example/v1", llm.OpChat, chat, "https://mantle.example/v1/chat/completions m")
	f("datarobot/m", "", llm.OpChat, chat, "https://app.datarobot.com/api/v2/genai/llmgw/chat/completions/ m")
	f("datarobot/m", "https://dr.example/api/v2", llm.OpChat, chat, "https://dr.example/api/v2/genai/llmgw/chat/completions/ m")
	f("datarobot/m", "https://dr.example/deployments/1/chat/completions", llm.OpChat, chat, "https://dr.example/deployments/1/chat/completions/ m")
	f("datarobot/m", "", llm.OpEmbedding, `{"input":"x"}`, "datarobot does not offer embeddings")
	f("recraft/recraftv3", "", llm.OpImage, image, "https://external.api.recraft.ai/v1/images/generations recraftv3")
	f("recraft/recraftv3", "https://external.api.recraft.ai", llm.OpImage, image, "https://external.api.recraft.ai/v1/images/generations recraftv3")
	f("recraft/recraftv3", "", llm.OpImageEdit, image, "https://external.api.recraft.ai/v1/images/imageToImage recraftv3")
	f("recraft/recraftv3", "", llm.OpChat, chat, "recraft does not offer chat/completions")
	f("ragflow/chat/c1/gpt-4o", "http://rag.example:9380/api/v1", llm.OpChat, chat, "http://rag.example:9380/api/v1/chats_openai/c1/chat/completions gpt-4o")
	f("ragflow/agent/a1/m/x", "http://rag.example", llm.OpChat, chat, "http://rag.example/api/v1/agents_openai/a1/chat/completions m/x")
	f("ragflow/gpt-4o", "http://rag.example", llm.OpChat, chat, "model_name mine: litellm_params.model must be ragflow/chat/<id>/<model> or ragflow/agent/<id>/<model>")
	f("gdc/gemini", "https://gdc.example", llm.OpChat, chat, "https://gdc.example/v1/projects/p/locations/l/chat/completions gemini", project, location)
	f("gdc/gemini", "https://gdc.example/v1/projects/p/locations/l/chat/completions", llm.OpChat, chat, "https://gdc.example/v1/projects/p/locations/l/chat/completions gemini", project)
	f("gdc/gemini", "https://gdc.example", llm.OpChat, chat, "model_name mine: litellm_params.vertex_location is missing", project)
	f("gradient_ai/m", "https://x.agents.do-ai.run", llm.OpChat, chat, "https://x.agents.do-ai.run/api/v1/chat/completions m")
	f("gradient_ai/m", "https://inference.do-ai.run", llm.OpChat, chat, "https://inference.do-ai.run/v1/chat/completions m")

	f("dashscope/qwen3-rerank", "", llm.OpRerank, rank, "https://dashscope-intl.aliyuncs.com/compatible-api/v1/reranks qwen3-rerank")
	f("qwen_ai_platform/qwen3-rerank", "", llm.OpRerank, rank, "https://dashscope.aliyuncs.com/compatible-api/v1/reranks qwen3-rerank")
	f("qwencloud/qwen-image-3.0", "", llm.OpImage, image, "https://dashscope-intl.aliyuncs.com/api/v1/services/aigc/multimodal-generation/generation qwen-image-3.0")
	f("deepinfra/a/b", "", llm.OpRerank, rank, "https://api.deepinfra.com/v1/inference/a/b ")
	f("nvidia_nim/a/b-3_2", "", llm.OpRerank, rank, "https://ai.api.nvidia.com/v1/retrieval/a/b-3_2/reranking a/b-3.2")
	f("nvidia_nim/ranking/a/b_1", "http://nim.example/v1", llm.OpRerank, rank, "http://nim.example/v1/ranking a/b_1")
	f("minimax/speech-2.8-hd", "", llm.OpSpeech, `{"input":"x"}`, "https://api.minimax.io/v1/t2a_v2 speech-2.8-hd")
	f("openrouter/google/gemini-image", "", llm.OpImage, image, "https://openrouter.ai/api/v1/chat/completions google/gemini-image")
	f("snowflake/e5", "https://a.snowflakecomputing.com/api/v2", llm.OpEmbedding, `{"input":"x"}`, "https://a.snowflakecomputing.com/api/v2/cortex/inference:embed e5")
	f("snowflake/m", "https://a.snowflakecomputing.com/api/v2", llm.OpChat, chat, "https://a.snowflakecomputing.com/api/v2/cortex/v1/chat/completions m")
	f("fal_ai/fal-ai/flux/dev", "", llm.OpImage, image, "https://fal.run/fal-ai/flux/dev ")
	f("volcengine/m", "", llm.OpChat, chat, "https://ark.cn-beijing.volces.com/api/v3/chat/completions m")
}

// called is the URL of a call and the model in its body, or the error.
func called(t *testing.T, p provider.Provider, d *llm.Deployment, op llm.Operation, body string) string {
	t.Helper()
	e, err := p.Bind(d)
	if err != nil {
		return err.Error()
	}
	x := new(llm.Exchange)
	x.Reset()
	x.Op = op
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := dialect.Decode(x); err != nil {
		t.Fatal(err)
	}
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		return strings.TrimPrefix(llm.AsError(err).Message, "litellm.BadRequestError: ")
	}
	var sent llm.Object
	var all []byte
	for _, piece := range c.Body {
		all = append(all, piece...)
	}
	if err := sent.Parse(all); err != nil {
		t.Fatal(err)
	}
	model, _ := llm.Text(sent.Get("model"))
	return c.Target.Scheme + "://" + c.Target.Host + string(c.Path) + " " + string(model)
}
