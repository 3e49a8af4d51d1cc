package listener

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// keptFor is how long responses are kept that nobody configured: as long as OpenAI keeps them
// (https://platform.openai.com/docs/guides/your-data).
const keptFor = 30 * 24 * time.Hour

// conversation is a response that the gateway keeps, and what was said up to it.
type conversation struct {
	row      *store.Object
	response []byte
	input    []byte // the items of the request, with commas in between
	items    []byte // all items up to the answer's, likewise
}

// body is how a conversation is kept.
func (c *conversation) body() string {
	b := make([]byte, 0, len(c.response)+len(c.input)+len(c.items)+64)
	b = append(append(b, `{"response":`...), c.response...)
	b = append(append(b, `,"input":[`...), c.input...)
	b = append(append(b, `],"items":[`...), c.items...)
	return string(append(b, `]}`...))
}

// conversationOf reads what body wrote.
func conversationOf(o *store.Object) (*conversation, bool) {
	c := &conversation{row: o}
	for at := dialect.Object([]byte(o.Body)); at.Next(); {
		v := at.Value()
		switch string(at.Key()) {
		case "response":
			c.response = v
		case "input":
			c.input = insideOf(v)
		case "items":
			c.items = insideOf(v)
		}
	}
	return c, len(c.response) > 0 && c.response[0] == '{'
}

// inputItems is the input of a request as items with commas in between. It borrows nothing.
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

func insideOf(list []byte) []byte {
	if len(list) < 2 || list[0] != '[' {
		return nil
	}
	return list[1 : len(list)-1]
}

// joinItems puts lists of items behind each other.
func joinItems(lists ...[]byte) []byte {
	var out []byte
	for _, l := range lists {
		if len(l) > 0 && len(out) > 0 {
			out = append(out, ',')
		}
		out = append(out, l...)
	}
	return out
}

func ownerOfRow(o *store.Object) owner {
	return owner{user: string(o.UserID), team: string(o.TeamID), key: string(o.Token)}
}

// recall finds a response of the gateway's own. It is nil if there is none, and an error if it is somebody else's or the
// place where responses are kept does not answer.
func (s *Server) recall(x *llm.Exchange, id string) (*conversation, error) {
	o, err := s.Kept.Get(&x.Life, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && o.Kind != store.ObjectResponse {
		return nil, nil
	}
	if err != nil {
		return nil, &llm.Error{
			Op: "listener.recall", Kind: llm.KindUnavailable, Err: err, Message: "Responses cannot be read at the moment: the place where they are kept does not answer.",
		}
	}
	if !s.ownership().Off {
		if err := ownerOfRow(o).admits(x.Principal, "response"); err != nil {
			return nil, err
		}
	}
	c, ok := conversationOf(s.given(o))
	if !ok {
		return nil, nil
	}
	return c, nil
}

// remember keeps a response for whoever asked. One that is too large is not kept.
func (s *Server) remember(x *llm.Exchange, id string, c *conversation) {
	o := ownerOf(x)
	row := &store.Object{
		ID: id, Kind: store.ObjectResponse, UserID: store.Text(o.user), TeamID: store.Text(o.team), Token: store.Text(o.key),
		Status: "completed", Body: c.body(),
	}
	if err := s.Kept.Put(&x.Life, row); err != nil {
		s.Logger.Debug("a response is not kept", "call_id", x.ID.String(), "bytes", len(row.Body), "error", err)
	}
}

// ownResponse answers for a response that the gateway keeps. name is its id as the caller knows it.
func (c *session) ownResponse(ctx *fasthttp.RequestCtx, name, id, call string) {
	body, err := c.ownAnswer(name, id, call)
	if err != nil {
		c.fail(ctx, err)
		return
	}
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(body)
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(fasthttp.StatusOK, nil)
	c.release()
}

func (c *session) ownAnswer(name, id, call string) ([]byte, error) {
	s, x := c.s, &c.x
	if err := s.Gateway.Authenticate(&x.Life, x); err != nil {
		return nil, err
	}
	found, err := s.recall(x, id)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, notFound(name)
	}
	switch call {
	case "aget_responses":
		return found.response, nil
	case "alist_input_items":
		return listItems(id, found.input), nil
	case "acancel_responses":
		return s.cancelResponse(&x.Life, id, found)
	}
	s.later.stop(id)
	if err := s.Kept.Delete(&x.Life, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, &llm.Error{Op: "listener.ownAnswer", Kind: llm.KindUnavailable, Err: err, Message: "The response cannot be deleted at the moment."}
	}
	return append(llm.AppendQuoted([]byte(`{"id":`), name), `,"object":"response","deleted":true}`...), nil
}

// given is an object as it is told: work that nobody does any more has failed.
func (s *Server) given(o *store.Object) *store.Object {
	if !o.Pending || time.Since(o.UpdatedAt) < workLost {
		return o
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepPatience)
	defer cancel()
	next, err := s.Kept.Update(ctx, o.ID, func(o *store.Object) error {
		if o.Pending && time.Since(o.UpdatedAt) >= workLost {
			setStatus(o, "failed", `{"code":"server_error","message":"The gateway that worked on the response has stopped."}`)
		}
		return nil
	})
	if err != nil {
		return o
	}
	return next
}

// setStatus ends the work on an object. failure is the error to tell, as JSON.
func setStatus(o *store.Object, status, failure string) {
	o.Status, o.Pending = status, false
	c, ok := conversationOf(o)
	if !ok {
		return
	}
	var r llm.Object
	if r.Parse(c.response) != nil || r.Index("status") < 0 || r.Index("error") < 0 {
		return
	}
	if replaceMember(&r, "status", llm.AppendQuoted(nil, status)) == nil && replaceMember(&r, "error", []byte(failure)) == nil {
		c.response = r.Raw()
		o.Body = c.body()
	}
}

// listItems is the list of a response's input items (https://platform.openai.com/docs/api-reference/responses/input-items).
// Items without an id get one.
func listItems(response string, input []byte) []byte {
	b := dialect.Build(nil)
	b.Open('{').Key("object").Lit(`"list"`).Key("data").Open('[')
	var first, last []byte
	n := 0
	for in := dialect.Array(append(append([]byte{'['}, input...), ']')); in.Next(); n++ {
		raw := in.Value()
		id := dialect.Get(raw, "id")
		if dialect.Null(id) && len(raw) > 2 && raw[0] == '{' {
			id = llm.AppendQuoted(nil, "item_"+response[len(keptID):]+"_"+strconv.Itoa(n))
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
