package listener

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"github.com/fasthttp/router"
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// responsesFront speaks OpenAI's Responses API (https://platform.openai.com/docs/api-reference/responses). Vendors that
// have the API keep their own responses; those that were told as chat completions are kept in kept.
type responsesFront struct{ kept *conversations }

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
	if v := x.Native.Get("previous_response_id"); !dialect.Null(v) {
		s, ok := llm.Text(v)
		if !ok {
			return invalidMember("previous_response_id", "must be a string")
		}
		if id, ok := responses.ParseID(string(s)); ok {
			x.Home = id.Deployment
		}
	}
	x.Speak(llm.DialectResponses, f.toChat)
	return nil
}

func invalidMember(name, problem string) error {
	return &llm.Error{
		Op: "listener.decode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
		Message: "Invalid request: `" + name + "` " + problem + ".",
	}
}

func (f *responsesFront) toChat(x *llm.Exchange) error {
	var opt responses.Options
	if v, ok := llm.Text(x.Native.Get("previous_response_id")); ok {
		id := string(v)
		if e := f.kept.get(id, ownerOf(x)); e != nil {
			opt.Earlier, opt.Found = e.items, true
		} else if strings.HasPrefix(id, keptID) {
			return &llm.Error{
				Op: "listener.toChat", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "previous_response_id",
				Code: "previous_response_not_found", Message: "Previous response with id '" + id + "' not found.",
			}
		}
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

// keptID is what the id of a response begins with that the gateway itself keeps.
const keptID = "resp_sp"

// ownerOf is who may go on with a conversation: who holds the same key.
func ownerOf(x *llm.Exchange) string {
	if x.Principal == nil {
		return ""
	}
	return x.Principal.KeyHash
}

// voice implements front.
func (f *responsesFront) voice(x *llm.Exchange, _ *llm.Reply) voice {
	v := &responsesVoice{f: f, x: x}
	v.Ask, v.Now, v.Stored = &x.Native, x.Start, string(x.Native.Get("store")) != "false"
	v.ID = keptID + string(bytes.ReplaceAll(x.ID[:], []byte("-"), nil))
	if _, err := hex.DecodeString(v.ID[len(keptID):]); err != nil { // the caller chose the call's id, and may do so twice
		id := llm.NewID(x.Start)
		v.ID = keptID + string(bytes.ReplaceAll(id[:], []byte("-"), nil))
	}
	return v
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
	f *responsesFront
	x *llm.Exchange
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
	if !v.Stored {
		return
	}
	e := &conversation{id: v.ID, owner: ownerOf(v.x), response: v.Response()}
	if id, ok := llm.Text(v.x.Native.Get("previous_response_id")); ok {
		if earlier := v.f.kept.get(string(id), e.owner); earlier != nil {
			e.items = append(e.items, earlier.items...)
		}
	}
	e.input = inputItems(v.x.Native.Get("input"))
	for _, more := range [][]byte{e.input, v.Items()} {
		if len(more) > 0 && len(e.items) > 0 {
			e.items = append(e.items, ',')
		}
		e.items = append(e.items, more...)
	}
	v.f.kept.put(e)
}

// inputItems is the input as items with commas in between. It borrows nothing.
func inputItems(input []byte) []byte {
	switch {
	case len(input) > 1 && input[0] == '"':
		b := append([]byte(`{"type":"message","role":"user","content":[{"type":"input_text","text":`), input...)
		return append(b, `}]}`...)
	case len(input) > 1 && input[0] == '[':
		return bytes.Clone(bytes.TrimSpace(input[1 : len(input)-1]))
	}
	return nil
}

// conversation is a response that was told as chat completions, and what was said up to it.
type conversation struct {
	id, owner string
	response  []byte
	input     []byte // the items of the request, with commas in between
	items     []byte // all items up to the answer's, likewise

	older, newer *conversation
}

func (e *conversation) size() int { return len(e.response) + len(e.input) + len(e.items) + 256 }

// conversations keeps the responses of the gateway's own in memory: the latest, up to maxKept bytes in sum. They are
// gone when the process ends, and other replicas do not have them. It is safe for concurrent use.
type conversations struct {
	mu          sync.Mutex
	byID        map[string]*conversation
	size        int
	first, last *conversation // the latest and the oldest used
}

const (
	maxKept    = 64 << 20 // bytes
	maxKeptOne = 4 << 20  // bytes of one conversation; a longer one is not kept
)

func (c *conversations) get(id, owner string) *conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	if e == nil || e.owner != owner {
		return nil
	}
	c.unlink(e)
	c.push(e)
	return e
}

func (c *conversations) put(e *conversation) {
	if e.size() > maxKeptOne {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[string]*conversation{}
	}
	if old := c.byID[e.id]; old != nil {
		c.drop(old)
	}
	c.byID[e.id] = e
	c.size += e.size()
	c.push(e)
	for c.size > maxKept && c.last != nil {
		c.drop(c.last)
	}
}

func (c *conversations) remove(id, owner string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	if e == nil || e.owner != owner {
		return false
	}
	c.drop(e)
	return true
}

func (c *conversations) drop(e *conversation) {
	c.unlink(e)
	delete(c.byID, e.id)
	c.size -= e.size()
}

func (c *conversations) push(e *conversation) {
	e.older = c.first
	if c.first != nil {
		c.first.newer = e
	}
	c.first = e
	if c.last == nil {
		c.last = e
	}
}

func (c *conversations) unlink(e *conversation) {
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		c.first = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		c.last = e.newer
	}
	e.older, e.newer = nil, nil
}

// responseRoutes adds the routes of the API.
func (s *Server) responseRoutes(r *router.Router) {
	r.POST("/cursor/chat/completions", s.cursor)
	f := &responsesFront{kept: &s.kept}
	for _, prefix := range []string{"/v1", "", "/openai/v1"} {
		path := prefix + "/responses"
		r.POST(path, s.ask(f, path))
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
		if strings.HasPrefix(name, keptID) {
			c.ownResponse(ctx, name, call)
			return
		}
		if err := c.decodeResource(ctx); err != nil {
			c.fail(ctx, err)
			return
		}
		x.Streamed = string(ctx.QueryArgs().Peek("stream")) == "true"
		rest := strings.TrimPrefix(c.x.Path, prefix+"/responses/")
		_, rest, _ = strings.Cut(rest, "/")
		id, ok := responses.ParseID(name)
		if !ok {
			id.Response = name
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

// ownResponse answers for a response that the gateway keeps.
func (c *session) ownResponse(ctx *fasthttp.RequestCtx, id, call string) {
	if err := c.s.Gateway.Authenticate(&c.x.Life, &c.x); err != nil {
		c.fail(ctx, err)
		return
	}
	owner := ownerOf(&c.x)
	e := c.s.kept.get(id, owner)
	var body []byte
	switch {
	case e == nil:
	case call == "aget_responses":
		body = e.response
	case call == "alist_input_items":
		body = listItems(e)
	case call == "acancel_responses":
		c.fail(ctx, &llm.Error{
			Op: "listener.ownResponse", Kind: llm.KindInvalid, Type: "invalid_request_error",
			Message: "Cannot cancel a synchronous response.",
		})
		return
	case c.s.kept.remove(id, owner):
		body = append(llm.AppendQuoted([]byte(`{"id":`), id), `,"object":"response","deleted":true}`...)
	}
	if body == nil {
		c.fail(ctx, notFound(id))
		return
	}
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(body)
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(fasthttp.StatusOK, nil)
	c.release()
}

func notFound(id string) error {
	return &llm.Error{
		Op: "listener.storedResponse", Kind: llm.KindNotFound, Type: "invalid_request_error",
		Message: "Response with id '" + id + "' not found.",
	}
}

// listItems is the list of a response's input items (https://platform.openai.com/docs/api-reference/responses/input-items).
// Items without an id get one.
func listItems(e *conversation) []byte {
	b := dialect.Build(nil)
	b.Open('{').Key("object").Lit(`"list"`).Key("data").Open('[')
	var first, last []byte
	n := 0
	for in := dialect.Array(append(append([]byte{'['}, e.input...), ']')); in.Next(); n++ {
		raw := in.Value()
		id := dialect.Get(raw, "id")
		if dialect.Null(id) && len(raw) > 2 && raw[0] == '{' {
			id = llm.AppendQuoted(nil, "item_"+e.id[len(keptID):]+"_"+strconv.Itoa(n))
			raw = append(append(append([]byte(`{"id":`), id...), ','), raw[1:]...)
		}
		if first == nil {
			first = id
		}
		last = id
		b.Raw(raw)
	}
	b.Close(']')
	if first == nil {
		first, last = []byte("null"), []byte("null")
	}
	return b.Key("first_id").Raw(first).Key("last_id").Raw(last).Key("has_more").Lit("false").Close('}').Bytes()
}
