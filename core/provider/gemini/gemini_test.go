package gemini_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
)

func deployment(change func(*llm.Deployment)) *llm.Deployment {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "gemini", Model: "gemini-2.5-flash", APIKey: "AIza-0123456789abc"}
	if change != nil {
		change(d)
	}
	return d
}

func set(d *llm.Deployment, pairs ...string) {
	d.APIKey = ""
	for i := 0; i < len(pairs); i += 2 {
		d.Settings = append(d.Settings, llm.Pair{Name: pairs[i], Value: pairs[i+1]})
	}
}

// pathOf returns where a chat goes, or the error.
func pathOf(t *testing.T, s gemini.Settings, op llm.Operation, body string, change func(*llm.Deployment)) string {
	t.Helper()
	e, err := gemini.New(s).Bind(deployment(change))
	if err != nil {
		return err.Error()
	}
	x := new(llm.Exchange)
	x.Reset()
	x.Op = op
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		return err.Error()
	}
	return c.Target.Scheme + "://" + c.Target.Host + string(c.Path)
}

// TestAddresses checks where calls go, for every way to say it.
func TestAddresses(t *testing.T) {
	t.Parallel()
	const hi = `{"messages":[{"role":"user","content":"hi"}]}`
	f := func(s gemini.Settings, want string, change func(*llm.Deployment)) {
		t.Helper()
		if got := pathOf(t, s, llm.OpChat, hi, change); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const method = "models/gemini-2.5-flash:generateContent"
	f(settings(), "https://generativelanguage.googleapis.com/v1beta/"+method, nil)
	f(settings(), "https://x.example/v1beta/"+method, func(d *llm.Deployment) { d.Base = "https://x.example" })
	f(settings(), "https://x.example/gw/v1/"+method, func(d *llm.Deployment) { d.Base = "https://x.example/gw/v1/" })
	f(settings(), "https://generativelanguage.googleapis.com/v1beta/models/tuned%20x:generateContent",
		func(d *llm.Deployment) { d.Model = "models/tuned x" })
	f(settings(), "model_name mine: litellm_params.api_key is missing; it can also be set as GEMINI_API_KEY or GOOGLE_API_KEY",
		func(d *llm.Deployment) { d.APIKey = "" })

	v := vertex()
	google := "publishers/google/" + method
	f(v, "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p1/locations/us-central1/"+google,
		func(d *llm.Deployment) { set(d, "vertex_project", "p1") })
	f(v, "https://aiplatform.googleapis.com/v1beta1/projects/p1/locations/global/"+google,
		func(d *llm.Deployment) { set(d, "vertex_project", "p1", "vertex_location", "global") })
	f(v, "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p1/locations/eu/"+google,
		func(d *llm.Deployment) { set(d, "vertex_project", "p1", "vertex_location", "eu") })
	f(v, "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p1/locations/us-central1/endpoints/4965075652664360960:generateContent",
		func(d *llm.Deployment) { set(d, "vertex_project", "p1"); d.Model = "gemini/4965075652664360960" })
	f(v, "https://proxy.example/v1/projects/p1/locations/us-central1/"+google,
		func(d *llm.Deployment) { set(d, "vertex_project", "p1"); d.Base = "https://proxy.example/v1" })
	f(v, "https://proxy.example/x/models/m:generateContent",
		func(d *llm.Deployment) { set(d); d.Base = "https://proxy.example/x/models/m" })
	f(v, "https://us-central1-aiplatform.googleapis.com/v1beta1/"+google, nil) // a key stands for a project
	f(v, "model_name mine: litellm_params.vertex_project is missing: name the Google Cloud project, here or as VERTEXAI_PROJECT or GOOGLE_CLOUD_PROJECT",
		func(d *llm.Deployment) { set(d) })
	f(v, "model_name mine: litellm_params.vertex_project must be the id of a Google Cloud project",
		func(d *llm.Deployment) { set(d, "vertex_project", "p/../q") })
	f(v, "model_name mine: litellm_params.vertex_location must be a location such as us-central1, or global, us or eu",
		func(d *llm.Deployment) { set(d, "vertex_project", "p1", "vertex_location", "evil.example/") })
	v.Project = func(*llm.Deployment) string { return "found" }
	f(v, "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/found/locations/us-central1/"+google,
		func(d *llm.Deployment) { set(d) })
	v.Sign = func(*llm.Deployment) (llm.Signer, error) { return nil, errors.New("no such file") }
	f(v, "model_name mine: litellm_params.vertex_credentials cannot be used: no such file",
		func(d *llm.Deployment) { set(d, "vertex_project", "p1") })

	if got := pathOf(t, settings(), llm.OpImage, `{"prompt":"a"}`, func(d *llm.Deployment) { d.Model = "imagen-4.0-generate-001" }); got !=
		"https://generativelanguage.googleapis.com/v1beta/models/imagen-4.0-generate-001:predict" {
		t.Errorf("got %s", got)
	}
}

// speak sends a request in Google's dialect, and returns the call's body and what came of the answer.
func speak(t *testing.T, s gemini.Settings, request string, stream bool, answer string, change func(*llm.Deployment)) (call, reply string) {
	t.Helper()
	e, err := gemini.New(s).Bind(deployment(change))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := e.(provider.Speaker); !ok || !s.Speaks(llm.DialectGoogle) || s.Speaks(llm.DialectMessages) {
		return "does not speak it", ""
	}
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.Dialect, x.AsNative, x.Streamed = llm.OpChat, llm.DialectGoogle, true, stream
	if err := x.Native.Parse([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if err := openai.DecodeNative(x); err != nil {
		t.Fatal(err)
	}
	x.Streamed = stream
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	call = string(c.Path) + " " + string(bytes.Join(c.Body, nil))
	a := &llm.Answer{Status: 200, Size: -1, Streamed: stream, Body: io.NopCloser(strings.NewReader(answer))}
	if stream {
		a.Header = llm.Header{{Name: []byte("Content-Type"), Value: []byte("text/event-stream")}}
	}
	var r llm.Reply
	if err := e.Decode(x, a, &r); err != nil {
		return call, llm.AsError(err).Message
	}
	defer r.Rest.Close()
	if r.Dialect != llm.DialectGoogle || r.Streamed != stream {
		t.Errorf("the reply is %+v", r)
	}
	var out strings.Builder
	p := r.First
	for ; err == nil; err = r.Rest.Next(&p) {
		out.Write(p.Data)
		out.WriteByte('\n')
	}
	if err != io.EOF {
		out.WriteString(llm.AsError(err).Message + "\n")
	}
	out.WriteString(r.Finish)
	if r.Usage.Total > 0 {
		out.WriteString(" " + string('0'+rune(r.Usage.Total%10)))
	}
	return call, out.String()
}

// TestNative sends requests in Google's dialect: they go out, and the answers come back, byte for byte.
func TestNative(t *testing.T) {
	t.Parallel()
	f := func(s gemini.Settings, request string, stream bool, answer, call, reply string, change func(*llm.Deployment)) {
		t.Helper()
		gotCall, gotReply := speak(t, s, request, stream, answer, change)
		if gotCall != call || gotReply != reply {
			t.Errorf("got  %s\n     %q\nwant %s\n     %q", gotCall, gotReply, call, reply)
		}
	}
	const whole = "/v1beta/models/gemini-2.5-flash:generateContent "
	const stream = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse "
	hi := `{ "contents":[ {"parts":[{"text":"h\u0069"}],"x":1} ] }`
	answer := `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3}, "new":1}`
	f(settings(), hi, false, answer, whole+hi, answer+"\nstop 3", nil)
	f(settings(), `{"model":"m","contents":[],"stream":true,"metadata":{"a":1},"extra_body":{"y":2,"contents":3}}`, false, answer,
		whole+`{"contents":[],"y":2}`, answer+"\nstop 3", nil)
	safe := settings()
	safe.Safety = []byte(`[{"category":"C"}]`)
	f(safe, `{"contents":[]}`, false, answer, whole+`{"contents":[],"safetySettings":[{"category":"C"}]}`, answer+"\nstop 3", nil)
	f(safe, `{"contents":[],"safety_settings":[]}`, false, answer, whole+`{"contents":[],"safety_settings":[]}`, answer+"\nstop 3", nil)
	call := `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}`
	f(settings(), hi, true, "data: "+call+"\n\ndata: "+answer+"\n\n", stream+hi, call+"\n"+answer+"\ntool_calls 3", nil)
	f(settings(), hi, true, "data: "+call+"\n\n", stream+hi, call+"\nThe connection broke during the answer.\n", nil)
	f(settings(), hi, true, `data: {"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED"}}`+"\n\n", stream+hi, "Slow down.", nil)
	f(settings(), hi, false, `{"error":{"code":500,"message":"Oh.","status":"INTERNAL"}}`, whole+hi, "Oh.", nil)
	f(settings(), hi, false, `{"promptFeedback":{"blockReason":"SAFETY"}}`, whole+hi, `{"promptFeedback":{"blockReason":"SAFETY"}}`+"\ncontent_filter", nil)
	f(settings(), hi, false, answer, "does not speak it", "", func(d *llm.Deployment) {
		d.Defaults = []llm.Pair{{Name: "temperature", Value: "1"}}
	})
}

// TestCountTokens asks how many tokens a request has.
func TestCountTokens(t *testing.T) {
	t.Parallel()
	f := func(s gemini.Settings, want string, change func(*llm.Deployment)) {
		t.Helper()
		e, err := gemini.New(s).Bind(deployment(change))
		if err != nil {
			t.Fatal(err)
		}
		x := new(llm.Exchange)
		x.Reset()
		x.Op, x.Dialect, x.Call = llm.OpChat, llm.DialectGoogle, provider.CountTokens
		request := `{"contents":[{"parts":[{"text":"hi"}]}],"tools":[],"safetySettings":[],"systemInstruction":{},"tags":["a"],"model":"m"}`
		if err := x.Native.Parse([]byte(request)); err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := e.Encode(x, &c); err != nil {
			t.Fatal(err)
		}
		if got := string(c.Path) + " " + string(bytes.Join(c.Body, nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		var r llm.Reply
		answer := `{"totalTokens":3}`
		if err := e.Decode(x, &llm.Answer{Status: 200, Size: -1, Body: io.NopCloser(strings.NewReader(answer))}, &r); err != nil {
			t.Fatal(err)
		}
		defer r.Rest.Close()
		if string(r.First.Data) != answer {
			t.Errorf("%s", r.First.Data)
		}
	}
	f(settings(), `/v1beta/models/gemini-2.5-flash:countTokens {"generateContentRequest":{"model":"models/gemini-2.5-flash",`+
		`"contents":[{"parts":[{"text":"hi"}]}],"tools":[],"safetySettings":[],"systemInstruction":{}}}`, nil)
	f(vertex(), `/v1beta1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash:countTokens `+
		`{"contents":[{"parts":[{"text":"hi"}]}],"tools":[],"systemInstruction":{}}`, func(d *llm.Deployment) { set(d, "vertex_project", "p") })
}
