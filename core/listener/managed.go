package listener

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Files over several deployments (target_model_names), and the batches that are made of them
// (litellm_enterprise/proxy/hooks/managed_files.py of the reference): the file is uploaded to a deployment of each model
// and has one id; a batch of it runs at one of them. Who made a file or batch may use it, and nobody else.

// ManagedFile is what is kept of a file, as the body of a store.Object.
type ManagedFile struct {
	Object json.RawMessage `json:"object"` // as callers see it; null if it was never read
	Copies []Copy          `json:"copies"`
}

// Copy is a file at one deployment.
type Copy struct {
	Deployment string `json:"deployment"`
	File       string `json:"file"`
}

// ManagedBatch is what is kept of a batch, as the body of a store.Object.
type ManagedBatch struct {
	Object     json.RawMessage `json:"object"`
	Deployment string          `json:"deployment"`
	Batch      string          `json:"batch"`
	Group      string          `json:"group"`
	Input      string          `json:"input"` // the vendor's id of the file it is made of

	// Who pays for it.
	KeyHash, UserID, TeamID, OrgID string
}

func (b *ManagedBatch) paidBy(p *llm.Principal) {
	if p != nil {
		b.KeyHash, b.UserID, b.TeamID, b.OrgID = p.KeyHash, p.UserID, p.TeamID, p.OrgID
	}
}

// Ended reports whether a batch in the status has ended.
func Ended(status string) bool {
	return slices.Contains([]string{"completed", "failed", "expired", "cancelled"}, status)
}

// managed serves a request about such a file or batch. It reports whether it has answered; if it has not, the request
// goes on as any other.
func (c *session) managed(ctx *fasthttp.RequestCtx, call string) (done bool, err error) {
	x := &c.x
	if call == "acreate_file" {
		if names := targetModels(x.Body.Get("target_model_names")); len(names) > 0 {
			return true, c.makeFile(ctx, names)
		}
		return false, nil
	}
	if call == "acreate_batch" {
		id, _ := llm.Text(x.Body.Get("input_file_id"))
		if _, ok := openai.ParseUnifiedFile(string(id)); ok {
			return true, c.makeBatch(ctx, string(id))
		}
		return false, nil
	}
	segments := strings.Split(x.Tail, "/")
	if len(segments) < 3 {
		return false, nil
	}
	id := decode(segments[2])
	if b, ok := openai.ParseUnifiedBatch(id); ok && segments[1] == "batches" {
		return true, c.ofBatch(ctx, id, b, call)
	}
	if _, ok := openai.ParseUnifiedFile(id); ok && segments[1] == "files" {
		return c.ofFile(ctx, id, call)
	}
	return false, nil
}

// targetModels reads target_model_names: a list, or names with commas in between.
func targetModels(v []byte) (names []string) {
	if dialect.Null(v) {
		return nil
	}
	var texts []string
	if json.Unmarshal(v, &texts) != nil {
		s, _ := llm.Text(v)
		texts = []string{string(s)}
	}
	for _, text := range texts {
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

const maxTargets = 32 // models of one file

// makeFile uploads a file to a deployment of each model.
func (c *session) makeFile(ctx *fasthttp.RequestCtx, names []string) error {
	x, s := &c.x, c.s
	if len(names) > maxTargets {
		return invalidMember("target_model_names", "names too many models")
	}
	if err := s.Gateway.Authenticate(&x.Life, x); err != nil {
		return err
	}
	if s.Managed == nil || s.Managed(&x.Life) != nil {
		return invalidMember("target_model_names", "needs a database: set DATABASE_URL")
	}
	file, kind := ManagedFile{}, ""
	for _, part := range x.Form.Parts() {
		if part.File && part.Name == "file" {
			kind = strings.NewReplacer(";", "", ",", "").Replace(string(part.Type))
		}
	}
	for _, name := range names {
		a := c.inner(ctx, innerCall{method: fasthttp.MethodPost, call: "acreate_file", tail: "/files", body: x.Raw, group: name})
		id, _, ok := openai.SplitModelID(textOf(a.body, "id"))
		if a.status != fasthttp.StatusOK || !ok {
			c.dropCopies(ctx, file.Copies)
			c.relayInner(ctx, a)
			return nil
		}
		file.Copies = append(file.Copies, Copy{a.deployment, id})
		if file.Object == nil {
			file.Object = a.body
		}
	}
	first := file.Copies[0]
	uuid := llm.NewID(x.Start)
	id := openai.UnifiedFile{Type: kind, UUID: uuid.String(), Models: strings.Join(names, ","), File: first.File, Deployment: first.Deployment}.String()
	object, err := dialect.Set(nil, file.Object, "id", llm.AppendQuoted(nil, id))
	if err != nil {
		return err
	}
	file.Object = object
	if err := c.keepManaged(store.ObjectFile, id, "uploaded", false, file); err != nil {
		c.dropCopies(ctx, file.Copies)
		return err
	}
	c.answerManaged(ctx, object)
	return nil
}

// dropCopies deletes files that are of no use, as far as that works.
func (c *session) dropCopies(ctx *fasthttp.RequestCtx, copies []Copy) {
	for _, at := range copies {
		c.inner(ctx, innerCall{method: fasthttp.MethodDelete, call: "afile_delete", tail: "/files/" + at.File, group: c.s.Gateway.GroupOf(at.Deployment), home: at.Deployment})
	}
}

func (c *session) keepManaged(kind store.ObjectKind, id, status string, pending bool, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	o := ownerOf(&c.x)
	return c.s.Kept.Put(&c.x.Life, &store.Object{
		ID: id, Kind: kind, UserID: store.Text(o.user), TeamID: store.Text(o.team), Token: store.Text(o.key),
		Status: status, Pending: pending, Body: string(raw),
	})
}

// recallManaged finds a file or batch of the caller's.
func (c *session) recallManaged(kind store.ObjectKind, id string, body any) error {
	if err := c.s.Gateway.Authenticate(&c.x.Life, &c.x); err != nil {
		return err
	}
	o, err := c.s.Kept.Get(&c.x.Life, id)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && o.Kind != kind:
		return &llm.Error{Op: "listener.recallManaged", Kind: llm.KindNotFound, Type: "invalid_request_error", Message: "There is no " + string(kind) + " with the id " + id + "."}
	case err != nil:
		return &llm.Error{Op: "listener.recallManaged", Kind: llm.KindUnavailable, Err: err, Message: "The " + string(kind) + " cannot be looked up at the moment."}
	}
	if !ownerOfRow(o).shares(c.x.Principal) {
		return forbidden(c.x.Principal, kindName(string(kind)+"s"), id)
	}
	return json.Unmarshal([]byte(o.Body), body)
}

// ofFile serves a request about one file. Its content is the vendor's to send.
func (c *session) ofFile(ctx *fasthttp.RequestCtx, id, call string) (done bool, err error) {
	var file ManagedFile
	if err := c.recallManaged(store.ObjectFile, id, &file); err != nil {
		return true, err
	}
	at := c.living(file.Copies)
	if at == nil {
		return true, &llm.Error{Op: "listener.ofFile", Kind: llm.KindNotFound, Message: "No deployment that has the file is configured any more."}
	}
	x, group := &c.x, c.s.Gateway.GroupOf(at.Deployment)
	switch {
	case call == "afile_delete":
		ids := []string{id}
		for _, at := range file.Copies {
			ids = append(ids, at.File)
		}
		if err := c.s.paidFor(x, id, ids); err != nil {
			return true, err
		}
		c.dropCopies(ctx, file.Copies)
		if err := c.s.Kept.Delete(&x.Life, id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return true, err
		}
		c.answerManaged(ctx, append(llm.AppendQuoted([]byte(`{"id":`), id), `,"object":"file","deleted":true}`...))
		return true, nil
	case call == "afile_retrieve" && file.Object != nil:
		c.answerManaged(ctx, file.Object)
		return true, nil
	case call == "afile_retrieve":
		a := c.inner(ctx, innerCall{method: fasthttp.MethodGet, call: call, tail: "/files/" + at.File, group: group, home: at.Deployment})
		if a.status != fasthttp.StatusOK {
			c.relayInner(ctx, a)
			return true, nil
		}
		object, err := dialect.Set(nil, a.body, "id", llm.AppendQuoted(nil, id))
		if err == nil {
			c.answerManaged(ctx, object)
		}
		return true, err
	}
	x.Home, x.Model, x.Tail = at.Deployment, group, "/files/"+at.File+"/content"
	return false, nil
}

// living is a copy at a deployment that is still there, or nil.
func (c *session) living(copies []Copy) *Copy {
	for _, i := range rand.Perm(len(copies)) {
		if c.s.Gateway.GroupOf(copies[i].Deployment) != "" {
			return &copies[i]
		}
	}
	return nil
}

// makeBatch begins a batch at one of the deployments that have the file.
func (c *session) makeBatch(ctx *fasthttp.RequestCtx, id string) error {
	x := &c.x
	var file ManagedFile
	if err := c.recallManaged(store.ObjectFile, id, &file); err != nil {
		return err
	}
	if model, _ := llm.Text(x.Body.Get("model")); len(model) > 0 {
		file.Copies = slices.DeleteFunc(file.Copies, func(at Copy) bool { return c.s.Gateway.GroupOf(at.Deployment) != string(model) })
	}
	at := c.living(file.Copies)
	if at == nil {
		return invalidMember("input_file_id", "is a file of none of the model's deployments")
	}
	body, err := dialect.Set(nil, x.Body.Raw(), "input_file_id", llm.AppendQuoted(nil, at.File))
	if err == nil && x.Body.Index("model") >= 0 {
		body, err = dialect.Remove(nil, body, "model")
	}
	if err != nil {
		return invalidJSON(err)
	}
	group := c.s.Gateway.GroupOf(at.Deployment)
	a := c.inner(ctx, innerCall{method: fasthttp.MethodPost, call: "acreate_batch", tail: "/batches", body: body, group: group, home: at.Deployment})
	if a.status != fasthttp.StatusOK {
		c.relayInner(ctx, a)
		return nil
	}
	raw, _, _ := openai.SplitModelID(textOf(a.body, "id"))
	b := ManagedBatch{Deployment: at.Deployment, Batch: raw, Group: group, Input: at.File}
	b.paidBy(x.Principal)
	if b.Object, err = c.batchObject(a.body, &b, id); err != nil {
		return err
	}
	name := openai.UnifiedBatch{Deployment: b.Deployment, Batch: b.Batch}.String()
	if err := c.keepManaged(store.ObjectBatch, name, textOf(b.Object, "status"), true, b); err != nil {
		return err
	}
	c.answerManaged(ctx, b.Object)
	return nil
}

// batchObject is a batch as callers see it: with ids of the gateway's. Files that it made are kept as the caller's.
func (c *session) batchObject(body []byte, b *ManagedBatch, input string) (json.RawMessage, error) {
	set := func(name, value string) (err error) {
		body, err = dialect.Set(nil, body, name, llm.AppendQuoted(nil, value))
		return err
	}
	if err := set("id", openai.UnifiedBatch{Deployment: b.Deployment, Batch: b.Batch}.String()); err != nil {
		return nil, err
	}
	if err := set("input_file_id", input); err != nil {
		return nil, err
	}
	for _, name := range []string{"output_file_id", "error_file_id"} {
		file := textOf(body, name)
		if file == "" {
			continue
		}
		if raw, _, ok := openai.SplitModelID(file); ok {
			file = raw
		}
		sum := sha256.Sum256([]byte(b.Deployment + "\n" + file)) // the same file has the same id, however often it is told
		id := openai.UnifiedFile{Type: "application/json", UUID: hex.EncodeToString(sum[:16]), Models: b.Group, File: file, Deployment: b.Deployment}.String()
		if _, err := c.s.Kept.Get(&c.x.Life, id); errors.Is(err, store.ErrNotFound) {
			err = c.keepManaged(store.ObjectFile, id, "processed", false, ManagedFile{Copies: []Copy{{b.Deployment, file}}})
			if err != nil {
				return nil, err
			}
		}
		if err := set(name, id); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// ofBatch serves a request about one batch.
func (c *session) ofBatch(ctx *fasthttp.RequestCtx, id string, at openai.UnifiedBatch, call string) error {
	var b ManagedBatch
	if err := c.recallManaged(store.ObjectBatch, id, &b); err != nil {
		return err
	}
	method, tail := fasthttp.MethodGet, "/batches/"+at.Batch
	if call == "acancel_batch" {
		method, tail = fasthttp.MethodPost, tail+"/cancel"
	}
	a := c.inner(ctx, innerCall{method: method, call: call, tail: tail, group: c.s.Gateway.GroupOf(at.Deployment), home: at.Deployment})
	if a.status != fasthttp.StatusOK {
		c.relayInner(ctx, a)
		return nil
	}
	object, err := c.batchObject(a.body, &b, textOf(b.Object, "input_file_id"))
	if err != nil {
		return err
	}
	_, err = c.s.Kept.Update(&c.x.Life, id, func(o *store.Object) error {
		var now ManagedBatch
		if err := json.Unmarshal([]byte(o.Body), &now); err != nil {
			return err
		}
		now.Object = object
		raw, err := json.Marshal(now)
		o.Body, o.Status = string(raw), textOf(object, "status")
		return err
	})
	if err != nil {
		return err
	}
	c.answerManaged(ctx, object)
	return nil
}

func textOf(object []byte, name string) string {
	s, _ := llm.Text(dialect.Get(object, name))
	return string(s)
}

// innerCall is a request that the gateway makes for one that it serves: to a deployment, or to any of a group.
type innerCall struct {
	method, call, tail string
	body               []byte
	group, home        string
	pinned             *llm.Deployment // in place of group and home
	query              []byte          // in place of the caller's; nil keeps that
}

type innerAnswer struct {
	status     int
	body       []byte
	deployment string
}

// inner makes a request with the caller's own rights, limits and records.
func (c *session) inner(ctx *fasthttp.RequestCtx, call innerCall) (a innerAnswer) {
	var request fasthttp.Request
	var in fasthttp.RequestCtx
	ctx.Request.Header.CopyTo(&request.Header)
	request.Header.SetMethod(call.method)
	request.SetBodyRaw(call.body)
	if call.body == nil {
		request.Header.Del("Content-Type")
	}
	in.Init(&request, nil, serverLog{c.s.Logger})
	n := &session{single: true}
	n.x.Reset()
	c.s.openIn(n, &in, llm.OpResource, c.x.Path)
	x := &n.x
	x.ID = llm.NewID(x.Start)
	x.Remote, x.Method, x.Call, x.Tail = c.x.Remote, call.method, call.call, call.tail
	stop := context.AfterFunc(&c.x.Life, func() { x.Life.Cancel(context.Canceled) })
	defer stop()
	if err := n.decodeResource(&in); err != nil {
		n.fail(&in, err)
	} else {
		x.NameModel([]byte(call.group))
		x.Home, x.Pinned = call.home, call.pinned
		if call.query != nil {
			x.Query = call.query
		}
		n.serve(&in)
		if n.reply != nil && n.reply.Deployment != nil {
			a.deployment = n.reply.Deployment.ID
		}
	}
	a.body = bytes.Clone(in.Response.Body())
	a.status = in.Response.StatusCode()
	if a.status == fasthttp.StatusOK && !json.Valid(a.body) {
		a.status = fasthttp.StatusBadGateway
		a.body = openai.AppendError(nil, &llm.Error{Op: "listener.inner", Kind: llm.KindBadGateway, Message: "The vendor's answer is not JSON."})
	}
	return a
}

// relayInner answers with what a request of the gateway's own got.
func (c *session) relayInner(ctx *fasthttp.RequestCtx, a innerAnswer) {
	if a.status == fasthttp.StatusOK {
		a.status = fasthttp.StatusBadGateway
	}
	ctx.Response.SetStatusCode(a.status)
	c.answerManaged(ctx, a.body)
}

func (c *session) answerManaged(ctx *fasthttp.RequestCtx, body []byte) {
	ctx.Response.Header.SetCanonical(hContentType, typeJSON)
	ctx.Response.SetBodyRaw(body)
	c.finish(&ctx.Response.Header, c.buf[:0])
	c.log(ctx.Response.StatusCode(), nil)
	c.release()
}
