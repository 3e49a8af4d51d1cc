package openai

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestFormBody(t *testing.T) {
	t.Parallel()
	f := func(want string, fields ...string) {
		t.Helper()
		var raw strings.Builder
		for _, field := range fields {
			name, value, _ := strings.Cut(field, "|")
			raw.WriteString("--B\r\nContent-Disposition: form-data; name=" + name + "\r\n\r\n" + value + "\r\n")
		}
		var form llm.Form
		if err := form.Parse([]byte("multipart/form-data; boundary=B"), []byte(raw.String()+"--B--\r\n")); err != nil {
			t.Fatal(err)
		}
		b, err := FormBody(&form)
		got := string(b)
		if err != nil {
			got = llm.AsError(err).Message
		}
		var o llm.Object
		if err == nil && o.Parse(b) != nil || got != want {
			t.Errorf("%v:\ngot  %s\nwant %s", fields, got, want)
		}
	}
	f(`{"model":"whisper-1","language":"en","temperature":"0"}`, "model|whisper-1", "file; filename=a.wav|xx", "language|en", "temperature|0")
	f(`{"stream":true,"num_retries":2,"metadata":{"a":1},"tags":"x,y"}`, "stream|true", "num_retries|2", `metadata|{"a":1}`, "tags|x,y")
	f(`{"stream":"yes"}`, "stream|yes")
	f(`{"prompt":"a \"b\"\n"}`, "prompt|a \"b\"\n")
	f(`{"timestamp_granularities[]":["word","segment"]}`, `"timestamp_granularities[]"|word`, `"timestamp_granularities[]"|segment`)
	f(`{}`, "file; filename=a|b")
	f("Invalid request: `model` appears twice in the form.", "model|a", "model|b")
	f("Invalid request: `num_retries` appears twice in the form.", "num_retries|1", "num_retries|2")
}
