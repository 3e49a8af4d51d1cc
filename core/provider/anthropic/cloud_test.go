package anthropic_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
)

type badge struct{}

func (badge) Sign(context.Context, *llm.Call) error { return nil }

// TestCloud checks how requests go to a cloud that serves Claude: with the model in the path and the version in the body
// (https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai).
func TestCloud(t *testing.T) {
	t.Parallel()
	s := settings()
	s.Cloud = &anthropic.Cloud{
		Version: "vertex-2023-10-16", Whole: ":rawPredict", Stream: ":streamRawPredict", Count: "count-tokens:rawPredict",
		Locate: func(d *llm.Deployment) (string, error) {
			if d.Base != "" {
				return "", &provider.SettingError{Group: d.Group, Setting: "vertex_location", Problem: "is wrong"}
			}
			return "https://cloud.example/v1/models/" + d.Model, nil
		},
		Sign: func(*llm.Deployment) (llm.Signer, error) { return badge{}, nil },
	}
	bind := func(base string) (provider.Endpoint, error) {
		return anthropic.New(s).Bind(&llm.Deployment{ID: "d1", Group: "mine", Provider: "vertex_ai", Model: "claude-sonnet-4-5@20250929", Base: base})
	}
	e, err := bind("")
	if err != nil {
		t.Fatal(err)
	}
	call := ""
	f := func(native bool, body, want string) {
		t.Helper()
		x := new(llm.Exchange)
		x.Reset()
		x.Op, x.Call = llm.OpChat, call
		o, decode := &x.Body, openai.Decode
		if native {
			x.Dialect, x.AsNative, o, decode = llm.DialectMessages, true, &x.Native, openai.DecodeNative
		}
		if err := o.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := decode(x); err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := e.Encode(x, &c); err != nil {
			t.Fatal(err)
		}
		if got := string(c.Path) + " " + string(bytes.Join(c.Body, nil)); got != want || c.Signer == nil {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if head := strings.ToLower(string(c.Head)); strings.Contains(head, "anthropic-version") || strings.Contains(head, "x-api-key") {
			t.Errorf("the header is %s", c.Head)
		}
	}
	const path = "/v1/models/claude-sonnet-4-5@20250929"
	f(false, `{"messages":[{"role":"user","content":"hi"}]}`,
		path+`:rawPredict {"anthropic_version":"vertex-2023-10-16","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`)
	f(false, `{"stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		path+`:streamRawPredict {"anthropic_version":"vertex-2023-10-16","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stream":true}`)
	f(true, `{"model":"m","max_tokens":1, "messages":[]}`, path+`:rawPredict {"max_tokens":1, "messages":[],"anthropic_version":"vertex-2023-10-16"}`)
	f(true, `{"max_tokens":1,"model":"m","stream":true}`, path+`:streamRawPredict {"max_tokens":1,"stream":true,"anthropic_version":"vertex-2023-10-16"}`)
	f(true, `{"model":"m"}`, path+`:rawPredict {"anthropic_version":"vertex-2023-10-16"}`)
	f(true, `{"anthropic_version":"own","model":"m"}`, path+`:rawPredict {"anthropic_version":"own"}`)
	call = anthropic.CountTokens
	f(true, `{"model":"m","messages":[]}`,
		`/v1/models/count-tokens:rawPredict {"model":"claude-sonnet-4-5@20250929","messages":[],"anthropic_version":"vertex-2023-10-16"}`)
	if _, err := bind("x"); err == nil || err.Error() != "model_name mine: litellm_params.vertex_location is wrong" {
		t.Errorf("got %v", err)
	}
}
