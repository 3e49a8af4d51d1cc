package openai_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// said reads a reply to its end, and blanks the id, which is another one each time.
func said(t *testing.T, r *llm.Reply) []string {
	t.Helper()
	var parts []string
	for p := r.First; ; {
		if !json.Valid(p.Data) {
			t.Errorf("not JSON: %s", p.Data)
		}
		part := string(p.Data)
		if id := openaiID(part); id != "" {
			part = strings.Replace(part, id, "ID", 1)
		}
		parts = append(parts, part)
		if err := r.Rest.Next(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Rest.Close(); err != nil {
		t.Error(err)
	}
	return parts
}

func openaiID(s string) string {
	_, after, _ := strings.Cut(s, `cmpl-`)
	id, _, _ := strings.Cut(after, `"`)
	return id
}

func TestTextReply(t *testing.T) {
	t.Parallel()
	// In a synctest bubble the clock stands at midnight 2000-01-01 UTC.
	const created = `"created":946684800,"model":"m"`
	f := func(op llm.Operation, body, text string, want ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			x := exchange(t, body)
			x.Op = op
			if err := openai.Decode(x); err != nil {
				t.Fatal(err)
			}
			r, err := openai.TextReply(x, text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, said(t, r)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", body, diff)
			}
			if r.Streamed != x.Streamed || r.Status != 200 || r.Finish != "stop" || !r.Usage.Known() {
				t.Errorf("%s: %+v", body, r)
			}
		})
	}
	f(llm.OpChat, `{"model":"m","messages":["abcd"]}`, `Hi "you"`,
		`{"id":"chatcmpl-ID","object":"chat.completion",`+created+`,"choices":[{"index":0,"message":{"role":"assistant",`+
			`"content":"Hi \"you\""},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4}}`)
	f(llm.OpChat, `{"model":"m","messages":["abcd"],"n":2}`, `a`,
		`{"id":"chatcmpl-ID","object":"chat.completion",`+created+`,"choices":[{"index":0,"message":{"role":"assistant",`+
			`"content":"a"},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"a"},`+
			`"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4}}`)
	f(llm.OpCompletion, `{"model":"m","prompt":"abcd"}`, `Hi`,
		`{"id":"cmpl-ID","object":"text_completion",`+created+`,"choices":[{"text":"Hi","index":0,"logprobs":null,`+
			`"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}`)

	chunk := `{"id":"chatcmpl-ID","object":"chat.completion.chunk",` + created + `,"choices":[`
	f(llm.OpChat, `{"model":"m","stream":true,"messages":[]}`, "Hi  yóu",
		chunk+`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
		chunk+`{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}`,
		chunk+`{"index":0,"delta":{"content":"  yóu"},"finish_reason":null}]}`,
		chunk+`{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	f(llm.OpChat, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}`, "",
		chunk+`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
		chunk+`{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		chunk+`],"usage":{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}`)
	text := `{"id":"cmpl-ID","object":"text_completion",` + created + `,"choices":[`
	f(llm.OpCompletion, `{"model":"m","stream":true,"prompt":"p","n":2}`, "Hi",
		text+`{"text":"Hi","index":0,"logprobs":null,"finish_reason":null},{"text":"Hi","index":1,"logprobs":null,"finish_reason":null}]}`,
		text+`{"text":"","index":0,"logprobs":null,"finish_reason":"stop"},{"text":"","index":1,"logprobs":null,"finish_reason":"stop"}]}`)
}

func TestTextReplyJoins(t *testing.T) {
	t.Parallel()
	x := exchange(t, `{"model":"m","stream":true}`)
	x.Op = llm.OpChat
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	text := "  A first line,\nthen " + strings.Repeat("é", 200) + "\tand an end. "
	r, err := openai.TextReply(x, text)
	if err != nil {
		t.Fatal(err)
	}
	var j openai.Joiner
	for p := r.First; err == nil; err = r.Rest.Next(&p) {
		if err := j.Add(p.Data); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := j.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Object  string
		Choices []struct {
			Message struct{ Role, Content string }
		}
	}
	if err := json.Unmarshal(whole, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Message.Content != text || got.Object != "chat.completion" {
		t.Errorf("got %s", whole)
	}
}

func TestEmbeddingReply(t *testing.T) {
	t.Parallel()
	f := func(body, vector, want string) {
		t.Helper()
		x := exchange(t, body)
		x.Op, x.Model = llm.OpEmbedding, "m"
		r, err := openai.EmbeddingReply(x, []byte(vector))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, said(t, r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	f(`{"input":"abcd"}`, `[0.5,-1]`, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]}],`+
		`"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}`)
	f(`{"input":["a","b"]}`, `[1]`, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]},`+
		`{"object":"embedding","index":1,"embedding":[1]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`)
	f(`{"input":[1,2,3]}`, `[]`, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[]}],`+
		`"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}`)

	for _, vector := range []string{``, `1`, `["a"]`, `[1`, `[0x1]`, `[null]`, `"text"`} {
		if _, err := openai.EmbeddingReply(exchange(t, `{}`), []byte(vector)); !errors.Is(err, &llm.Error{Kind: llm.KindInvalid}) && err == nil {
			t.Errorf("EmbeddingReply took %s", vector)
		}
	}
	x := exchange(t, `{}`)
	x.Op = llm.OpEmbedding
	if _, err := openai.TextReply(x, "a"); err == nil {
		t.Error("TextReply answered a request for embeddings")
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	got := string(openai.AppendModels(nil, []string{"a", `b"`}, openai.ModelsCreated, openai.ModelsOwner))
	want := `{"data":[{"id":"a","object":"model","created":1677610602,"owned_by":"openai"},` +
		`{"id":"b\"","object":"model","created":1677610602,"owned_by":"openai"}],"object":"list"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(openai.AppendModels(nil, nil, 1, "o")); got != `{"data":[],"object":"list"}` {
		t.Errorf("got %s", got)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	f := func(in string, usage bool, want ...string) {
		t.Helper()
		chunks, err := openai.Split([]byte(in), usage)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range chunks {
			got = append(got, string(c))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	whole := `{"id":"a","object":"chat.completion","created":12345678901234567,"choices":[{"index":0,"finish_reason":"tool_calls",` +
		`"message":{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}}],"usage":{"total_tokens":3}}`
	first := `{"choices":[{"delta":{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"f"},"id":"1","index":0}]},` +
		`"finish_reason":"tool_calls","index":0}],"created":12345678901234567,"id":"a","object":"chat.completion.chunk"}`
	f(whole, false, first)
	f(whole, true, first, `{"choices":[],"created":12345678901234567,"id":"a","object":"chat.completion.chunk","usage":{"total_tokens":3}}`)
}

func TestJoiner(t *testing.T) {
	t.Parallel()
	f := func(want string, chunks ...string) {
		t.Helper()
		var j openai.Joiner
		for _, c := range chunks {
			if err := j.Add([]byte(c)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := j.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f(`{"choices":[{"finish_reason":"tool_calls","index":0,"message":{"content":null,"role":"assistant","tool_calls":[`+
		`{"function":{"arguments":"{\"a\":1}","name":"f"},"id":"x","type":"function"},`+
		`{"function":{"arguments":"{}","name":"g"},"id":"y","type":"function"}]}}],"object":"chat.completion","usage":{"total_tokens":9}}`,
		`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}],"usage":null}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"y","type":"function","function":{"name":"g","arguments":"{}"}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`,
		`{"choices":[],"usage":{"total_tokens":9}}`)

	var j openai.Joiner
	if _, err := j.Append(nil); err == nil {
		t.Error("nothing was joined to something")
	}
	if j.Add([]byte(`[]`)) == nil || j.Add([]byte(`null`)) == nil || j.Add([]byte(`{`)) == nil {
		t.Error("Add took what is no object")
	}
}

func FuzzJoiner(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"delta":{"content":"a","tool_calls":[{"index":0}]}}]}`), []byte(`{"choices":[1]}`))
	f.Add([]byte(`{"choices":[{"message":{"tool_calls":[{},2]}}],"usage":{}}`), []byte(`{"choices":{}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var j openai.Joiner
		if j.Add(a) == nil && j.Add(b) == nil {
			if out, err := j.Append(nil); err == nil && !json.Valid(out) {
				t.Errorf("%q and %q give %q", a, b, out)
			}
		}
		chunks, err := openai.Split(a, true)
		for _, c := range chunks {
			if err == nil && !json.Valid(c) {
				t.Errorf("%q gives %q", a, c)
			}
		}
	})
}
