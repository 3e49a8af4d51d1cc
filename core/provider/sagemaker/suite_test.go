package sagemaker_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/sagemaker"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
)

var update = providertest.UpdateFlag()

func settings() sagemaker.Settings {
	return sagemaker.Settings{
		Account: func(*llm.Deployment, string, string) (string, llm.Signer, error) { return "us-east-1", nil, nil },
		Now:     func() time.Time { return time.Unix(1741569952, 0) },
	}
}

// frames writes the lines of a script as an event stream: the name of an event and its payload, in which \n is a line
// end; an exception begins with "!". CUT takes the end of the message before away, and FLIP changes a bit in it.
func frames(text []byte) []byte {
	if first, _, _ := bytes.Cut(text, []byte(" ")); len(text) == 0 || text[0] == '{' || text[0] == '[' || text[0] == '<' || len(first) == len(text) {
		return text
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		name, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		payload = strings.ReplaceAll(payload, `\n`, "\n")
		switch {
		case name == "CUT":
			out = out[:len(out)-7]
		case name == "FLIP":
			out[len(out)-9] ^= 1
		case name[0] == '!':
			out = eventstream.Append(out, []byte(payload), ":exception-type", name[1:], ":message-type", "exception")
		default:
			out = eventstream.Append(out, []byte(payload), ":event-type", name, ":content-type", "application/octet-stream", ":message-type", "event")
		}
	}
	return out
}

func deployment(settings ...string) *llm.Deployment {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: sagemaker.Name, Model: "my-endpoint"}
	for i := 0; i < len(settings); i += 2 {
		d.Settings = append(d.Settings, llm.Pair{Name: settings[i], Value: settings[i+1]})
	}
	return d
}

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Target: true, Body: frames, Skip: []string{
		"parallel-tools", "stream-tools", "logprobs", "finish-content-filter",
		"stream-reasoning", "image-url", "tool-choice", "tool-results", "stream-parallel-tools",
	}}
	if *update {
		o.Update = "testdata"
	}
	providertest.Run(t, sagemaker.New(settings()), deployment("model_id", "c1"), os.DirFS("testdata"), o)
}

// inner stands for the provider of OpenAI's dialect: it calls the paths of the place, and its answers are what it reads.
type inner struct{ place *provider.Place }

func (i inner) Bind(*llm.Deployment) (provider.Endpoint, error) { return i, nil }

func (i inner) Encode(_ *llm.Exchange, c *llm.Call) error {
	c.Path = []byte(i.place.Path(llm.OpChat))
	return nil
}

func (i inner) Decode(_ *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	b, err := io.ReadAll(a.Body)
	r.Streamed, r.First.Data = a.Streamed, b
	return errors.Join(err, a.Body.Close())
}

func TestChat(t *testing.T) {
	t.Parallel()
	d := deployment("model_id", "c1")
	place, err := sagemaker.Place(settings())(d)
	if err != nil || place.Base != "https://runtime.sagemaker.us-east-1.amazonaws.com" || place.Path(llm.OpEmbedding) != "" {
		t.Fatalf("got %+v, %v", place, err)
	}
	e, err := sagemaker.Chat(inner{place}).Bind(d)
	if err != nil {
		t.Fatal(err)
	}
	for streamed, want := range map[bool]string{false: "/endpoints/my-endpoint/invocations", true: "/endpoints/my-endpoint/invocations-response-stream"} {
		var c llm.Call
		if err := e.Encode(&llm.Exchange{Op: llm.OpChat, Streamed: streamed}, &c); err != nil || string(c.Path) != want ||
			string(c.Header.Get("x-amzn-sagemaker-inference-component")) != "c1" {
			t.Errorf("got %s, %q, %v", c.Path, c.Header, err)
		}
	}
	f := func(kind, body, want string, streamed bool, kindOf llm.Kind) {
		t.Helper()
		b := providertest.NewBody(frames([]byte(body)), nil)
		var r llm.Reply
		a := &llm.Answer{Status: 200, Header: llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}}, Body: b}
		err := e.Decode(&llm.Exchange{Op: llm.OpChat, Streamed: true}, a, &r)
		if diff := cmp.Diff(want, string(r.First.Data)); diff != "" || r.Streamed != streamed || b.Closed != 1 {
			t.Errorf("streamed %v, closed %d (-want +got):\n%s", r.Streamed, b.Closed, diff)
		}
		if (err != nil) != (kindOf != 255) || err != nil && !errors.Is(err, &llm.Error{Kind: kindOf}) && llm.AsError(err).Kind != kindOf {
			t.Errorf("got %v", err)
		}
	}
	const stream = "application/vnd.amazon.eventstream"
	f("application/json", `{"a":1}`, `{"a":1}`, false, 255)
	f(stream, "PayloadPart data: {\"a\nPayloadPart \":1}\\n\\n", "data: {\"a\":1}\n\n", true, 255)
	f(stream, "PayloadPart data: x\n!ModelStreamError {\"Message\":\"m\",\"ErrorCode\":\"ModelInvocationTimeExceeded\"}", "data: x", true, llm.KindTimeout)
	f(stream, "PayloadPart data: x\nFLIP x", "", true, llm.KindBadGateway)
}

// inside makes an error of what a refusal of sagemaker_chat comes to, as the provider inside does.
type inside struct{ inner }

func (i inside) Bind(*llm.Deployment) (provider.Endpoint, error) { return i, nil }

func (i inside) Decode(_ *llm.Exchange, a *llm.Answer, _ *llm.Reply) error {
	b, err := io.ReadAll(a.Body)
	if err := errors.Join(err, a.Body.Close()); err != nil {
		return err
	}
	return openai.Classify(a.Status, sagemaker.NameChat, b, a.Header)
}

// TestChatRefusals shows what is left of refusals of sagemaker_chat: that of the model's server, or SageMaker's own.
func TestChatRefusals(t *testing.T) {
	t.Parallel()
	e, err := sagemaker.Chat(inside{}).Bind(deployment())
	if err != nil {
		t.Fatal(err)
	}
	f := func(status int, body string, kind llm.Kind, message string) {
		t.Helper()
		b := providertest.NewBody([]byte(body), nil)
		err := llm.AsError(e.Decode(&llm.Exchange{Op: llm.OpChat}, &llm.Answer{Status: status, Body: b}, new(llm.Reply)))
		if err.Kind != kind || err.Message != message || b.Closed != 1 {
			t.Errorf("%d %s: %v %q, closed %d", status, body, err.Kind, err.Message, b.Closed)
		}
	}
	const words = `"OriginalMessage":"{\"error\":{\"message\":\"m\",\"code\":\"context_length_exceeded\"}}","OriginalStatusCode":400`
	f(424, `{"Message":"Received client error (400)",`+words+`}`, llm.KindContextWindow, "m")
	f(424, `{"Message":"x","OriginalMessage":"busy","OriginalStatusCode":503}`, llm.KindUnavailable, "busy")
	f(424, `{"Message":"x","OriginalMessage":"gone","OriginalStatusCode":"?"}`, llm.KindInternal, "gone")
	f(424, `{"Message":"The model failed."}`, llm.KindInternal, "The model failed.")
	f(424, `{"Message":"Late.","ErrorCode":"ModelInvocationTimeExceeded"}`, llm.KindTimeout, "Late.")
	f(400, `{"message":"Rate exceeded"}`, llm.KindRateLimit, "Rate exceeded")
	f(403, `{"message":"The security token included in the request is invalid."}`, llm.KindAuthentication, "The security token included in the request is invalid.")
	f(530, `{"Message":"Not ready."}`, llm.KindUnavailable, "Not ready.")
	f(503, ``, llm.KindUnavailable, "the vendor answered with status 503 and no message")
}

func TestPlace(t *testing.T) {
	t.Parallel()
	based := deployment()
	based.Base = "http://127.0.0.1:1"
	for d, want := range map[*llm.Deployment]string{
		based: "http://127.0.0.1:1", deployment("sagemaker_base_url", "https://vpce-1.runtime.sagemaker.us-east-1.vpce.amazonaws.com"): "https://vpce-1.runtime.sagemaker.us-east-1.vpce.amazonaws.com",
	} {
		if p, err := sagemaker.Place(settings())(d); err != nil || p.Base != want {
			t.Errorf("got %+v, %v, want %s", p, err, want)
		}
	}
	s := settings()
	s.Account = func(*llm.Deployment, string, string) (string, llm.Signer, error) { return "", nil, errors.New("wrong") }
	if _, err := sagemaker.Place(s)(based); err == nil {
		t.Error("a wrong account was taken")
	}
	if _, err := sagemaker.New(s).Bind(based); err == nil {
		t.Error("a wrong account was taken")
	}
}
