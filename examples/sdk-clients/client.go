// Package sdkclients uses a gateway the way programs do: with the official OpenAI
// SDKs for Go, Python and Node, of which nothing changes but the base URL and the key.
package sdkclients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const (
	chatModel      = "gpt-4o"
	limitedModel   = "gpt-4o-limited"
	embeddingModel = "text-embedding-3-small"
)

// Run makes every call of this example and writes a line about each. It returns the
// first error, or one that says what in an answer was not as it should be.
func Run(ctx context.Context, baseURL, key string, out io.Writer) error {
	client := openai.NewClient(option.WithBaseURL(baseURL), option.WithAPIKey(key), option.WithMaxRetries(0))
	steps := []struct {
		name string
		call func(context.Context, openai.Client) (string, error)
	}{
		{"chat", chat},
		{"stream", stream},
		{"tools", tools},
		{"embeddings", embeddings},
		{"models", models},
		{"bad key", badKey},
		{"unknown model", unknownModel},
		{"upstream limit", upstreamLimit},
	}
	for _, step := range steps {
		line, err := step.call(ctx, client)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(out, "%s: %s\n", step.name, line)
	}
	return nil
}

func ask(model, text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
	}
}

func said(text string, usage openai.CompletionUsage) string {
	return fmt.Sprintf("%s (%d + %d tokens)", text, usage.PromptTokens, usage.CompletionTokens)
}

func chat(ctx context.Context, client openai.Client) (string, error) {
	completion, err := client.Chat.Completions.New(ctx, ask(chatModel, "Say hello."))
	if err != nil {
		return "", err
	}
	return said(completion.Choices[0].Message.Content, completion.Usage), nil
}

func stream(ctx context.Context, client openai.Client) (string, error) {
	params := ask(chatModel, "Say hello.")
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	chunks := client.Chat.Completions.NewStreaming(ctx, params)
	defer chunks.Close()
	var text strings.Builder
	var usage openai.CompletionUsage
	count := 0
	for chunks.Next() {
		chunk := chunks.Current()
		count++
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
		}
		if chunk.Usage.TotalTokens > 0 {
			usage = chunk.Usage
		}
	}
	if err := chunks.Err(); err != nil {
		return "", err
	}
	if count < 3 {
		return "", fmt.Errorf("the answer came in %d pieces, which is no stream", count)
	}
	return said(text.String(), usage), nil
}

func tools(ctx context.Context, client openai.Client) (string, error) {
	params := ask(chatModel, "How warm is it in Paris?")
	params.Tools = []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name:        "get_weather",
			Description: openai.String("The temperature in a city."),
			Parameters: openai.FunctionParameters{
				"type":       "object",
				"properties": map[string]any{"city": map[string]any{"type": "string"}},
				"required":   []string{"city"},
			},
		}),
	}
	first, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return "", err
	}
	message := first.Choices[0].Message
	if len(message.ToolCalls) != 1 {
		return "", fmt.Errorf("%d tool calls, want 1", len(message.ToolCalls))
	}
	call := message.ToolCalls[0]
	var arguments struct{ City string }
	if err := json.Unmarshal([]byte(call.Function.Arguments), &arguments); err != nil {
		return "", fmt.Errorf("arguments %q: %w", call.Function.Arguments, err)
	}
	params.Messages = append(params.Messages, message.ToParam(), openai.ToolMessage("21", call.ID))
	second, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s(%s): %s", call.Function.Name, arguments.City, second.Choices[0].Message.Content), nil
}

func embeddings(ctx context.Context, client openai.Client) (string, error) {
	answer, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
		Model: embeddingModel,
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
	})
	if err != nil {
		return "", err
	}
	if len(answer.Data) != 2 {
		return "", fmt.Errorf("%d vectors, want 2", len(answer.Data))
	}
	first := answer.Data[0].Embedding
	return fmt.Sprintf("%d vectors of %d, the first begins with %g", len(answer.Data), len(first), first[0]), nil
}

func models(ctx context.Context, client openai.Client) (string, error) {
	page, err := client.Models.List(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, model := range page.Data {
		names = append(names, model.ID)
	}
	slices.Sort(names)
	one, err := client.Models.Get(ctx, chatModel)
	if err != nil {
		return "", err
	}
	if one.ID != chatModel {
		return "", fmt.Errorf("got model %q, want %q", one.ID, chatModel)
	}
	return strings.Join(names, ", "), nil
}

func badKey(ctx context.Context, client openai.Client) (string, error) {
	_, err := client.Chat.Completions.New(ctx, ask(chatModel, "Say hello."), option.WithAPIKey("wrong-key"))
	return refused(err, 401)
}

func unknownModel(ctx context.Context, client openai.Client) (string, error) {
	_, err := client.Chat.Completions.New(ctx, ask("no-such-model", "Say hello."))
	return refused(err, 400)
}

func upstreamLimit(ctx context.Context, client openai.Client) (string, error) {
	_, err := client.Chat.Completions.New(ctx, ask(limitedModel, "Say hello."))
	return refused(err, 429)
}

// refused checks that a call failed with a status, and with a message.
func refused(err error, status int) (string, error) {
	var failure *openai.Error
	switch {
	case err == nil:
		return "", fmt.Errorf("got an answer, want status %d", status)
	case !errors.As(err, &failure):
		return "", fmt.Errorf("want status %d: %w", status, err)
	case failure.StatusCode != status || failure.Message == "":
		return "", fmt.Errorf("status %d with message %q, want %d with one", failure.StatusCode, failure.Message, status)
	}
	return fmt.Sprintf("refused with %d", status), nil
}
