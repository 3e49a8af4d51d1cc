package sdkclients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

// RunStored makes the calls of stored.mjs and stored.py with the Go SDK, and writes a line about each. It holds no
// conversation, for which that SDK has no client.
func RunStored(ctx context.Context, baseURL, key string, out io.Writer) error {
	client := openai.NewClient(option.WithBaseURL(baseURL), option.WithAPIKey(key), option.WithMaxRetries(0))
	steps := []struct {
		name string
		call func(context.Context, openai.Client) (string, error)
	}{{"fine tuning", tune}, {"assistant", assist}, {"vector store", searchStore}, {"background", inBackground}}
	for _, step := range steps {
		line, err := step.call(ctx, client)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(out, "%s: %s\n", step.name, line)
	}
	return nil
}

func tune(ctx context.Context, c openai.Client) (string, error) {
	job, err := c.FineTuning.Jobs.New(ctx, openai.FineTuningJobNewParams{Model: "gpt-4.1-mini", TrainingFile: "file-1"})
	if err != nil {
		return "", err
	}
	events, err := c.FineTuning.Jobs.ListEvents(ctx, job.ID, openai.FineTuningJobListEventsParams{})
	if err != nil {
		return "", err
	}
	cancelled, err := c.FineTuning.Jobs.Cancel(ctx, job.ID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %s", job.Status, events.Data[0].Message, cancelled.Status), nil
}

func assist(ctx context.Context, c openai.Client) (string, error) {
	made, err := c.Beta.Assistants.New(ctx, openai.BetaAssistantNewParams{Model: "gpt-4.1-mini", Name: openai.String("helper")})
	if err != nil {
		return "", err
	}
	thread, err := c.Beta.Threads.New(ctx, openai.BetaThreadNewParams{})
	if err != nil {
		return "", err
	}
	_, err = c.Beta.Threads.Messages.New(ctx, thread.ID, openai.BetaThreadMessageNewParams{
		Role: "user", Content: openai.BetaThreadMessageNewParamsContentUnion{OfString: openai.String("Say hello.")},
	})
	if err != nil {
		return "", err
	}
	text := ""
	stream := c.Beta.Threads.Runs.NewStreaming(ctx, thread.ID, openai.BetaThreadRunNewParams{AssistantID: made.ID})
	for stream.Next() {
		if event := stream.Current(); event.Event == "thread.message.delta" {
			text += event.AsThreadMessageDelta().Data.Delta.Content[0].Text.Value
		}
	}
	if err := stream.Err(); err != nil {
		return "", err
	}
	gone, err := c.Beta.Assistants.Delete(ctx, made.ID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s %v", made.Name, text, gone.Deleted), nil
}

func searchStore(ctx context.Context, c openai.Client) (string, error) {
	store, err := c.VectorStores.New(ctx, openai.VectorStoreNewParams{Name: openai.String("notes")})
	if err != nil {
		return "", err
	}
	file, err := c.VectorStores.Files.New(ctx, store.ID, openai.VectorStoreFileNewParams{FileID: "file-1"})
	if err != nil {
		return "", err
	}
	found, err := c.VectorStores.Search(ctx, store.ID, openai.VectorStoreSearchParams{Query: openai.VectorStoreSearchParamsQueryUnion{OfString: openai.String("cats")}})
	if err != nil {
		return "", err
	}
	gone, err := c.VectorStores.Delete(ctx, store.ID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %v", file.Status, found.Data[0].Content[0].Text, gone.Deleted), nil
}

func inBackground(ctx context.Context, c openai.Client) (string, error) {
	response, err := c.Responses.New(ctx, responses.ResponseNewParams{
		Model: "open-model", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Say hello.")}, Background: openai.Bool(true),
	})
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for err == nil && (response.Status == "queued" || response.Status == "in_progress") {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-again.C:
		}
		response, err = c.Responses.Get(ctx, response.ID, responses.ResponseGetParams{})
	}
	if err != nil {
		return "", err
	}
	items, err := c.Responses.InputItems.List(ctx, response.ID, responses.InputItemListParams{})
	if err != nil {
		return "", err
	}
	if err := c.Responses.Delete(ctx, response.ID); err != nil {
		return "", err
	}
	_, err = c.Responses.Get(ctx, response.ID, responses.ResponseGetParams{})
	var refused *openai.Error
	if !errors.As(err, &refused) {
		return "", fmt.Errorf("a response that was deleted: %w", err)
	}
	return fmt.Sprintf("%s %s (%d item) NotFoundError %d", response.Status, response.OutputText(), len(items.Data), refused.StatusCode), nil
}
