package app_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
	"google.golang.org/genai"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

var cityObject = map[string]any{
	"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}, "additionalProperties": false,
}

// The official SDKs send a picture, ask for an answer by a schema and for thoughts, and find a vendor's refusals as errors
// with its status and type, alike at every vendor.
func TestSDKsAskVendors(t *testing.T) {
	t.Parallel()
	s := apptest.StartVendors(t)
	const want = `It is warm. | {"city":"Paris"} | Hm. It is warm. | `
	f := func(sdk, refused string, ask func(model string) string) {
		for _, model := range apptest.Vendors() {
			if got := ask(model); got != want+refused {
				t.Errorf("%s at %s:\ngot  %s\nwant %s", sdk, model, got, want+refused)
			}
		}
	}
	f("OpenAI", "400 403 404 429 500", askOpenAI(t, s))
	f("Anthropic", "400 invalid_request_error, 403 permission_error, 404 not_found_error, 429 rate_limit_error, 500 api_error", askAnthropic(t, s))
	f("Google", "400 INVALID_ARGUMENT, 403 PERMISSION_DENIED, 404 NOT_FOUND, 429 RESOURCE_EXHAUSTED, 500 INTERNAL", askGoogle(t, s))
}

// statuses is what refusals are found as, of the statuses of apptest.AskRefusal.
func statuses(sep string, refused func(text string) string) string {
	var out []string
	for _, status := range []int{400, 403, 404, 429, 500} {
		out = append(out, refused(fmt.Sprintf(apptest.AskRefusal, status)))
	}
	return strings.Join(out, sep)
}

func askOpenAI(t *testing.T, s *apptest.Server) func(string) string {
	client := openai.NewClient(openaioption.WithBaseURL(s.URL+"/v1"), openaioption.WithAPIKey(apptest.MasterKey), openaioption.WithMaxRetries(0))
	return func(model string) string {
		text := func(message openai.ChatCompletionMessageParamUnion, more func(*openai.ChatCompletionNewParams)) (string, error) {
			params := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{message}}
			if more != nil {
				more(&params)
			}
			got, err := client.Chat.Completions.New(t.Context(), params)
			if err != nil {
				return err.Error(), err
			}
			// Vendors that speak OpenAI's API have their own name for it, which arrives as it came.
			var thought struct {
				ReasoningContent string `json:"reasoning_content"`
				Reasoning        string
			}
			m := got.Choices[0].Message
			if err := json.Unmarshal([]byte(m.RawJSON()), &thought); err != nil {
				return err.Error(), err
			}
			return strings.TrimSpace(thought.ReasoningContent + thought.Reasoning + " " + m.Content), nil
		}
		picture, _ := text(openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(apptest.AskPicture),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + apptest.Picture}),
		}), nil)
		object, _ := text(openai.UserMessage(apptest.AskObject), func(p *openai.ChatCompletionNewParams) {
			p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
				JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "city", Schema: cityObject, Strict: openai.Bool(true)},
			}
		})
		thought, _ := text(openai.UserMessage(apptest.AskThought), func(p *openai.ChatCompletionNewParams) { p.ReasoningEffort = "low" })
		return fmt.Sprintf("%s | %s | %s | %s", picture, object, thought, statuses(" ", func(ask string) string {
			said, err := text(openai.UserMessage(ask), nil)
			if e, ok := errors.AsType[*openai.Error](err); ok && e.Message != "" {
				return fmt.Sprint(e.StatusCode)
			}
			return said
		}))
	}
}

func askAnthropic(t *testing.T, s *apptest.Server) func(string) string {
	client := anthropic.NewClient(anthropicoption.WithBaseURL(s.URL), anthropicoption.WithAPIKey(apptest.MasterKey), anthropicoption.WithMaxRetries(0))
	return func(model string) string {
		text := func(more func(*anthropic.MessageNewParams), blocks ...anthropic.ContentBlockParamUnion) (string, error) {
			params := anthropic.MessageNewParams{Model: model, MaxTokens: 2000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(blocks...)}}
			if more != nil {
				more(&params)
			}
			got, err := client.Messages.New(t.Context(), params)
			if err != nil {
				return err.Error(), err
			}
			var said []string
			for _, b := range got.Content {
				said = append(said, b.Thinking+b.Text)
			}
			return strings.Join(said, " "), nil
		}
		picture, _ := text(nil, anthropic.NewTextBlock(apptest.AskPicture), anthropic.NewImageBlockBase64("image/png", apptest.Picture))
		object, _ := text(func(p *anthropic.MessageNewParams) {
			p.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: cityObject}
		}, anthropic.NewTextBlock(apptest.AskObject))
		thought, _ := text(func(p *anthropic.MessageNewParams) { p.Thinking = anthropic.ThinkingConfigParamOfEnabled(1024) }, anthropic.NewTextBlock(apptest.AskThought))
		return fmt.Sprintf("%s | %s | %s | %s", picture, object, thought, statuses(", ", func(ask string) string {
			said, err := text(nil, anthropic.NewTextBlock(ask))
			if e, ok := errors.AsType[*anthropic.Error](err); ok {
				var body struct{ Error struct{ Type string } }
				if err := json.Unmarshal([]byte(e.RawJSON()), &body); err != nil {
					return err.Error()
				}
				return fmt.Sprint(e.StatusCode, " ", body.Error.Type)
			}
			return said
		}))
	}
}

func askGoogle(t *testing.T, s *apptest.Server) func(string) string {
	client := genaiClient(t, s)
	png, err := base64.StdEncoding.DecodeString(apptest.Picture)
	if err != nil {
		t.Fatal(err)
	}
	return func(model string) string {
		text := func(config *genai.GenerateContentConfig, parts ...*genai.Part) (string, error) {
			got, err := client.Models.GenerateContent(t.Context(), model, []*genai.Content{{Role: genai.RoleUser, Parts: parts}}, config)
			if err != nil {
				return err.Error(), err
			}
			var said []string
			for _, p := range got.Candidates[0].Content.Parts {
				said = append(said, p.Text)
			}
			return strings.Join(said, " "), nil
		}
		picture, _ := text(nil, genai.NewPartFromText(apptest.AskPicture), genai.NewPartFromBytes(png, "image/png"))
		object, _ := text(&genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: cityObject}, genai.NewPartFromText(apptest.AskObject))
		thought, _ := text(&genai.GenerateContentConfig{MaxOutputTokens: 2000, ThinkingConfig: &genai.ThinkingConfig{
			IncludeThoughts: true, ThinkingBudget: genai.Ptr[int32](1024),
		}}, genai.NewPartFromText(apptest.AskThought))
		return fmt.Sprintf("%s | %s | %s | %s", picture, object, thought, statuses(", ", func(ask string) string {
			said, err := text(nil, genai.NewPartFromText(ask))
			if e, ok := errors.AsType[genai.APIError](err); ok {
				return fmt.Sprint(e.Code, " ", e.Status)
			}
			return said
		}))
	}
}
