package listener

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// toVendor reads what the gateway must know of a request to a vendor's own API: who asks, where the vendor's SDK has a
// way of its own to say it, and for which model.
func (c *session) toVendor(ctx *fasthttp.RequestCtx, vendor string) error {
	x := &c.x
	c.vendorKey(ctx, vendor)
	if model := modelInTail(x.Tail); model != "" {
		x.NameModel([]byte(model))
		return nil
	}
	if raw := bytes.TrimLeft(x.Raw, " \t\r\n"); len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	// A body that two parsers could read differently could name a model that the caller may not use.
	var body llm.Object
	if err := body.Parse(x.Raw); err != nil {
		return invalidJSON(err)
	}
	if model, ok := llm.Text(body.Get("model")); ok {
		x.NameModel(model)
	}
	x.Streamed = string(body.Get("stream")) == "true"
	return nil
}

// vendorKey finds the caller's key where the SDKs of some vendors put it: Google's in the query, Langfuse's as the
// second part of a user name and password.
func (c *session) vendorKey(ctx *fasthttp.RequestCtx, vendor string) {
	x := &c.x
	switch vendor {
	case "gemini":
		if key := ctx.QueryArgs().Peek("key"); len(key) > 0 && !x.Header.Has("x-goog-api-key") && !x.Header.Has("Authorization") {
			x.Header = append(x.Header, llm.Field{Name: []byte("x-goog-api-key"), Value: key})
		}
	case "langfuse":
		for i, f := range x.Header {
			secret, basic := bytes.CutPrefix(f.Value, []byte("Basic "))
			if !llm.EqualFold(f.Name, "Authorization") || !basic {
				continue
			}
			if pair, err := base64.StdEncoding.DecodeString(string(secret)); err == nil {
				_, key, _ := bytes.Cut(pair, []byte(":"))
				x.Header[i].Value = append([]byte("Bearer "), key...)
			}
		}
	}
}

// modelInTail finds the model in a path: "/models/NAME:verb" (Google), "/model/NAME/verb" (Amazon, whose names may hold
// slashes), "/deployments/NAME/..." (Azure).
func modelInTail(tail string) string {
	if _, after, ok := strings.Cut(tail, "/models/"); ok {
		if name, _, verb := strings.Cut(after, ":"); verb && !strings.Contains(name, "/") {
			return decode(name)
		}
	}
	if after, ok := strings.CutPrefix(tail, "/model/"); ok {
		if end := strings.LastIndexByte(after, '/'); end > 0 {
			return decode(after[:end])
		}
	}
	if _, after, ok := strings.Cut(tail, "/deployments/"); ok {
		name, _, _ := strings.Cut(after, "/")
		return decode(name)
	}
	return ""
}
