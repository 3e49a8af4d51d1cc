package listener

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"github.com/fasthttp/router"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// googleFront speaks Google's generateContent (https://ai.google.dev/api/generate-content). Whether a stream is wanted is
// part of the path; it comes as server-sent events with alt=sse, and else as a list of chunks in JSON.
type googleFront struct{ stream, events bool }

var _ front = googleFront{}

// googleRoutes adds the routes of Google's API: the reference's, and those of its stable version.
func (s *Server) googleRoutes(r *router.Router) {
	for _, prefix := range []string{"", "/v1beta", "/v1"} {
		r.POST(prefix+"/models/{tail:*}", s.google(prefix+"/models/"))
	}
}

// google serves paths of the form prefix, model, colon, method.
func (s *Server) google(prefix string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		tail, _ := ctx.UserValue("tail").(string)
		i := strings.LastIndexByte(tail, ':')
		if i <= 0 {
			s.unrouted(ctx, []byte(prefix+tail))
			return
		}
		f, counts := googleFront{}, false
		switch tail[i+1:] {
		case "generateContent":
		case "streamGenerateContent":
			f.stream, f.events = true, string(ctx.QueryArgs().Peek("alt")) == "sse"
		case "countTokens":
			counts = true
		default:
			detail(ctx, fasthttp.StatusNotFound, `{"detail":"Not Found"}`)
			return
		}
		c := s.open(ctx, llm.OpChat, prefix+strings.Clone(tail))
		c.front = f
		c.vendorKey(ctx, "gemini")
		if counts {
			c.count(ctx, decode(tail[:i]), gemini.CountedRequest, gemini.AppendCount)
			return
		}
		if err := c.decodeNative(ctx, decode(tail[:i])); err != nil {
			c.fail(ctx, err)
			return
		}
		c.serve(ctx)
	}
}

// decode implements front.
func (f googleFront) decode(x *llm.Exchange) error {
	if err := openai.DecodeNative(x); err != nil {
		return err
	}
	// The path tells both, and every chunk has the usage.
	x.Model, x.Streamed, x.WantUsage = "", f.stream, true
	x.Speak(llm.DialectGoogle, googleToChat)
	return nil
}

func googleToChat(x *llm.Exchange) error {
	raw := x.Native.Raw()
	chat, err := gemini.AppendChat(make([]byte, 0, len(raw)+len(raw)/8+256), &x.Native, x.Model, x.Streamed, openai.Control)
	if err != nil {
		return err
	}
	return parseChat(x, chat)
}

// voice implements front.
func (f googleFront) voice(_ *llm.Exchange, r *llm.Reply) voice {
	v := googleVoices.Get().(*googleVoice)
	v.reply, v.events = r, f.events
	return v
}

// failure implements front.
func (googleFront) failure(dst []byte, e *llm.Error) []byte {
	return gemini.AppendError(dst, e, openai.Message(e))
}

// head implements front.
func (googleFront) head(dst []byte, _ *llm.Exchange, _ *llm.Reply) []byte { return dst }

// streamType implements front.
func (f googleFront) streamType() []byte {
	if f.events {
		return typeStream
	}
	return typeJSON
}

// googleVoice writes the answer to one request of generateContent.
type googleVoice struct {
	stream gemini.Stream
	reply  *llm.Reply
	events bool // server-sent events; else a list
	begun  bool // an item of the list was written
}

var googleVoices = sync.Pool{New: func() any { return new(googleVoice) }}

// Whole implements voice.
func (v *googleVoice) Whole(dst, chat []byte) ([]byte, error) {
	dst, err := gemini.AppendAnswer(dst, chat, v.reply.Usage)
	return dst, notChat(err)
}

// notChat is the error for an answer of a vendor, or a plugin, that is no chat completion.
func notChat(err error) error {
	if !errors.Is(err, gemini.ErrNotChat) {
		return err
	}
	return &llm.Error{Op: "listener.google", Kind: llm.KindBadGateway, Err: err, Message: "The model's answer is not a chat completion."}
}

// Part implements voice.
func (v *googleVoice) Part(dst []byte, p *llm.Part, native bool) ([]byte, error) {
	if len(p.Data) == 0 {
		return dst, nil
	}
	from := len(dst)
	dst = v.open(dst)
	start := len(dst)
	if native {
		// A line break can only be white space in JSON, and would end the event.
		dst = append(dst, p.Data...)
		for i := bytes.IndexByte(dst[start:], '\n'); i >= 0; i = bytes.IndexByte(dst[start:], '\n') {
			dst[start+i] = ' '
		}
		return v.close(dst), nil
	}
	dst, err := v.stream.Append(dst, p.Data)
	if err != nil || len(dst) == start {
		return dst[:from], notChat(err)
	}
	return v.close(dst), nil
}

// open begins an event, or an item of the list.
func (v *googleVoice) open(dst []byte) []byte {
	switch {
	case v.events:
		return append(dst, "data: "...)
	case v.begun:
		return append(dst, ",\r\n"...)
	}
	return append(dst, '[')
}

func (v *googleVoice) close(dst []byte) []byte {
	v.begun = true
	if v.events {
		return append(dst, "\n\n"...)
	}
	return dst
}

// End implements voice.
func (v *googleVoice) End(dst []byte, native bool) ([]byte, error) {
	if !native {
		dst = v.close(v.stream.AppendEnd(v.open(dst), v.reply.Usage))
	}
	return v.finish(dst), nil
}

// finish ends the list.
func (v *googleVoice) finish(dst []byte) []byte {
	switch {
	case v.events:
		return dst
	case !v.begun:
		return append(dst, "[]"...)
	}
	return append(dst, ']')
}

// Fail implements voice.
func (v *googleVoice) Fail(dst []byte, e *llm.Error, message string) []byte {
	return v.finish(v.close(gemini.AppendError(v.open(dst), e, message)))
}

// Release implements voice.
func (v *googleVoice) Release() {
	v.stream.Reset()
	v.reply, v.events, v.begun = nil, false, false
	googleVoices.Put(v)
}
