package listener

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// serveStored serves a request about what a vendor stores, if it is the caller's, and notes whose it is what the vendor
// makes.
func (c *session) serveStored(ctx *fasthttp.RequestCtx) {
	if c.x.Home == "" { // a file over several deployments has been asked for by its own id
		alsoAdmit(&c.x, c.s.admitStored)
	}
	if c.x.Call == "afile_delete" {
		alsoAdmit(&c.x, c.s.admitDeletion)
	}
	reply, err := c.s.Gateway.Serve(&c.x.Life, &c.x)
	if err != nil {
		c.fail(ctx, err)
		return
	}
	c.reply = reply
	if err := c.claim(); err != nil {
		_ = reply.Rest.Close()
		c.fail(ctx, err)
		return
	}
	c.headers(ctx)
	size := len(reply.First.Data)
	if reply.Streamed || reply.Verbatim {
		size = -1
	}
	ctx.Response.SetBodyStream(c, size)
}

// claim notes, before the caller learns of it, whose it is what the answer says was made, and forgets what was deleted.
// What a server of the caller's own says counts for nothing.
func (c *session) claim() error {
	x, r := &c.x, c.reply
	if r.Status >= fasthttp.StatusMultipleChoices || x.Body.Index("api_base") >= 0 || x.Body.Index("base_url") >= 0 {
		return nil
	}
	if x.Call == "acreate_batch" {
		if err := c.owe(); err != nil {
			return err
		}
	}
	_, about := storedID(x.Tail)
	place, o := makes(x.Call, x.Tail), ownerOf(x)
	switch {
	case deletes(x.Call):
		return ignoreMissing(c.s.Kept.Delete(&x.Life, ownedKey(about)))
	case begets(x.Call):
		whose, known, err := c.s.ownerOfID(x, about)
		if err != nil || !known {
			return err
		}
		o, place = whose, ""
	case place == "", o.nobody(x.Principal):
		return nil
	}
	if r.Streamed {
		c.seek = &seek{place: place, kind: storedKind(x.Tail), o: o}
		return nil
	}
	body, err := c.wholeReply()
	if err != nil {
		return err
	}
	if place != "" {
		if id := textOf(body, place); id != "" {
			if err := c.s.own(x, vendorsID(id), storedKind(x.Tail), o); err != nil {
				return err
			}
		}
	}
	return c.s.ownBegotten(x, body, o)
}

func storedKind(tail string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(tail, "/"), "/")
	return kind
}

// ownBegotten notes that the files which an object names, as made by the vendor, belong to o.
func (s *Server) ownBegotten(x *llm.Exchange, object []byte, o owner) error {
	for _, id := range begotten(object) {
		_, known, err := s.ownerOfID(x, id)
		if err == nil && !known {
			err = s.own(x, id, "files", o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxClaim is how much of an answer is read for the id of what was made. Those answers are a few KB.
const maxClaim = 1 << 20

// wholeReply reads the answer, which then is the first part of the reply.
func (c *session) wholeReply() ([]byte, error) {
	r := c.reply
	if !r.Verbatim {
		return r.First.Data, nil
	}
	body := bytes.Clone(r.First.Data)
	var part llm.Part
	for len(body) <= maxClaim {
		err := r.Rest.Next(&part)
		if err == io.EOF { //nolint:errorlint // a stream returns it bare
			break
		}
		if err != nil {
			return nil, err
		}
		body = append(body, part.Data...)
	}
	r.First = llm.Part{Data: body}
	return body, nil
}

// seek looks in a stream for the id of what it has made: a thread, as its first event tells.
type seek struct {
	place, kind string
	o           owner
	line        []byte
}

const maxSeek = 64 << 10

// see reads the next bytes before they are sent. It may be called on nil.
func (k *seek) see(c *session, data []byte) {
	if k == nil {
		return
	}
	k.line = append(k.line, data...)
	for {
		line, rest, whole := bytes.Cut(k.line, []byte{'\n'})
		if !whole {
			break
		}
		k.line = rest
		event, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		event = bytes.TrimSpace(event)
		id := textOf(event, k.place)
		if id == "" && textOf(event, "object") == "thread" {
			id = textOf(event, "id")
		}
		if id == "" {
			continue
		}
		if err := c.s.own(&c.x, id, k.kind, k.o); err != nil {
			c.s.Logger.Warn("whose it is what a stream has made is not noted", "call_id", c.x.ID.String(), "error", err)
		}
		c.seek = nil
		return
	}
	if len(k.line) > maxSeek {
		c.seek = nil
	}
}

// lists reports whether a route lists what the vendor stores.
func lists(row resource) bool {
	if row.method != fasthttp.MethodGet {
		return false
	}
	switch row.path {
	case "/files", "/batches", "/fine_tuning/jobs", "/assistants", "/vector_stores", "/containers", "/videos":
		return true
	}
	return false
}

const maxListPages = 20 // of a vendor's list, for one of the caller's own

// listOwn answers with those of the things in a vendor's list that are the caller's. The vendor's pages hold everybody's,
// so it reads as many of them as it takes to fill one. done is false if nothing is hidden from the caller.
func (c *session) listOwn(ctx *fasthttp.RequestCtx, kind string) (done bool, err error) {
	x := &c.x
	if err := c.s.Gateway.Authenticate(&x.Life, x); err != nil {
		return true, err
	}
	if seesAll(x.Principal) {
		return false, nil
	}
	want, most, page := 20, 100, 100
	if kind == "files" {
		want, most, page = 10000, 10000, 1000 // https://platform.openai.com/docs/api-reference/files/list
	}
	if n, err := strconv.Atoi(string(ctx.QueryArgs().Peek("limit"))); err == nil && n > 0 {
		want = min(n, most)
	}
	l := ownList{c: c, want: want}
	var query fasthttp.Args
	ctx.QueryArgs().CopyTo(&query)
	query.SetUint("limit", page)
	if after := query.Peek("after"); len(after) > 0 {
		query.Set("after", vendorsID(string(after)))
	}
	for range maxListPages {
		a := c.inner(ctx, innerCall{
			method: fasthttp.MethodGet, call: x.Call, tail: x.Tail, group: x.Model, pinned: x.Pinned, query: query.QueryString(),
		})
		if a.status != fasthttp.StatusOK {
			c.relayInner(ctx, a)
			return true, nil
		}
		next, err := l.add(a.body)
		if err != nil {
			return true, err
		}
		if next == "" || len(query.Peek("before")) > 0 {
			break
		}
		query.Set("after", next)
	}
	c.answerManaged(ctx, l.body())
	return true, nil
}

// ownList is what was found of a caller's.
type ownList struct {
	c           *session
	want, n     int
	items       []byte
	first, last []byte
	page        string // first id of the page before
	more        bool   // there may be further ones
}

// add takes the caller's own of a page. next is the id after which the next page begins; "" if none is needed.
func (l *ownList) add(body []byte) (next string, err error) {
	s, x := l.c.s, &l.c.x
	first, last := "", ""
	l.more = false
	for list := dialect.Array(dialect.Get(body, "data")); list.Next(); {
		item := list.Value()
		id := vendorsID(textOf(item, "id"))
		if last = id; first == "" {
			if first = id; first == l.page {
				return "", nil // the vendor knows no pages
			}
		}
		o, known, err := s.ownerOfID(x, id)
		if err != nil {
			return "", err
		}
		if !known || !o.shares(x.Principal) {
			continue
		}
		if l.n == l.want {
			l.more = true
			return "", nil
		}
		if err := s.ownBegotten(x, item, o); err != nil {
			return "", err
		}
		l.put(item)
	}
	l.page = first
	if string(dialect.Get(body, "has_more")) != "true" || last == "" {
		return "", nil
	}
	l.more = true
	return last, nil
}

func (l *ownList) put(item []byte) {
	l.last = dialect.Copied(dialect.Get(item, "id"))
	if l.n++; l.n == 1 {
		l.first = l.last
	} else {
		l.items = append(l.items, ',')
	}
	l.items = append(l.items, item...)
}

// body is the list as OpenAI's API writes it.
func (l *ownList) body() []byte {
	b := append([]byte(`{"object":"list","data":[`), l.items...)
	b = append(b, `],"first_id":`...)
	if l.n == 0 {
		b = append(b, `null,"last_id":null`...)
	} else {
		b = append(append(append(b, l.first...), `,"last_id":`...), l.last...)
	}
	return append(strconv.AppendBool(append(b, `,"has_more":`...), l.more), '}')
}
