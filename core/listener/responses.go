package listener

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/fasthttp/router"
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// responsesFront speaks OpenAI's Responses API (https://platform.openai.com/docs/api-reference/responses). Vendors that
// have the API keep their own responses; those that were told as chat completions are kept by the gateway.
type responsesFront struct{ s *Server }

var _ front = (*responsesFront)(nil)

// decode implements front.
func (f *responsesFront) decode(x *llm.Exchange) error {
	if err := openai.DecodeNative(x); err != nil {
		return err
	}
	x.WantUsage = true // the response has it
	for _, key := range []string{"user", "safety_identifier"} {
		if v := x.Native.Get(key); !dialect.Null(v) && x.Controls.User == nil {
			x.Controls.User = v
		}
	}
	if own := x.Native.Get("litellm_metadata"); !dialect.Null(own) {
		x.Controls.Metadata = own
	}
	if err := f.follow(x); err != nil {
		return err
	}
	x.Stamp = f.s.stamp
	x.Speak(llm.DialectResponses, f.toChat)
	return nil
}

// follow reads which response the request goes on with, and who may.
func (f *responsesFront) follow(x *llm.Exchange) error {
	v := x.Native.Get("previous_response_id")
	if dialect.Null(v) {
		return nil
	}
	text, ok := llm.Text(v)
	if !ok {
		return invalidMember("previous_response_id", "must be a string")
	}
	plain, whose, bound := f.s.unbind(string(text))
	if bound {
		f.s.admit(x, whose)
		if err := replaceMember(&x.Native, "previous_response_id", llm.AppendQuoted(nil, plain)); err != nil {
			return err
		}
	}
	if id, ok := responses.ParseID(plain); ok && !strings.HasPrefix(id.Response, keptID) {
		x.Home = id.Deployment
	}
	return nil
}

// replaceMember gives a member that is there another value.
func replaceMember(o *llm.Object, name string, value []byte) error {
	at, raw := o.Members()[o.Index(name)].Value, o.Raw()
	next := make([]byte, 0, len(raw)+len(value))
	next = append(append(append(next, raw[:at.Start]...), value...), raw[at.End:]...)
	return o.Parse(next)
}

func invalidMember(name, problem string) error {
	return &llm.Error{
		Op: "listener.decode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
		Message: "Invalid request: `" + name + "` " + problem + ".",
	}
}

func (f *responsesFront) toChat(x *llm.Exchange) error {
	var opt responses.Options
	earlier, err := f.earlier(x)
	if err != nil {
		return err
	}
	if earlier != nil {
		opt.Earlier, opt.Found = earlier, true
	}
	raw := x.Native.Raw()
	chat, lost, err := responses.AppendChat(make([]byte, 0, len(raw)+len(opt.Earlier)+len(raw)/8+256), &x.Native, opt)
	if err != nil {
		return err
	}
	if x.Controls.DropParams != 1 {
		x.Lost = lost
	}
	return parseChat(x, chat)
}

// earlier is what was said up to the response that the request goes on with, if the gateway kept it.
func (f *responsesFront) earlier(x *llm.Exchange) ([]byte, error) {
	v, ok := llm.Text(x.Native.Get("previous_response_id"))
	if !ok {
		return nil, nil
	}
	id, own := ownResponseID(string(v))
	if !own {
		return nil, nil
	}
	c, err := f.s.recall(x, id)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, &llm.Error{
			Op: "listener.earlier", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "previous_response_id",
			Code: "previous_response_not_found", Message: "Previous response with id '" + string(v) + "' not found.",
		}
	}
	if c.row.Pending {
		return nil, &llm.Error{
			Op: "listener.earlier", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "previous_response_id",
			Message: "Previous response with id '" + string(v) + "' is not completed.",
		}
	}
	return c.items, nil
}

// keptID is what the id of a response begins with that the gateway itself keeps. Around it may be the id that leads to
// the deployment, as with a vendor's own.
const keptID = "resp_sp"

// ownResponseID finds the id under which the gateway keeps a response in the one that the caller knows.
func ownResponseID(id string) (string, bool) {
	if p, ok := responses.ParseID(id); ok {
		id = p.Response
	}
	return id, strings.HasPrefix(id, keptID)
}

// voice implements front.
func (f *responsesFront) voice(x *llm.Exchange, r *llm.Reply) voice {
	v := &responsesVoice{f: f, x: x}
	v.Ask, v.Now, v.Stored = &x.Native, x.Start, string(x.Native.Get("store")) != "false"
	if x.Named != "" { // it is made in the background, and whoever does that keeps it
		v.ID, v.Later, v.kept = x.Named, true, true
		return v
	}
	v.id = newResponseID(x)
	id := responses.ID{Response: v.id}
	if d := r.Deployment; d != nil {
		id = responses.Of(d, x.Model, v.id)
	}
	v.ID = id.String()
	return v
}

func newResponseID(x *llm.Exchange) string {
	id := keptID + string(bytes.ReplaceAll(x.ID[:], []byte("-"), nil))
	if _, err := hex.DecodeString(id[len(keptID):]); err != nil || x.Header.Has("X-Litellm-Call-Id") {
		other := llm.NewID(x.Start) // the caller chose the call's id, and may do so twice
		id = keptID + string(bytes.ReplaceAll(other[:], []byte("-"), nil))
	}
	return id
}

// failure implements front.
func (*responsesFront) failure(dst []byte, e *llm.Error) []byte { return openai.AppendError(dst, e) }

// head implements front.
func (*responsesFront) head(dst []byte, _ *llm.Exchange, _ *llm.Reply) []byte { return dst }

// streamType implements front.
func (*responsesFront) streamType() []byte { return typeStream }

// responsesVoice keeps the conversation when the answer is complete.
type responsesVoice struct {
	responses.Voice
	f    *responsesFront
	x    *llm.Exchange
	id   string // under which it is kept
	kept bool   // there is nothing to keep any more
}

// Whole implements voice.
func (v *responsesVoice) Whole(dst, chat []byte) ([]byte, error) {
	dst, err := v.Voice.Whole(dst, chat)
	if err == nil {
		v.keep()
	}
	return dst, err
}

// End implements voice.
func (v *responsesVoice) End(dst []byte, native bool) ([]byte, error) {
	dst, err := v.Voice.End(dst, native)
	if err == nil && !native {
		v.keep()
	}
	return dst, err
}

// Release implements voice.
func (v *responsesVoice) Release() {}

func (v *responsesVoice) keep() {
	if !v.Stored || v.kept {
		return
	}
	v.kept = true
	earlier, err := v.f.earlier(v.x)
	if err != nil {
		return // it was deleted meanwhile
	}
	c := &conversation{response: v.Response(), input: inputItems(v.x.Native.Get("input"))}
	c.items = joinItems(earlier, c.input, v.Items())
	v.f.s.remember(v.x, v.id, c)
}

// responseRoutes adds the routes of the API.
func (s *Server) responseRoutes(r *router.Router) {
	r.POST("/cursor/chat/completions", s.cursor)
	f := &responsesFront{s: s}
	for _, prefix := range []string{"/v1", "", "/openai/v1"} {
		path := prefix + "/responses"
		r.POST(path, s.respond(f, path))
		r.POST(path+"/compact", s.resource(resource{fasthttp.MethodPost, "/responses/compact", "acompact_responses"}, prefix, ""))
		r.GET(path+"/{id}", s.storedResponse(f, "aget_responses", prefix))
		r.DELETE(path+"/{id}", s.storedResponse(f, "adelete_responses", prefix))
		r.POST(path+"/{id}/cancel", s.storedResponse(f, "acancel_responses", prefix))
		r.GET(path+"/{id}/input_items", s.storedResponse(f, "alist_input_items", prefix))
	}
}

// cursor serves POST /cursor/chat/completions: chat completions for an editor that writes its requests as for the
// Responses API and reads chunks of chat completions (litellm/proxy/response_api_endpoints/endpoints.py).
func (s *Server) cursor(ctx *fasthttp.RequestCtx) {
	const path = "/cursor/chat/completions"
	var o llm.Object
	if err := o.Parse(ctx.Request.Body()); err == nil && o.Index("messages") < 0 && o.Index("input") >= 0 {
		chat, lost, err := responses.AppendChat(nil, &o, responses.Options{})
		if err == nil {
			err = lost
		}
		if err != nil {
			s.fail(ctx, llm.AsError(err))
			return
		}
		ctx.Request.SetBodyRaw(chat)
	}
	s.call(llm.OpChat, path, "")(ctx)
}

// storedResponse returns the handler of a route about one response. It is the gateway's own, or goes to the deployment
// that made it, which its id tells. Any other id is taken to be the vendor's that model or custom_llm_provider names.
func (s *Server) storedResponse(f *responsesFront, call, prefix string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		path, _ := canonical(ctx.Request.URI().PathOriginal(), s.RootPath)
		c := s.open(ctx, llm.OpResource, string(path))
		x := &c.x
		x.Call, x.Dialect = call, llm.DialectResponses
		c.front = f
		name, _ := ctx.UserValue("id").(string)
		name = decode(name)
		plain, whose, bound := s.unbind(name)
		if id, own := ownResponseID(plain); own {
			c.ownResponse(ctx, name, id, call)
			return
		}
		if err := c.decodeResource(ctx); err != nil {
			c.fail(ctx, err)
			return
		}
		x.Named, x.Stamp = name, s.stamp
		if bound {
			s.admit(x, whose)
		}
		x.Streamed = string(ctx.QueryArgs().Peek("stream")) == "true"
		rest := strings.TrimPrefix(c.x.Path, prefix+"/responses/")
		_, rest, _ = strings.Cut(rest, "/")
		id, ok := responses.ParseID(plain)
		if !ok {
			id.Response = plain
		}
		if strings.Trim(id.Response, ".") == "" {
			c.fail(ctx, notFound(name))
			return
		}
		x.Tail = "/responses/" + escapeSegment(id.Response)
		if rest != "" {
			x.Tail += "/" + rest
		}
		if ok {
			x.Home, x.Model = id.Deployment, id.Deployment
			if group := s.Gateway.GroupOf(id.Deployment); group != "" {
				x.Model = group
			}
		} else if err := c.chooseResource(ctx, "responses", ""); err != nil {
			c.fail(ctx, err)
			return
		}
		c.serve(ctx)
	}
}

// escapeSegment keeps an id from becoming more than one segment of a path.
func escapeSegment(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c == '_' || c == '-' || c == '.' && i > 0 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			b = append(b, c)
		} else {
			b = append(append(b, '%'), strings.ToUpper(hex.EncodeToString([]byte{c}))...)
		}
	}
	return string(b)
}

func notFound(id string) error {
	return &llm.Error{
		Op: "listener.storedResponse", Kind: llm.KindNotFound, Type: "invalid_request_error",
		Message: "Response with id '" + id + "' not found.",
	}
}
