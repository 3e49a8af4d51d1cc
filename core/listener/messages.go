package listener

import (
	"sync"

	"github.com/fasthttp/router"
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// messagesFront speaks Anthropic's Messages API (https://platform.claude.com/docs/en/api/messages/create).
type messagesFront struct{}

var _ front = messagesFront{}

// messagesRoutes adds the routes of the API. Clients of Anthropic's send batches of events about themselves along; as in
// the reference they are taken and not kept (litellm/proxy/anthropic_endpoints/endpoints.py).
func (s *Server) messagesRoutes(r *router.Router) {
	const path, count = "/v1/messages", "/v1/messages/count_tokens"
	r.POST(path, s.ask(messagesFront{}, path))
	r.POST(count, func(ctx *fasthttp.RequestCtx) {
		c := s.open(ctx, llm.OpChat, count)
		c.front = messagesFront{}
		c.count(ctx, "", func(*llm.Object) []byte { return nil }, anthropic.AppendCount)
	})
	r.POST("/api/event_logging/batch", func(ctx *fasthttp.RequestCtx) { detail(ctx, fasthttp.StatusOK, `{"status":"ok"}`) })
}

// decode implements front.
func (messagesFront) decode(x *llm.Exchange) error {
	if err := openai.DecodeNative(x); err != nil {
		return err
	}
	x.WantUsage = true // message_delta has it
	// As in the reference, litellm_metadata is the gateway's, and metadata names the end user.
	if id := dialect.Get(x.Native.Get("metadata"), "user_id"); !dialect.Null(id) {
		x.Controls.User = id
	}
	if own := x.Native.Get("litellm_metadata"); !dialect.Null(own) {
		x.Controls.Metadata = own
	}
	x.Speak(llm.DialectMessages, messagesToChat)
	return nil
}

func messagesToChat(x *llm.Exchange) error {
	raw := x.Native.Raw()
	chat, lost, err := anthropic.AppendChat(make([]byte, 0, len(raw)+len(raw)/8+256), &x.Native)
	if err != nil {
		return err
	}
	if x.Controls.DropParams != 1 {
		x.Lost = lost
	}
	return parseChat(x, chat)
}

// parseChat makes chat the body of x.
func parseChat(x *llm.Exchange, chat []byte) error {
	if err := x.Body.Parse(chat); err != nil {
		return invalidJSON(err)
	}
	return nil
}

// voice implements front.
func (messagesFront) voice(x *llm.Exchange, r *llm.Reply) voice {
	v := messagesVoices.Get().(*messagesVoice)
	v.Reset(r.Usage)
	v.Tools = x.Native.Get("tools")
	return v
}

// failure implements front.
func (messagesFront) failure(dst []byte, e *llm.Error) []byte {
	return anthropic.AppendError(dst, e, openai.Message(e))
}

// head implements front. request-id is where clients of the API look for the id to ask about
// (https://platform.claude.com/docs/en/api/errors#request-id).
func (messagesFront) head(dst []byte, x *llm.Exchange, r *llm.Reply) []byte {
	if r != nil {
		if id := r.Header.Get("request-id"); len(id) > 0 {
			return line(dst, "request-id", view(id))
		}
	}
	return line(dst, "request-id", view(x.ID[:]))
}

// streamType implements front.
func (messagesFront) streamType() []byte { return typeStream }

type messagesVoice struct{ anthropic.Voice }

var messagesVoices = sync.Pool{New: func() any { return new(messagesVoice) }}

// Release implements voice.
func (v *messagesVoice) Release() {
	v.Reset(llm.Usage{})
	messagesVoices.Put(v)
}
