package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// raw is what an answer of the SDK was made of.
type raw interface{ RawJSON() string }

// rawOf is the JSON of an answer without the id of a response, which the gateway makes lead back to the deployment.
func rawOf(t *testing.T, v raw, err error) string {
	t.Helper()
	if err != nil {
		return "error: " + err.Error()
	}
	var o map[string]any
	if err := json.Unmarshal([]byte(v.RawJSON()), &o); err != nil {
		return v.RawJSON()
	}
	if o["object"] == "response" {
		delete(o, "id")
	}
	out, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func bodyOf(r *http.Response, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return "error: " + err.Error()
	}
	return r.Header.Get("Content-Type") + " " + string(b)
}

// TestOpenAISDK makes the calls of OpenAI's SDK directly and through the gateway: what comes back is the same. Realtime
// conversations, of which the SDK has none, are in TestRealtime.
func TestOpenAISDK(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t)
	s := apptest.Start(t, `
model_list:
  - {model_name: "*", litellm_params: {model: "openai/*"}}
`+admin, apptest.Env("OPENAI_API_KEY=k", "OPENAI_BASE_URL="+v.URL+"/v1", "OPENAI_ORGANIZATION=org-1"))
	clients := [2]openai.Client{
		openai.NewClient(option.WithBaseURL(v.URL+"/v1"), option.WithAPIKey("k"), option.WithMaxRetries(0)),
		openai.NewClient(option.WithBaseURL(s.URL+"/v1"), option.WithAPIKey(apptest.MasterKey), option.WithMaxRetries(0)),
	}
	f := func(name string, answer upstreamtest.Answer, call func(ctx context.Context, c *openai.Client) string) {
		t.Helper()
		var got, path, sent [2]string
		for i := range clients {
			v.Script(answer)
			got[i] = call(t.Context(), &clients[i])
			path[i], sent[i] = v.Last().Method+" "+v.Last().Path, v.Last().Header.Get("Authorization")
		}
		if got[0] != got[1] || strings.HasPrefix(got[0], "error") || path[0] != path[1] || sent[1] != "Bearer k" || v.Last().Header.Get("Openai-Organization") != "org-1" {
			t.Errorf("%s:\ndirectly %s %s\nthrough  %s %s %v", name, path[0], got[0], path[1], got[1], v.Last().Header)
		}
	}
	js := func(body string) upstreamtest.Answer { return upstreamtest.JSON(200, body) }
	const model, usage = "gpt-4o", `"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}`
	messages := []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Say hi.")}

	f("chat", js(upstreamtest.Completion(model, "Hi!", 9, 3)), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: model, Messages: messages})
		return rawOf(t, r, err)
	})
	f("chat stream", upstreamtest.SSE(upstreamtest.ChatStream(model, 9, "Hi", "!")...), func(ctx context.Context, c *openai.Client) (all string) {
		r := c.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{
			Model: model, Messages: messages, StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
		})
		for r.Next() {
			p := r.Current()
			all += rawOf(t, p, nil) + "\n"
		}
		return all + rawOf(t, openai.ChatCompletionChunk{}, r.Err())
	})
	f("completion", js(`{"id":"cmpl-1","object":"text_completion","created":1,"model":"gpt-3.5-turbo-instruct","choices":[{"text":"Hi","index":0,"logprobs":null,"finish_reason":"stop"}],`+usage+`}`),
		func(ctx context.Context, c *openai.Client) string {
			r, err := c.Completions.New(ctx, openai.CompletionNewParams{Model: "gpt-3.5-turbo-instruct", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Say")}})
			return rawOf(t, r, err)
		})
	f("embeddings", js(upstreamtest.Embeddings("text-embedding-3-small", 3, []float64{0.5, -1})), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "text-embedding-3-small", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("a")}})
		return rawOf(t, r, err)
	})
	f("response", js(`{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"gpt-4o","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi.","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`),
		func(ctx context.Context, c *openai.Client) string {
			r, err := c.Responses.New(ctx, responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("x")}})
			return rawOf(t, r, err)
		})
	f("moderation", js(`{"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":false,"categories":{},"category_scores":{}}]}`), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Moderations.New(ctx, openai.ModerationNewParams{Model: "omni-moderation-latest", Input: openai.ModerationNewParamsInputUnion{OfString: openai.String("a")}})
		return rawOf(t, r, err)
	})
	const images = `{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}`
	f("image", js(images), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Images.Generate(ctx, openai.ImageGenerateParams{Model: "gpt-image-1", Prompt: "a cat"})
		return rawOf(t, r, err)
	})
	f("image edit", js(images), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Images.Edit(ctx, openai.ImageEditParams{Model: "gpt-image-1", Prompt: "a hat", Image: openai.ImageEditParamsImageUnion{OfFile: openai.File(strings.NewReader("png"), "a.png", "image/png")}})
		return rawOf(t, r, err)
	})
	f("speech", upstreamtest.Whole(200, "audio/mpeg", "ID3 sound"), func(ctx context.Context, c *openai.Client) string {
		return bodyOf(c.Audio.Speech.New(ctx, openai.AudioSpeechNewParams{Model: "tts-1", Input: "Hi", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")}}))
	})
	f("transcription", js(`{"text":"Hi","usage":{"type":"duration","seconds":1}}`), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Audio.Transcriptions.New(ctx, openai.AudioTranscriptionNewParams{Model: "whisper-1", File: openai.File(strings.NewReader("sound"), "a.mp3", "audio/mpeg")})
		return rawOf(t, r, err)
	})
	f("translation", js(`{"text":"Hi"}`), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Audio.Translations.New(ctx, openai.AudioTranslationNewParams{Model: "whisper-1", File: openai.File(strings.NewReader("sound"), "a.mp3", "audio/mpeg")})
		return rawOf(t, r, err)
	})
	const file = `{"id":"file-1","object":"file","bytes":5,"created_at":1,"filename":"a.jsonl","purpose":"batch","status":"processed"}`
	f("file", js(file), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Files.New(ctx, openai.FileNewParams{Purpose: openai.FilePurposeBatch, File: openai.File(strings.NewReader("{}\n"), "a.jsonl", "application/jsonl")})
		return rawOf(t, r, err)
	})
	f("files", js(`{"object":"list","data":[`+file+`],"has_more":false}`), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Files.List(ctx, openai.FileListParams{})
		return rawOf(t, r, err)
	})
	f("content", upstreamtest.Whole(200, "application/octet-stream", "{}\n"), func(ctx context.Context, c *openai.Client) string {
		return bodyOf(c.Files.Content(ctx, "file-1"))
	})
	const batch = `{"id":"batch_1","object":"batch","endpoint":"/v1/chat/completions","input_file_id":"file-1","completion_window":"24h","status":"validating","created_at":1}`
	f("batch", js(batch), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Batches.New(ctx, openai.BatchNewParams{CompletionWindow: "24h", Endpoint: "/v1/chat/completions", InputFileID: "file-1"})
		return rawOf(t, r, err)
	})
	f("batch again", js(batch), func(ctx context.Context, c *openai.Client) string {
		r, err := c.Batches.Get(ctx, "batch_1")
		return rawOf(t, r, err)
	})
}
