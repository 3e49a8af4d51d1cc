package app_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// promised is a vendor whose API is not simply OpenAI's: how a deployment is written, and where its answers are.
type promised struct{ model, params, answers string }

func promises() map[string]promised {
	const aws = ", aws_access_key_id: AK, aws_secret_access_key: SK"
	return map[string]promised{
		"anthropic": {answers: "anthropic"}, "cohere": {answers: "cohere"}, "cohere_chat": {answers: "cohere"}, "mistral": {answers: "mistral"},
		"databricks": {answers: "databricks"}, "ollama": {answers: "ollama"}, "ollama_chat": {answers: "ollama"},
		"watsonx": {params: ", api_key: null, token: t, project_id: p", answers: "watsonx"}, "gemini": {answers: "gemini"},
		"vertex_ai":      {model: "vertex_ai/gemini-2.5-pro", params: ", vertex_location: global", answers: "gemini"},
		"vertex_ai_beta": {model: "vertex_ai_beta/gemini-2.5-pro", params: ", vertex_location: global", answers: "gemini"},
		"replicate":      {model: "replicate/owner/name", answers: "replicate"}, "predibase": {params: ", tenant_id: t", answers: "predibase"},
		"triton": {answers: "triton"}, "nlp_cloud": {answers: "nlpcloud"},
		"bedrock":   {model: "bedrock/us.amazon.nova-2-lite-v1:0", params: ", api_key: null" + aws, answers: "bedrock"},
		"sagemaker": {params: ", api_key: null" + aws, answers: "sagemaker"}, "sagemaker_chat": {params: ", api_key: null" + aws, answers: "sagemaker_chat"},
		"ragflow": {model: "ragflow/chat/c1/vendor-model"}, "gdc": {params: ", vertex_project: p, vertex_location: l"},
		"azure": {params: ", api_version: '2024-10-21'"}, "azure_text": {params: ", api_version: '2024-10-21'"},
	}
}

// promisedAnswers are what the vendor answers, whole and streamed.
func promisedAnswers(t *testing.T, kind string) (whole, stream upstreamtest.Answer) {
	t.Helper()
	part := func(text string) upstreamtest.Answer {
		return upstreamtest.Whole(200, eventstream.ContentType, string(eventstream.Append(nil, []byte(text), ":event-type", "PayloadPart", ":message-type", "event")))
	}
	chunks := upstreamtest.ChatStream("vendor-model", 9, "Hel", "lo")
	switch kind {
	case "":
		return upstreamtest.JSON(200, upstreamtest.Completion("vendor-model", "Hi!", 9, 3)), upstreamtest.SSE(chunks...)
	case "sagemaker_chat":
		return upstreamtest.JSON(200, upstreamtest.Completion("vendor-model", "Hi!", 9, 3)), part("data: " + strings.Join(chunks, "\n\ndata: ") + "\n\n")
	case "sagemaker":
		return upstreamtest.JSON(200, `[{"generated_text":"Hi!"}]`),
			part("data:{\"index\":1,\"token\":{\"id\":1,\"text\":\"Hi.\",\"special\":false},\"generated_text\":\"Hi.\",\"details\":{\"finish_reason\":\"eos_token\"}}\n\n")
	case "bedrock":
		return upstreamtest.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"text":"Hi!"}]}},"stopReason":"end_turn","usage":{"inputTokens":9,"outputTokens":3,"totalTokens":12}}`),
			apptest.BedrockEvents([2]string{"messageStart", `{"role":"assistant"}`}, [2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hi."}}`},
				[2]string{"messageStop", `{"stopReason":"end_turn"}`}, [2]string{"metadata", `{"usage":{"inputTokens":30,"outputTokens":7,"totalTokens":37}}`})
	}
	read := func(name string) upstreamtest.Answer {
		raw, err := os.ReadFile(filepath.Join("..", "provider", kind, "testdata", name+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(raw).Files {
			if f.Name == "answer" {
				head, body, _ := strings.Cut(string(f.Data), "\n\n")
				_, mime, _ := strings.Cut(head, "Content-Type: ")
				mime, _, _ = strings.Cut(mime, "\n")
				return upstreamtest.Whole(200, mime, body+"\n")
			}
		}
		t.Fatalf("%s has no answer", name)
		return nil
	}
	return read("whole"), read("stream")
}

// promisedNames are the vendors that have chats, and the other names that the reference has for some.
func promisedNames() []string {
	names := []string{
		"text-completion-openai", "aiohttp_openai", "text-completion-codestral", "ollama_chat", "cohere_chat", "azure_text", "openai_like",
		"vertex_ai_beta", "ai21",
	}
	for _, v := range compat.All() {
		if !slices.Contains(v.Lacks, llm.OpChat) {
			names = append(names, v.Name)
		}
	}
	return names
}

// TestOneInterface sends the same chat with OpenAI's SDK to every vendor, whole and streamed, and has it refused once: only
// the name of the model changes, and answers, streams and errors have the same form.
func TestOneInterface(t *testing.T) {
	t.Parallel()
	v, login := upstreamtest.New(t), newLogin(t)
	defer login.Close()
	names, special := promisedNames(), promises()
	if len(names) < 100 {
		t.Errorf("only %d vendors", len(names))
	}
	var yaml strings.Builder
	yaml.WriteString("model_list:\n")
	for _, name := range names {
		p := special[name]
		key := "api_key: k, "
		if strings.Contains(p.params, "api_key: null") {
			key = ""
		}
		fmt.Fprintf(&yaml, "  - {model_name: %q, litellm_params: {model: %q, %sapi_base: %q%s}}\n", name, cmp.Or(p.model, name+"/vendor-model"), key, v.URL+"/v1",
			strings.ReplaceAll(p.params, ", api_key: null", ""))
	}
	s := apptest.Start(t, yaml.String()+"router_settings: {num_retries: 0}\n"+admin,
		apptest.Env("GOOGLE_APPLICATION_CREDENTIALS="+apptest.ServiceAccount(t, login.URL)))
	client := openai.NewClient(option.WithBaseURL(s.URL+"/v1"), option.WithAPIKey(apptest.MasterKey), option.WithMaxRetries(0))
	for _, name := range names {
		params := openai.ChatCompletionNewParams{Model: name, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Say hi.")}}
		whole, stream := promisedAnswers(t, special[name].answers)
		v.Script(whole)
		got, err := client.Chat.Completions.New(t.Context(), params)
		if err != nil || got.ID == "" || got.Object != "chat.completion" || got.Created == 0 || len(got.Choices) != 1 ||
			got.Choices[0].Message.Content == "" || got.Choices[0].FinishReason != "stop" || got.Model == "" {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		v.Script(stream)
		all, chunks := openai.ChatCompletionAccumulator{}, 0
		pieces := client.Chat.Completions.NewStreaming(t.Context(), params)
		for pieces.Next() {
			if c := pieces.Current(); c.Object != "chat.completion.chunk" || !all.AddChunk(c) {
				t.Errorf("%s: chunk %s", name, c.RawJSON())
			}
			chunks++
		}
		if pieces.Err() != nil || chunks == 0 || len(all.Choices) != 1 || all.Choices[0].Message.Content == "" || all.Choices[0].FinishReason != "stop" {
			t.Errorf("%s: stream %+v, %v", name, all.ChatCompletion, pieces.Err())
		}
		v.Script(upstreamtest.JSON(429, `{"error":{"message":"Slow down."},"message":"Slow down.","detail":"Slow down."}`))
		var refused *openai.Error
		if _, err = client.Chat.Completions.New(t.Context(), params); !errors.As(err, &refused) || refused.StatusCode != 429 || !strings.Contains(refused.Message, "Slow down.") {
			t.Errorf("%s: refusal %v", name, err)
		}
	}
	t.Logf("%d vendors", len(names))
}
