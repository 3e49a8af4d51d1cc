package provider

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// turn begins the turn of an exchange.
func (e *endpoint) turn(x *llm.Exchange) Turn {
	return Turn{Site: e.s, Exchange: x, Drop: e.s.Deployment.DropParams || x.Controls.DropParams == 1}
}

// Encode implements Endpoint. The body is written anew for each call and left to the garbage collector: a call has no
// end at which a buffer could be given back.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	if Trims(x, e.s.Deployment) {
		return EncodeTrimmed(x, e.s.Deployment, c, e.encode)
	}
	return e.encode(x, c)
}

func (e *endpoint) encode(x *llm.Exchange, c *llm.Call) error {
	t := e.turn(x)
	t.Call = c
	c.Target, c.Method, c.Head, c.Signer = &e.s.Target, "POST", e.head, e.s.Signer
	if x.Controls.ExtraHeaders != nil {
		if err := ExtraHeaders(x, c, e.sends); err != nil {
			return err
		}
	}
	if x.AsNative || e.counts(x) {
		return e.encodeNative(&t)
	}
	if chat := e.chat(x.Op); chat != nil {
		return e.encodeChat(&t, chat)
	}
	form := e.p.v.Forms[x.Op]
	if form == nil {
		return &llm.Error{
			Op: e.p.v.Name + ".Encode", Kind: llm.KindBadRequest, Provider: e.p.v.Name, Type: "invalid_request_error",
			Message: "litellm.BadRequestError: " + e.p.v.Name + " does not offer " + x.Op.String(),
		}
	}
	return e.encodeForm(&t, form)
}

// chat is the form of a chat or a text completion; nil for other operations.
func (e *endpoint) chat(op llm.Operation) *Chat {
	switch {
	case op == llm.OpChat:
		return e.p.v.Chat
	case op != llm.OpCompletion:
		return nil
	case e.p.v.Completion != nil:
		return e.p.v.Completion
	}
	return e.p.v.Chat
}

func (e *endpoint) sends(name []byte) bool {
	for _, have := range e.names {
		if llm.EqualFold(name, have) {
			return true
		}
	}
	return false
}

func (e *endpoint) encodeChat(t *Turn, chat *Chat) error {
	r := e.p.requests.Get().(*openai.ChatRequest)
	defer func() {
		r.Reset()
		e.p.requests.Put(r)
	}()
	r.Reset()
	r.Vendor, r.Drop, r.Names, r.Allows, r.Free = e.p.v.Name, t.Drop, e.p.v.Names, e.p.v.Allows, e.p.v.Free
	members, err := e.params.collect(t, e.p.supported[t.Exchange.Op], make([]openai.Param, 0, 16))
	if err != nil {
		return err
	}
	if t.Exchange.Op == llm.OpCompletion && e.p.v.Completion == nil {
		if members, err = asChat(r, members); err != nil {
			return err
		}
	}
	if t.Exchange.Op == llm.OpCompletion && e.p.v.Completion != nil {
		r.Params = append(r.Params, members...)
	} else if err := r.Parse(members); err != nil {
		return err
	}
	t.Params = r
	path := chat.Path
	if t.Exchange.Streamed && chat.StreamPath != "" {
		path = chat.StreamPath
	}
	t.Call.Path = e.path(t, path, chat.Route)
	body, err := chat.Request(t, r, make([]byte, 0, len(t.Exchange.Body.Raw())+len(t.Exchange.Body.Raw())/8+512))
	if err != nil {
		return err
	}
	if body != nil {
		t.Call.Body = append(t.Call.Body, body)
	}
	return nil
}

// asChat makes the prompt of a text completion the message of a chat, as the reference does for vendors without text
// completions (litellm/main.py, text_completion).
func asChat(r *openai.ChatRequest, members []openai.Param) ([]openai.Param, error) {
	for i := range members {
		if members[i].Name != "prompt" {
			continue
		}
		prompt := members[i].Value
		if prompt[0] == '[' {
			c := dialect.Array(prompt)
			if !c.Next() || c.First() != '"' {
				return nil, r.Bad("prompt", "must be a text: "+r.Vendor+" takes no tokens")
			}
			prompt = c.Value()
			if c.Next() {
				return nil, r.Bad("prompt", "must be one text: "+r.Vendor+" answers one at a time")
			}
		}
		if prompt[0] != '"' {
			return nil, r.Bad("prompt", "must be a text")
		}
		b := dialect.Build(make([]byte, 0, len(prompt)+64))
		b.Open('[').Open('{').Key("role").Lit(`"user"`).Key("content").Raw(prompt).Close('}').Close(']')
		members[i] = openai.Param{Name: "messages", Value: b.Bytes()}
		return members, nil
	}
	return nil, r.Bad("prompt", "is missing")
}

func (e *endpoint) encodeForm(t *Turn, form *Form) error {
	r := e.p.requests.Get().(*openai.ChatRequest)
	defer func() {
		r.Reset()
		e.p.requests.Put(r)
	}()
	r.Reset()
	r.Vendor, r.Drop = e.p.v.Name, t.Drop
	var err error
	if r.Params, err = e.params.collect(t, form.Params, r.Params); err != nil {
		return err
	}
	t.Params = r
	if form.Typed {
		t.Call.Head = e.typed
	}
	t.Call.Path = e.path(t, form.Path, form.Route)
	body, err := form.Request(t, make([]byte, 0, len(t.Exchange.Body.Raw())+256))
	if err != nil {
		return err
	}
	if body != nil {
		t.Call.Body = append(t.Call.Body, body)
	}
	return nil
}
