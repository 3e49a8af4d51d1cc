package anthropic

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/dialecttest"
	"github.com/sallyport-ai/sallyport/core/llm"
)

var update = dialecttest.UpdateFlag()

func ask(o *llm.Object) (out []byte, lost, err error) { return AppendChat(nil, o) }

func TestGoldens(t *testing.T) {
	t.Parallel()
	dialecttest.Goldens(t, *update, func(t *testing.T, kind string, in []byte) []byte {
		var v Voice
		if kind == "chunks" {
			v.Reset(llm.Usage{Prompt: 9, Cached: 4})
		}
		return dialecttest.Tell(t, &v, ask, kind, in)
	})
}

func FuzzVoice(f *testing.F) {
	f.Add([]byte(`{"id":"x","choices":[{"index":0,"message":{"content":"a","tool_calls":[{"id":"i","function":{"name":"n","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"text":"t"}]},{"type":"text","text":"b"}],"thinking_blocks":[{"type":"thinking","thinking":"x","signature":"s"}],"provider_specific_fields":{"blocks":[{"type":"y","input":{"a":1}}],"order":["text"],"citation":{}}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dialecttest.Robust(t, b, func() dialecttest.Voice { return new(Voice) })
	})
}

func FuzzAppendChat(f *testing.F) {
	f.Add([]byte(`{"model":"m","system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"A"}},{"type":"document","source":{"type":"text","data":"d"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"n","input":{}},{"type":"text","text":"x"}]}]}`))
	f.Add([]byte(`{"messages":null,"metadata":{"user_id":"u"},"thinking":{"type":"adaptive"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{}}},"tools":[{"name":"a"}],"tool_choice":{"type":"tool","name":"a"}}`))
	f.Fuzz(func(t *testing.T, b []byte) { dialecttest.Asked(t, b, ask) })
}
