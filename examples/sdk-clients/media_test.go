package sdkclients_test

import (
	"bytes"
	"testing"

	sdkclients "github.com/sallyport-ai/sallyport/examples/sdk-clients"
)

const wantMedia = `moderation: flagged true
image: hello (18 tokens)
edit: https://images.example/7/hat
speech: 7 bytes of audio/mpeg
transcription: 100000 bytes in en
subtitles: 3 lines
transcription stream: transcript.text.delta transcript.text.done
file and batch: "{}\n" validating {"a":"b"} cancelling true
missing file: NotFoundError 404
`

// TestMedia runs the clients of all languages against everything that is no chat.
func TestMedia(t *testing.T) {
	t.Parallel()
	baseURL := startGateway(t, "media.yaml") + "/v1"
	t.Run("go", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		if err := sdkclients.RunMedia(t.Context(), baseURL, key, &out); err != nil {
			t.Error(err)
		}
		compare(t, wantMedia, out.String())
	})
	env := []string{"OPENAI_BASE_URL=" + baseURL, "OPENAI_API_KEY=" + key}
	program(t, wantMedia, env, "node", "node_modules/openai", "node", "media.mjs")
	program(t, wantMedia, env, "python", ".venv/.installed", ".venv/bin/python", "media.py")
}
