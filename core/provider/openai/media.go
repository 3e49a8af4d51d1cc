package openai

import (
	"bytes"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// further reports whether the operation is one beside chats, completions and embeddings. Those take the short way.
func further(op llm.Operation) bool { return op > llm.OpPassThrough }

// encodeFurther writes the requests that are no JSON object, or go elsewhere than to a path of their operation.
func (e *endpoint) encodeFurther(x *llm.Exchange, c *llm.Call) (done bool, err error) {
	switch {
	case x.Op == llm.OpResource:
		return true, e.encodeResource(x, c)
	case x.Op == llm.OpRealtime:
		e.encodeRealtime(x, c)
		return true, nil
	case x.Form.Raw() != nil:
		return true, e.encodeForm(x, c)
	}
	return false, nil
}

// decodeFurther turns the answer of an operation beside chats, completions and embeddings into a reply. JSON is read
// whole, so that an error that comes with a success is found; audio, text, streams and what vendors store pass as they
// come. The shapes are those of https://platform.openai.com/docs/api-reference: images, audio, moderations, files; and
// https://docs.jina.ai for /rerank, which vLLM follows.
func (e *endpoint) decodeFurther(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	switch {
	case x.Op == llm.OpRealtime:
		return e.decodeRealtime(a, r)
	case x.Op == llm.OpResource && ofModel(x) && isJSON(a):
		return e.decodeStored(x, a, r)
	case x.Op == llm.OpResource:
		return provider.Relay(a, r, 0, nil)
	case a.Streamed, !isJSON(a) && verbatim(x.Op):
		return e.relayed(provider.Sound(e.p.s.Name, x, a, r, e.p.s.MaxResponse, func(r *llm.Reply, f *usage.Found) { settle(x, r, f) }))
	}
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	if err := e.fillFurther(w, x, a, r); err != nil {
		w.Close()
		return err
	}
	r.First, r.Rest = llm.Part{Data: w.bytes()}, w
	return nil
}

// ofModel reports whether the request is about files or batches at the deployments of a model group, whose ids must lead
// back there. The content of a file is left alone.
func ofModel(x *llm.Exchange) bool {
	return x.Pinned == nil && (strings.HasPrefix(x.Tail, "/files") || strings.HasPrefix(x.Tail, "/batches")) && !strings.HasSuffix(x.Tail, "/content")
}

// decodeStored reads an answer about files or batches and gives them ids of the gateway's.
func (e *endpoint) decodeStored(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	if err := w.read(a.Size, e.p.s.MaxResponse); err != nil {
		w.Close()
		return e.broken(err)
	}
	r.First, r.Rest = llm.Part{Data: openai.WithModelIDs(w.bytes(), x.Model)}, w
	return nil
}

// verbatim reports whether the operation's answers need not be JSON.
func verbatim(op llm.Operation) bool {
	return op == llm.OpSpeech || op == llm.OpTranscription || op == llm.OpTranslation
}

func isJSON(a *llm.Answer) bool {
	const js = "application/json"
	t := a.Header.Get("Content-Type")
	return len(t) >= len(js) && llm.EqualFold(t[:len(js)], js)
}

func (e *endpoint) fillFurther(w *whole, x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if int64(a.Size) > e.p.s.MaxResponse {
		return e.tooLarge()
	}
	if err := w.read(a.Size, e.p.s.MaxResponse); err != nil {
		return e.broken(err)
	}
	s, ok := openai.Scan(w.bytes())
	if !ok {
		return e.garbled("The answer of " + e.p.s.Name + " is not a JSON object.")
	}
	if s.ErrorAt.End > 0 && !s.Answered {
		return e.classify(a.Status, w.bytes(), a.Header)
	}
	var f usage.Found
	f.Add(w.bytes())
	settle(x, r, &f)
	if s.Model.End > 0 && x.Fallbacks == 0 && x.Model != "" {
		w.setModel(s.Model, x.Model)
	}
	return nil
}

// relayed makes an error of the relay name the vendor.
func (e *endpoint) relayed(err error) error {
	if err == nil {
		return nil
	}
	return e.broken(err)
}

// settle adds to the usage what the answer does not say in it.
func settle(x *llm.Exchange, r *llm.Reply, f *usage.Found) {
	r.Usage = f.Usage()
	u := &r.Usage
	switch x.Op {
	case llm.OpImage, llm.OpImageEdit, llm.OpImageVariation:
		u.Images = int64(f.Items)
	case llm.OpSpeech:
		provider.Spoken(x, u)
	case llm.OpTranscription, llm.OpTranslation:
		if u.Seconds == 0 {
			u.Seconds = f.Duration
		}
	case llm.OpRerank:
		if u.Searches == 0 && u.Total == 0 {
			u.Searches = 1
		}
	case llm.OpResource:
		if x.Call == "acreate_video" || x.Call == "avideo_remix" { // others only tell of one that was paid for
			u.Seconds = f.Film
		}
	}
}

// encodeResource writes a request for what the vendor stores. It goes out under the path it came with, and its body
// stays as it is but for what is meant for the gateway.
func (e *endpoint) encodeResource(x *llm.Exchange, c *llm.Call) error {
	c.Method, c.Head = x.Method, e.bare
	path := append(make([]byte, 0, len(e.root)+len(x.Tail)+len(x.Query)+len(e.query)+2), e.root...)
	path = append(path, x.Tail...)
	mark := byte('?')
	for _, q := range [][]byte{borrow(e.query), x.Query} {
		for pair := range bytes.SplitSeq(q, []byte{'&'}) {
			name, _, _ := bytes.Cut(pair, []byte{'='})
			if len(pair) > 0 && !ownQuery(name, x) {
				path = append(append(path, mark), pair...)
				mark = '&'
			}
		}
	}
	c.Path = path
	e.callerLines(x, c)
	switch {
	case x.Form.Raw() != nil:
		return e.resourceForm(x, c)
	case len(x.Raw) > 0 && x.Body.Raw() != nil && len(x.Body.Members()) > 0:
		e.resourceBody(x, c)
	case len(x.Raw) > 0:
		c.Body = append(c.Body, x.Raw)
	}
	return nil
}

// callerLines passes on the lines of the caller that the vendor must see: what the body is, and which beta of the API is
// meant. Assistants and threads are such a beta, which SDKs name and others forget
// (https://platform.openai.com/docs/assistants/migration).
func (e *endpoint) callerLines(x *llm.Exchange, c *llm.Call) {
	for _, name := range []string{"Content-Type", "Accept", "OpenAI-Beta"} {
		ours := name == "OpenAI-Beta" && e.hasLine(borrow(name))
		if v := x.Header.Get(name); len(v) > 0 && provider.BadHeader(borrow(name), v) == "" && !ours {
			c.Header = append(c.Header, llm.Field{Name: borrow(name), Value: v})
		}
	}
	assistants := bytes.HasPrefix(borrow(x.Tail), []byte("/assistants")) || bytes.HasPrefix(borrow(x.Tail), []byte("/threads"))
	if assistants && !c.Header.Has("OpenAI-Beta") && !e.hasLine([]byte("openai-beta")) {
		c.Header = append(c.Header, llm.Field{Name: borrow("OpenAI-Beta"), Value: borrow("assistants=v2")})
	}
}

// ownQuery reports whether a parameter of the query is for the gateway.
func ownQuery(name []byte, x *llm.Exchange) bool {
	switch string(name) {
	case "custom_llm_provider", "provider", "target_model_names":
		return true
	case "model":
		return x.Pinned == nil
	}
	return false
}

// ownMember reports whether a member of the body, or a field of the form, is for the gateway. metadata is the vendor's
// here.
func ownMember(name []byte) bool {
	switch string(name) {
	case "custom_llm_provider", "litellm_metadata", "litellm_params", "target_model_names", "target_storage", "api_key",
		"api_base", "base_url", "api_version", "guardrails", "num_retries", "timeout", "drop_params", "fallbacks",
		"mock_response", "extra_headers", "no-log":
		return true
	}
	return false
}

func (e *endpoint) resourceBody(x *llm.Exchange, c *llm.Call) {
	p := patch{e: e, x: x, body: &x.Body, raw: x.Body.Raw(), dst: c.Body}
	list := x.Body.Members()
	for i := range list {
		key := x.Body.Key(list[i])
		if ownMember(key) {
			p.cut(list, i)
			continue
		}
		p.members++
		if id, model, ok := openai.InputFile(&x.Body); ok && string(key) == "input_file_id" && model == x.Model {
			p.put(list[i].Value, llm.AppendQuoted(nil, id))
			continue
		}
		if name, ok := llm.Text(x.Body.Value(list[i])); ok && string(key) == "model" && x.Pinned == nil && string(name) == x.Model {
			p.put(list[i].Value, e.model)
		}
	}
	p.copyTo(len(p.raw))
	c.Body = p.dst
}

func (e *endpoint) resourceForm(x *llm.Exchange, c *llm.Call) error {
	w := formWriter{e: e, x: x, dst: c.Body}
	purpose, _ := llm.Text(x.Body.Get("purpose"))
	renames := x.Call == "acreate_file" && x.Pinned == nil && string(purpose) == "batch"
	for _, part := range x.Form.Parts() {
		if part.File && renames {
			lines, err := openai.WithBatchModel(nil, x.Form.Value(part), e.model)
			if err != nil {
				return err
			}
			w.put(part.Value, lines)
			continue
		}
		if !part.File && (ownMember([]byte(part.Name)) || part.Name == "model" && x.Pinned == nil) {
			w.put(part.Whole, nil)
		}
	}
	w.copyTo(len(x.Form.Raw()))
	c.Body = w.dst
	return w.err
}

// encodeRealtime begins a conversation (https://platform.openai.com/docs/guides/realtime-websocket).
func (e *endpoint) encodeRealtime(x *llm.Exchange, c *llm.Call) {
	c.Method, c.Head, c.Socket = "GET", e.bare, true
	path := []byte(e.talk)
	for _, q := range [][]byte{borrow(e.query), x.Query} {
		for pair := range bytes.SplitSeq(q, []byte{'&'}) {
			if name, _, _ := bytes.Cut(pair, []byte{'='}); len(pair) > 0 && string(name) != "model" {
				path = append(append(path, '&'), pair...)
			}
		}
	}
	c.Path = path
	if v := x.Header.Get("OpenAI-Beta"); len(v) > 0 && provider.BadHeader([]byte("OpenAI-Beta"), v) == "" && !e.hasLine([]byte("openai-beta")) {
		c.Header = append(c.Header, llm.Field{Name: borrow("OpenAI-Beta"), Value: v})
	}
}

// escape writes a model's name for a query.
func escape(model string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(model))
	for _, c := range []byte(model) {
		if provider.TokenByte(c) && c != '&' && c != '%' && c != '#' && c != '+' || c == '/' || c == ':' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', hex[c>>4], hex[c&15])
	}
	return string(b)
}

func (e *endpoint) decodeRealtime(a *llm.Answer, r *llm.Reply) error {
	if a.Socket == nil {
		_ = a.Body.Close()
		return e.garbled(e.p.s.Name + " did not begin a WebSocket.")
	}
	r.Socket, r.Rest = a.Socket, provider.Conversation{Socket: a.Socket}
	return nil
}
