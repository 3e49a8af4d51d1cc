package sdkclients

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// RunMedia makes the calls of media.mjs and media.py with the Go SDK, and writes a line about each.
func RunMedia(ctx context.Context, baseURL, key string, out io.Writer) error {
	client := openai.NewClient(option.WithBaseURL(baseURL), option.WithAPIKey(key), option.WithMaxRetries(0))
	steps := []struct {
		name string
		call func(context.Context, openai.Client) (string, error)
	}{
		{"moderation", moderate}, {"image", draw}, {"edit", redraw}, {"speech", speak}, {"transcription", transcribe},
		{"subtitles", subtitles}, {"transcription stream", transcribeStream}, {"file and batch", fileAndBatch}, {"missing file", missingFile},
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

func moderate(ctx context.Context, c openai.Client) (string, error) {
	m, err := c.Moderations.New(ctx, openai.ModerationNewParams{Input: openai.ModerationNewParamsInputUnion{OfString: openai.String("bad")}})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("flagged %v", m.Results[0].Flagged), nil
}

func draw(ctx context.Context, c openai.Client) (string, error) {
	i, err := c.Images.Generate(ctx, openai.ImageGenerateParams{Model: "painter", Prompt: "a cat"})
	if err != nil {
		return "", err
	}
	b, err := base64.StdEncoding.DecodeString(i.Data[0].B64JSON)
	return fmt.Sprintf("%s (%d tokens)", b, i.Usage.TotalTokens), err
}

func redraw(ctx context.Context, c openai.Client) (string, error) {
	picture := openai.File(strings.NewReader("picture"), "cat.png", "image/png")
	i, err := c.Images.Edit(ctx, openai.ImageEditParams{Model: "painter", Prompt: "hat", Image: openai.ImageEditParamsImageUnion{OfFile: picture}})
	if err != nil {
		return "", err
	}
	return i.Data[0].URL, nil
}

func speak(ctx context.Context, c openai.Client) (string, error) {
	r, err := c.Audio.Speech.New(ctx, openai.AudioSpeechNewParams{Model: "speaker", Input: "hello", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")}})
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return fmt.Sprintf("%d bytes of %s", len(b), r.Header.Get("Content-Type")), err
}

func recording() openai.AudioTranscriptionNewParams {
	audio := bytes.NewReader(bytes.Repeat([]byte{7}, 100_000))
	return openai.AudioTranscriptionNewParams{Model: "listener", Language: openai.String("en"), File: openai.File(audio, "speech.wav", "audio/wav")}
}

func transcribe(ctx context.Context, c openai.Client) (string, error) {
	t, err := c.Audio.Transcriptions.New(ctx, recording())
	if err != nil {
		return "", err
	}
	return t.Text, nil
}

func subtitles(ctx context.Context, c openai.Client) (string, error) {
	p := recording()
	p.ResponseFormat = "srt"
	var srt []byte
	_, err := c.Audio.Transcriptions.New(ctx, p, option.WithResponseBodyInto(&srt))
	return fmt.Sprintf("%d lines", len(strings.Split(strings.TrimSpace(string(srt)), "\n"))), err
}

func transcribeStream(ctx context.Context, c openai.Client) (string, error) {
	s := c.Audio.Transcriptions.NewStreaming(ctx, recording())
	var types []string
	for s.Next() {
		types = append(types, s.Current().Type)
	}
	return strings.Join(types, " "), s.Err()
}

func fileAndBatch(ctx context.Context, c openai.Client) (string, error) {
	f, err := c.Files.New(ctx, openai.FileNewParams{Purpose: "batch", File: openai.File(strings.NewReader("{}\n"), "in.jsonl", "application/jsonl")})
	if err != nil {
		return "", err
	}
	r, err := c.Files.Content(ctx, f.ID)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	b, err := c.Batches.New(ctx, openai.BatchNewParams{
		InputFileID: f.ID, Endpoint: "/v1/chat/completions", CompletionWindow: "24h", Metadata: map[string]string{"a": "b"},
	})
	if err != nil {
		return "", err
	}
	cancelled, err := c.Batches.Cancel(ctx, b.ID)
	if err != nil {
		return "", err
	}
	gone, err := c.Files.Delete(ctx, f.ID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%q %s {\"a\":%q} %s %v", content, b.Status, b.Metadata["a"], cancelled.Status, gone.Deleted), nil
}

func missingFile(ctx context.Context, c openai.Client) (string, error) {
	answer, err := c.Files.Content(ctx, "file-nobody")
	if err == nil {
		_ = answer.Body.Close()
	}
	var refused *openai.Error
	if !errors.As(err, &refused) {
		return "", fmt.Errorf("want a refusal, got %w", err)
	}
	return fmt.Sprintf("NotFoundError %d", refused.StatusCode), nil
}
