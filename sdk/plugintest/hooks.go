package plugintest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	vendor "github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// Log hands records to the log hook, as the gateway does, with hardly a pause before those that come again. The error
// says how many were lost.
func (p *Plugin) Log(t testing.TB, records ...callback.Record) error {
	t.Helper()
	return p.Sink(wasm.SinkOptions{Pause: time.Microsecond}).Write(t.Context(), records)
}

// Route asks the route hook about the deployments, for a chat request, and returns the ids of those that may be called.
// free is true if the plugin leaves the choice to the gateway.
func (p *Plugin) Route(t testing.TB, body []byte, list ...router.Candidate) (ids []string, ordered, free bool, err error) {
	t.Helper()
	x := Exchange(t, llm.OpChat, body)
	keep, ordered, err := p.RouteFilter().Filter(&x.Life, x, list)
	for _, i := range keep {
		ids = append(ids, list[i].ID)
	}
	return ids, ordered, keep == nil, err
}

// Prompt runs the prompt hook on a chat request with a prompt_id, which the plugin knows by the same name.
func (p *Plugin) Prompt(t testing.TB, body []byte) Outcome {
	t.Helper()
	x := Exchange(t, llm.OpChat, body)
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	id, ok := llm.Text(x.Body.Get("prompt_id"))
	if !ok {
		t.Fatal("the request has no prompt_id")
	}
	reply, err := wasm.Prompts(map[string]wasm.Prompt{string(id): {Plugin: p.Plugin, ID: string(id)}}).Before(&x.Life, x)
	return Outcome{x, reply, err}
}

// Endpoint binds a deployment to the vendor that the plugin speaks for. hosts are those that it may call besides the
// deployment's Base.
func (p *Plugin) Endpoint(t testing.TB, d *llm.Deployment, hosts ...string) provider.Endpoint {
	t.Helper()
	g, err := p.Provider(wasm.ProviderSettings{Name: p.Name(), Shape: vendor.New(vendor.Settings{Name: p.Name()}), Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	e, err := g.Bind(d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Vendor is what a test's vendor does with a call: it gets the method, the address, the headers and the body, and
// returns the answer. A content type of text/event-stream makes it a stream.
type Vendor func(method, url string, header http.Header, body string) (status int, contentType, answer string)

// Call has the endpoint make the call for a request, the vendor answer it, and the endpoint read the answer. It returns
// the parts that the caller gets.
func Call(t testing.TB, e provider.Endpoint, op llm.Operation, body string, v Vendor) (parts []string, reply llm.Reply, err error) {
	t.Helper()
	x := Exchange(t, op, []byte(body))
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		return nil, reply, err
	}
	a := llm.Answer{Size: -1, FirstByte: time.Now()}
	if c.Local != nil {
		err = c.Local(t.Context(), &a)
	} else {
		answer(&a, &c, v)
	}
	if err == nil {
		err = e.Decode(x, &a, &reply)
	}
	if err != nil {
		return nil, reply, err
	}
	defer reply.Rest.Close()
	for p := reply.First; err == nil; err = reply.Rest.Next(&p) {
		parts = append(parts, string(p.Data))
	}
	if err == io.EOF { //nolint:errorlint // the contract returns it bare
		err = nil
	}
	return parts, reply, err
}

func answer(a *llm.Answer, c *llm.Call, v Vendor) {
	header := http.Header{}
	for _, h := range c.Header {
		header.Add(string(h.Name), string(h.Value))
	}
	var body []byte
	for _, piece := range c.Body {
		body = append(body, piece...)
	}
	status, kind, text := v(c.Method, c.Target.Scheme+"://"+c.Target.Host+string(c.Path), header, string(body))
	a.Status, a.Streamed = status, kind == "text/event-stream"
	a.Header = llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}}
	a.Body = io.NopCloser(strings.NewReader(text))
}
