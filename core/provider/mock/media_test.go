package mock_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestMockedMedia(t *testing.T) {
	t.Parallel()
	f := func(op llm.Operation, body, mocked, want string) {
		t.Helper()
		d := &llm.Deployment{Group: "m", Mock: mocked}
		parts, err := ask(t, &vendor{}, d, request(t, op, body))
		got := strings.Join(parts, "")
		if err != nil {
			got = llm.AsError(err).Message
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s with %s: %s, want %s", op, mocked, got, want)
		}
		if err == nil && got[0] == '{' && !json.Valid([]byte(got)) {
			t.Errorf("%s with %s: not JSON: %s", op, mocked, got)
		}
	}
	f(llm.OpModeration, `{"model":"m","input":["a","b"]}`, "fine", `"results":[{"flagged":false,"categories":{},"category_scores":{}},{"flagged":false`)
	f(llm.OpModeration, `{"model":"m","input":"a"}`, "true", `"results":[{"flagged":true`)
	f(llm.OpImage, `{"model":"m","prompt":"a"}`, "https://x/y.png", `"data":[{"url":"https://x/y.png"}]`)
	f(llm.OpImage, `{"model":"m","prompt":"a"}`, "aGk=", `"data":[{"b64_json":"aGk="}]`)
	f(llm.OpImageEdit, `{"model":"m","prompt":"a"}`, `[{"url":"u"}]`, `"data":[{"url":"u"}]`)
	f(llm.OpImage, `{"model":"m","prompt":"a"}`, `{"created":1,"data":[]}`, `{"created":1,"data":[]}`)
	f(llm.OpTranscription, `{"model":"m"}`, `say "hi"`, `{"text":"say \"hi\""}`)
	f(llm.OpTranslation, `{"model":"m","response_format":"srt"}`, "1", "1\n")
	f(llm.OpSpeech, `{"model":"m","input":"x"}`, "ID3", "ID3")
	f(llm.OpRerank, `{"model":"m","query":"q","documents":["a","b"]}`, "[0.5, 0.25]", `"results":[{"index":0,"relevance_score":0.5},{"index":1,"relevance_score":0.25}]`)
	f(llm.OpRerank, `{"model":"m"}`, "high", "cannot answer a request for rerank")
	f(llm.OpRerank, `{"model":"m"}`, `["a"]`, "cannot answer a request for rerank")
	f(llm.OpResource, `{}`, "text", "cannot answer a request for resource")
	f(llm.OpResource, `{}`, `{"id":"file-1"}`, `{"id":"file-1"}`)
	f(llm.OpRealtime, `{}`, "text", "cannot answer a request for realtime")
}
