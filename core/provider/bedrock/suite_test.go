package bedrock_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
)

var update = providertest.UpdateFlag()

// account is an account in us-east-1, unless the model's name says otherwise, that signs nothing.
func account(_ *llm.Deployment, _, named string) (string, llm.Signer, error) {
	if named != "" {
		return named, nil, nil
	}
	return "us-east-1", nil, nil
}

func newProvider() *provider.Translated {
	return bedrock.New(bedrock.Settings{Account: account, Now: func() time.Time { return time.Unix(1741569952, 0) }})
}

// frames writes the lines of a script as an event stream: the name of an event and its payload; an exception begins with
// "!", an error with "?". CUT takes the end of the message before away, FLIP changes a bit in it, and RAW is no message.
func frames(text []byte) []byte {
	if first, _, _ := bytes.Cut(text, []byte(" ")); len(text) == 0 || text[0] == '{' || text[0] == '<' || len(first) == len(text) {
		return text
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		name, payload, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "CUT":
			out = out[:len(out)-7]
		case name == "FLIP":
			out[len(out)-9] ^= 1
		case name == "RAW":
			out = append(out, payload...)
		case name == "chunk":
			out = eventstream.Append(out, []byte(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(payload))+`","p":"abc"}`),
				":event-type", "chunk", ":content-type", "application/json", ":message-type", "event")
		case name[0] == '!':
			out = eventstream.Append(out, []byte(payload), ":exception-type", name[1:], ":content-type", "application/json", ":message-type", "exception")
		case name[0] == '?':
			out = eventstream.Append(out, nil, ":error-code", name[1:], ":error-message", payload, ":message-type", "error")
		default:
			out = eventstream.Append(out, []byte(payload), ":event-type", name, ":content-type", "application/json", ":message-type", "event")
		}
	}
	return out
}

// The suite runs with Claude, which has most of all, and what other models have differently besides.
func TestSuite(t *testing.T) {
	t.Parallel()
	for folder, model := range map[string]string{
		"claude":     "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		"adaptive":   "global.anthropic.claude-opus-4-6-v1",
		"other":      "converse/eu-west-1/mistral.mistral-large-2407-v1:0",
		"nova":       "us.amazon.nova-2-lite-v1:0",
		"llama":      "us.meta.llama4-maverick-17b-instruct-v1:0",
		"nova1":      "eu.amazon.nova-pro-v1:0",
		"titan":      "amazon.titan-embed-text-v2:0",
		"titan1":     "amazon.titan-embed-text-v1",
		"titanmm":    "amazon.titan-embed-image-v1",
		"titanimage": "amazon.titan-image-generator-v2:0",
		"gpt":        "openai.gpt-oss-120b-1:0",
		"cohere":     "cohere.embed-v4:0",
		"stability":  "stability.stable-image-ultra-v1:1",
		"inpaint":    "us.stability.stable-image-inpaint-v1:0",
		"style":      "stability.stable-style-transfer-v1:0",
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			o := providertest.Options{Translates: true, Target: true, Body: frames}
			if folder != "claude" {
				own, err := filepath.Glob("testdata/" + folder + "/*.txtar")
				if err != nil || len(own) == 0 {
					t.Fatal("there are no scripts")
				}
				for _, name := range slices.Concat(providertest.Cases(), providertest.FurtherCases()) {
					if !slices.Contains(own, "testdata/"+folder+"/"+name+".txtar") {
						o.Skip = append(o.Skip, name)
					}
				}
			}
			if *update {
				o.Update = "testdata/" + folder
			}
			d := &llm.Deployment{ID: "d1", Group: "mine", Provider: bedrock.Name, Model: model, APIKey: "sk-0123456789abc"}
			providertest.Run(t, newProvider(), d, os.DirFS("testdata/"+folder), o)
		})
	}
}

// TestStores searches knowledge bases.
func TestStores(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Only: true, Target: true}
	if *update {
		o.Update = "testdata/knowledge"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: bedrock.Name, Model: "KB12345678", APIKey: "sk-0123456789abc"}
	providertest.Run(t, bedrock.Stores(bedrock.Settings{Account: account}), d, os.DirFS("testdata/knowledge"), o)
}

// TestStoreAddress shows that an address of models becomes that of knowledge bases.
func TestStoreAddress(t *testing.T) {
	t.Parallel()
	f := func(base, endpoint, want string) {
		t.Helper()
		d := &llm.Deployment{ID: "d1", Group: "mine", Model: "a/b?", Base: base, APIKey: "sk-0123456789abc"}
		if endpoint != "" {
			d.Settings = []llm.Pair{{Name: "aws_bedrock_runtime_endpoint", Value: endpoint}}
		}
		e, err := bedrock.Stores(bedrock.Settings{Account: account}).Bind(d)
		if err != nil {
			t.Fatal(err)
		}
		x := new(llm.Exchange)
		x.Reset()
		x.Op, x.Call = llm.OpResource, "avector_store_search"
		if err := x.Body.Parse([]byte(`{"query":"q"}`)); err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := e.Encode(x, &c); err != nil {
			t.Fatal(err)
		}
		if got := c.Target.Host + string(c.Path); got != want {
			t.Errorf("%s, %s: got %s, want %s", base, endpoint, got, want)
		}
	}
	f("", "", "bedrock-agent-runtime.us-east-1.amazonaws.com/knowledgebases/a%2Fb%3F/retrieve")
	f("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", "", "vpce-1.bedrock-agent-runtime.us-east-1.vpce.amazonaws.com/knowledgebases/a%2Fb%3F/retrieve")
	f("", "https://h.example/x", "h.example/x/knowledgebases/a%2Fb%3F/retrieve")
}

func FuzzStores(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: bedrock.Name, Model: "KB12345678", APIKey: "sk-0123456789abc"}
	providertest.Fuzz(f, bedrock.Stores(bedrock.Settings{Account: account}), d, os.DirFS("testdata/knowledge"))
}
