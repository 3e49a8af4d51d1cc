package plugintest

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// RefusesMedia tests a guardrail with the settings of sallyport.RefuseMedia in the hooks that it has: with media: refuse it
// refuses images, sounds and files in requests and answers, whole and streamed, and without it lets them pass. load loads
// it with these settings. Only media are sent, so that a service that it asks about texts need not know any.
func RefusesMedia(t *testing.T, load func(config map[string]any) *Plugin, hooks ...abi.Hook) {
	t.Helper()
	allow := load(map[string]any{"status": 403})
	refuse := load(map[string]any{"status": 403, "media": "refuse"})
	worded := load(map[string]any{"media": "refuse", "media_message": "No pictures."})
	const (
		image  = `{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`
		sound  = `{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}`
		answer = `{"choices":[{"index":0,"message":{"role":"assistant","content":null,"images":[` + image + `]}}]}`
		chunk  = `{"choices":[{"index":0,"delta":{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}}]}`
	)
	chat := func(part string) []byte {
		return []byte(`{"model":"m","messages":[{"role":"user","content":[` + part + `]}]}`)
	}
	f := func(what, whose string, ask func(p *Plugin) Outcome) {
		t.Helper()
		status, message := ask(refuse).Refusal()
		if status != 403 || message != "The "+whose+" contains an image, sound, video or file, which is not allowed." {
			t.Errorf("%s: %d %q with media: refuse", what, status, message)
		}
		if status, message := ask(worded).Refusal(); status != 400 || message != "No pictures." {
			t.Errorf("%s: %d %q with a message", what, status, message)
		}
		if o := ask(allow); o.Err != nil {
			t.Errorf("%s: %v although media are allowed", what, o.Err)
		}
	}
	for _, h := range hooks {
		switch h {
		case abi.HookRequest:
			f("an image", "request", func(p *Plugin) Outcome { return p.Request(t, llm.OpChat, chat(image)) })
			f("a sound", "request", func(p *Plugin) Outcome { return p.Request(t, llm.OpChat, chat(sound)) })
			f("a file of a form", "request", func(p *Plugin) Outcome {
				return p.Request(t, llm.OpTranscription, []byte(`{"model":"m"}`), func(x *llm.Exchange) { Form(t, x, "file", "a.wav", "RIFF") })
			})
		case abi.HookModeration:
			f("an image beside the call", "request", func(p *Plugin) Outcome { return p.Moderate(t, llm.OpChat, chat(image)).Outcome })
		case abi.HookResponse:
			f("an image in an answer", "answer", func(p *Plugin) Outcome { return p.Response(t, []byte(answer)) })
			fallthrough
		case abi.HookStreamChunk:
			f("an image in a stream", "answer", func(p *Plugin) Outcome {
				o := p.StreamChunks(t, wasm.GuardSettings{}, []string{chunk})
				if o.Err == nil && strings.Join(o.Chunks, "") != chunk {
					t.Errorf("the stream became %q", o.Chunks)
				}
				return o.Outcome
			})
		default:
			t.Errorf("the hook %s sees no media", h)
		}
	}
}

// Form makes x a request with a form that holds one file.
func Form(t testing.TB, x *llm.Exchange, field, name, content string) {
	t.Helper()
	body := "--b\r\nContent-Disposition: form-data; name=\"" + field + "\"; filename=\"" + name + "\"\r\n\r\n" + content + "\r\n--b--\r\n"
	if err := x.Form.Parse([]byte("multipart/form-data; boundary=b"), []byte(body)); err != nil {
		t.Fatal(err)
	}
}
