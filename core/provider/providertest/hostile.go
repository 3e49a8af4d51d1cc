package providertest

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// hostile is an answer that no vendor documents, and that servers, proxies and portals on the way send all the same.
type hostile struct {
	name   string
	status int
	header llm.Header
	body   []byte
	stream bool
}

// page is in answers that must not reach the caller.
const page = "portal-of-the-hotel"

// answers are those that must become errors, whatever was asked.
func answers(s *script) []hostile {
	head := func(kind string, more ...string) llm.Header {
		h := llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}}
		for i := 0; i < len(more); i += 2 {
			h = append(h, llm.Field{Name: []byte(more[i]), Value: []byte(more[i+1])})
		}
		return h
	}
	html := []byte("<!DOCTYPE html>\n<html><head><title>" + page + "</title></head><body>Sign in</body></html>")
	list := []hostile{
		{"a page instead of an answer", 200, head("text/html; charset=utf-8"), html, false},
		{"a page that claims to be JSON", 200, head("application/json"), html, false},
		{"nothing", 200, head("application/json"), nil, false},
		{"blanks", 200, head("application/json"), []byte(" \n\t"), false},
		{"no content", 204, nil, nil, false},
		{"a redirect", 302, head("text/html", "Location", "https://elsewhere.example/"+page), html, false},
		{"a permanent redirect", 308, head("text/plain", "Location", "https://elsewhere.example/"+page), nil, false},
		{"what was compressed unasked", 200, head("application/json", "Content-Encoding", "gzip"), squeezed(s.body), false},
		{"a stream of nothing", 200, head("text/event-stream"), nil, true},
		{"a page as a stream", 200, head("text/event-stream"), html, true},
	}
	if !s.stream || s.op.Streams() { // the events of media pass as they come, comments among them
		list = append(list, hostile{"a stream of comments", 200, head("text/event-stream"), []byte(": hello\n\n: still there\n\n"), true})
	}
	if !s.stream && object(s.body) {
		list = append(list, hostile{"half of the JSON", s.status, s.header, s.body[:len(s.body)/2], false})
	}
	return list
}

func object(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 2 && body[0] == '{'
}

func squeezed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

// hostile answers the script's request with what is no answer. Each must end in an error of the vendor's side, so that
// another deployment may be tried, and none of it may reach the caller as if the model had said it.
func (s *script) hostile(t *testing.T, e provider.Endpoint) {
	if s.status != 200 || s.broken != nil || strings.HasPrefix(s.reply, "error") {
		return
	}
	for _, h := range answers(s) {
		bad := *s
		bad.status, bad.header, bad.body, bad.stream = h.status, h.header, h.body, h.stream
		res := bad.play(t, e, NewBody(h.body, nil), -1)
		err := llm.AsError(res.err)
		switch {
		case res.err == nil:
			t.Errorf("%s became a reply:\n%s", h.name, res.reply)
		case err.HTTPStatus() < 500:
			t.Errorf("%s became the caller's fault: %s", h.name, res.reply)
		case strings.Contains(res.reply, page):
			t.Errorf("%s shows: %s", h.name, res.reply)
		}
	}
}
