package passthrough_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/passthrough"
)

func exchange(tail, query, body string, header ...string) *llm.Exchange {
	x := new(llm.Exchange)
	x.Reset()
	x.Method, x.Tail, x.Query, x.Raw = "POST", tail, []byte(query), []byte(body)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		x.Header = append(x.Header, llm.Field{Name: []byte(name), Value: []byte(value)})
	}
	return x
}

func encode(t *testing.T, s passthrough.Settings, x *llm.Exchange) (c *llm.Call, lines string) {
	t.Helper()
	e, err := passthrough.New(s)
	if err != nil {
		t.Fatal(err)
	}
	c = new(llm.Call)
	if err := e.Encode(x, c); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Header {
		lines += string(f.Name) + "=" + string(f.Value) + ";"
	}
	return c, lines
}

func TestPaths(t *testing.T) {
	t.Parallel()
	f := func(s passthrough.Settings, tail, query, want string) {
		t.Helper()
		c, _ := encode(t, s, exchange(tail, query, ""))
		if got := c.Target.Scheme + "://" + c.Target.Addr + string(c.Path); got != want {
			t.Errorf("%s?%s: %s, want %s", tail, query, got, want)
		}
	}
	at := func(target string) passthrough.Settings { return passthrough.Settings{Target: target} }
	f(at("https://a"), "", "", "https://a:443/")
	f(at("https://a/x/"), "/y", "q=1", "https://a:443/x/y?q=1")
	f(at("http://a:8080/x?k=v"), "/y", "", "http://a:8080/x/y?k=v")
	f(at("http://a:8080/x?k=v"), "/y", "q=1", "http://a:8080/x/y?q=1")
	s := at("https://a/x?k=v")
	s.MergeQuery = true
	f(s, "", "q=1", "https://a:443/x?k=v&q=1")
	s = at("https://a")
	s.DefaultQuery, s.DropQuery = []llm.Pair{{Name: "d", Value: "1"}}, []string{"key"}
	f(s, "/y", "key=secret&q=2", "https://a:443/y?d=1&q=2")
	s = at("https://a")
	s.DropQuery = []string{"key"}
	f(s, "/y", "q=2&k%65y=secret&key=x&monkey=1", "https://a:443/y?q=2&monkey=1")
	f(s, "/y", "monkey=1", "https://a:443/y?monkey=1")
	s = at("https://a/base")
	s.Place = func(tail string) (string, string, error) { return "https://b.example", "/v1" + tail, nil }
	f(s, "/y", "q=1", "https://b.example:443/v1/y?q=1")
	s.Place = func(tail string) (string, string, error) { return "", "/v1" + tail, nil }
	f(s, "/y", "", "https://a:443/base/v1/y")
	s = at("https://a")
	s.Place = func(string) (string, string, error) { return "", "", errors.New("no such place") }
	e, _ := passthrough.New(s)
	if err := e.Encode(exchange("/y", "", ""), new(llm.Call)); err == nil || llm.AsError(err).HTTPStatus() != 400 {
		t.Errorf("a bad place: %v", err)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	all := []string{"Authorization: Bearer sk", "x-api-key: k", "X-Litellm-Tags: t", "Content-Type: a/b", "X-Own: 1", "Cookie: c", "Connection: close", "My-Key: m", "X-Set: theirs"}
	f := func(s passthrough.Settings, want string) {
		t.Helper()
		s.Target, s.Hide = "https://a", []string{"My-Key"}
		if _, got := encode(t, s, exchange("", "", "", all...)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	set := []llm.Pair{{Name: "X-Set", Value: "ours"}}
	f(passthrough.Settings{Headers: set}, "Content-Type=a/b;")
	f(passthrough.Settings{Headers: set, Forward: true}, "Content-Type=a/b;X-Own=1;")
	f(passthrough.Settings{Headers: set, Forward: true, Client: true}, "Authorization=Bearer sk;x-api-key=k;Content-Type=a/b;X-Own=1;X-Set=theirs;")
	for _, bad := range []passthrough.Settings{
		{Target: "ftp://a"}, {Target: "https://"}, {Target: "https://a", Headers: []llm.Pair{{Name: "a b", Value: "c"}}},
		{Target: "https://a", Headers: []llm.Pair{{Name: "a", Value: "b\r\nc: d"}}},
	} {
		if _, err := passthrough.New(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	f := func(model, tail, body, wantPath, wantBody string) {
		t.Helper()
		x := exchange(tail, "", body)
		x.Model = model
		c, _ := encode(t, passthrough.Settings{Target: "https://a", Group: "my/group", Model: "vendor:1"}, x)
		if got := string(bytes.Join(c.Body, nil)); got != wantBody || string(c.Path) != wantPath {
			t.Errorf("%s %s: %s %s, want %s %s", tail, body, c.Path, got, wantPath, wantBody)
		}
	}
	f("my/group", "/v1/x", `{"a":1, "model" : "my/group"}`, "/v1/x", `{"a":1, "model" : "vendor:1"}`)
	f("my/group", "/model/my%2Fgroup/converse", `{}`, "/model/vendor:1/converse", `{}`)
	f("my/group", "/model/my/group/converse", `{}`, "/model/vendor:1/converse", `{}`)
	f("my/group", "/models/my%2Fgroup:generateContent", ``, "/models/vendor:1:generateContent", ``)
	f("other", "/model/my%2Fgroup/converse", `{"model":"my/group"}`, "/model/my%2Fgroup/converse", `{"model":"my/group"}`)
	f("my/group", "/x", `{"model":{"name":"my/group"}}`, "/x", `{"model":{"name":"my/group"}}`)
}

// What guardrails changed goes out in place of what the caller wrote, and nothing else changes.
func TestGuarded(t *testing.T) {
	t.Parallel()
	f := func(body string, fields []string, input, want string) {
		t.Helper()
		x := exchange("", "", body)
		if err := x.Body.Parse([]byte(`{"input":` + input + `}`)); err != nil {
			t.Fatal(err)
		}
		if places, ok := dialect.Strings(x.Raw, fields); !ok || len(places) == 0 {
			t.Fatalf("nothing to guard in %s", body)
		}
		c, _ := encode(t, passthrough.Settings{Target: "https://a", Guarded: true, Fields: fields}, x)
		if got := string(bytes.Join(c.Body, nil)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	const doc = `{"q": "a", "d":[{"t":"b"},{"t":"c\"d"}], "n": 1}`
	f(doc, nil, `["a","b","c\"d"]`, doc)
	f(doc, nil, `["*","b","***"]`, `{"q": "*", "d":[{"t":"b"},{"t":"***"}], "n": 1}`)
	f(doc, []string{"d[*].t", "q"}, `["***","b","c\"d"]`, `{"q": "***", "d":[{"t":"b"},{"t":"c\"d"}], "n": 1}`)
}

type body struct {
	io.Reader
	closed int
}

func (b *body) Close() error { b.closed++; return nil }

func TestRelay(t *testing.T) {
	t.Parallel()
	priced := &llm.Deployment{ID: "priced"}
	e, err := passthrough.New(passthrough.Settings{Target: "https://a", MaxResponse: 200, Priced: func(model string) *llm.Deployment {
		if model != "claude" && model != "" { // an answer that broke off does not say it
			t.Errorf("model %q", model)
		}
		return priced
	}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(text string, size int) (parts string, r llm.Reply, b *body, err error) {
		b = &body{Reader: oneByte{strings.NewReader(text)}}
		a := &llm.Answer{Status: 418, Size: size, Body: b, Header: llm.Header{{Name: []byte("Content-Type"), Value: []byte("application/json")}}}
		if err = e.Decode(exchange("", "", ""), a, &r); err != nil {
			return "", r, b, err
		}
		for p := r.First; err == nil; err = r.Rest.Next(&p) {
			parts += string(p.Data)
		}
		if r.Rest.Close() != nil {
			t.Error("Close")
		}
		return parts, r, b, err
	}
	answer := `{"model":"claude","usage":{"input_tokens":3,"output_tokens":4}}`
	parts, r, b, err := f(answer, len(answer))
	if parts != answer || err != io.EOF || b.closed != 1 || r.Status != 418 || !r.Verbatim || r.Usage.Total != 7 || r.Deployment != priced {
		t.Errorf("%q %+v %v", parts, r, err)
	}
	if _, _, b, err = f(answer, 1000); llm.AsError(err).Kind != llm.KindTooLarge || b.closed != 1 {
		t.Errorf("announced too large: %v, closed %d", err, b.closed)
	}
	if _, _, b, err = f(strings.Replace(answer, "3", strings.Repeat("3", 300), 1), -1); llm.AsError(err).Kind != llm.KindTooLarge || b.closed != 1 {
		t.Errorf("too large: %v, closed %d", err, b.closed)
	}
}

// oneByte reads a byte at a time.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }
