package compat_test

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

func chat(t *testing.T, body string) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	x.Op = llm.OpChat
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestEdit(t *testing.T) {
	t.Parallel()
	f := func(vendor, base string, drop bool, body, want string) {
		t.Helper()
		v, _ := compat.Lookup(vendor)
		got, err := v.Edit()(&llm.Deployment{Base: base, DropParams: drop}, chat(t, body))
		if err != nil {
			got = []byte(llm.AsError(err).Message)
		}
		if got == nil {
			got = []byte("as it is")
		}
		if string(got) != want {
			t.Errorf("%s: %s\n%s, want\n%s", vendor, body, got, want)
		}
	}
	const asIs = "as it is"
	developer := `{"model":"m","messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hi"}]}`
	system := `{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}`
	f("groq", "", false, developer, system)
	f("openai", "", false, developer, asIs)
	f("openai", "https://api.openai.com/v1", false, developer, asIs)
	f("openai", "https://eu.api.openai.com/v1", false, developer, asIs)
	f("openai", "http://localhost:8000/v1", false, developer, system)
	f("openai", "https://openai.com.evil.example/v1", false, developer, system)
	f("litellm_proxy", "http://localhost:4000", false, developer, asIs)
	f("groq", "", false, `{"messages":[{"role":"user","content":"a \"developer\" b"}]}`, asIs)

	named := `{"messages":[{"role":"user","name":"Ann","content":"Hi"}]}`
	f("groq", "", true, named, `{"messages":[{"role":"user","content":"Hi"}]}`)
	f("groq", "", false, named, asIs)
	f("xai", "", true, named, asIs)

	parts := `{"messages":[{"role":"user","content":[{"type":"text","text":"a\n"},{"type":"text","text":"b"}]}],"n":1}`
	f("deepseek", "", false, parts, `{"messages":[{"role":"user","content":"a\nb"}],"n":1}`)
	f("groq", "", false, parts, asIs)
	f("deepseek", "", false, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]}`, asIs)

	tools := `"messages":[{"role":"user","content":"Hi"}],"tools":[]`
	f("moonshot", "", false, `{`+tools+`,"tool_choice":"required"}`,
		`{"messages":[{"role":"user","content":"Hi"},{"role":"user","content":"Answer by calling one of the tools."}],"tools":[]}`)
	f("moonshot", "", false, `{`+tools+`,"tool_choice":"auto"}`, asIs)
	f("deepinfra", "", false, `{`+tools+`,"tool_choice":"auto"}`, asIs)
	f("deepinfra", "", true, `{`+tools+`,"tool_choice":"required"}`, `{`+tools+`}`)
	f("deepinfra", "", false, `{`+tools+`,"tool_choice":{"type":"function","function":{"name":"f"}}}`,
		"`tool_choice`: deepinfra does not know \"a tool by name\", but auto, none: change it or set drop_params.")

	f("meta_llama", "", false, `{"messages":[],"response_format":{"type":"json_object"}}`,
		"`response_format`: meta_llama does not know \"json_object\", but json_schema: change it or set drop_params.")
	f("meta_llama", "", true, `{"messages":[],"response_format":{"type":"json_object"}}`, `{"messages":[]}`)
	f("meta_llama", "", false, `{"messages":[],"response_format":{"type":"json_schema"}}`, asIs)
	f("meta_llama", "", false, `{"messages":[],"response_format":{"type":"text"}}`, asIs)

	f("deepseek", "", false, `{"messages":[],"reasoning_effort":"none"}`, `{"messages":[],"thinking":{"type":"disabled"}}`)
	f("deepseek", "", false, `{"messages":[],"reasoning_effort":"low"}`, asIs)
	f("deepseek", "", false, `{"messages":[],"reasoning_effort":"none","thinking":{"type":"enabled"}}`, `{"messages":[],"thinking":{"type":"enabled"}}`)
	f("tencent", "", false, `{"messages":[],"reasoning_effort":"low"}`, `{"messages":[],"thinking":{"type":"enabled"}}`)
	f("tencent", "", false, `{"messages":[],"reasoning_effort":null}`, asIs)
	f("groq", "", false, `{"messages":[],"reasoning_effort":"none"}`, asIs)

	f("deepseek", "", false, `{"messages":[1,"x",[{}],{"role":"developer","content":[{"type":"text","text":1}]}]}`,
		`{"messages":[1,"x",[{}],{"role":"system","content":[{"type":"text","text":1}]}]}`)
}

// TestFormer checks that an address which a vendor gave up still tells the vendor.
func TestFormer(t *testing.T) {
	t.Parallel()
	for _, v := range compat.Vendors() {
		if v.Former == "" {
			continue
		}
		if got, _, err := compat.Resolve("m", "", v.Former); err != nil || got.Name != v.Name {
			t.Errorf("%s: %s is %s, %v", v.Name, v.Former, got.Name, err)
		}
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(`{"messages":[{"role":"developer","name":"x","content":[{"type":"text","text":"a"}]}],"tool_choice":"required"}`)
	f.Add(`{"messages":"developer","response_format":1}`)
	rows := compat.Vendors()
	f.Fuzz(func(t *testing.T, body string) {
		for i := range rows {
			x := new(llm.Exchange)
			x.Reset()
			x.Op = llm.OpChat
			if x.Body.Parse([]byte(body)) != nil {
				return
			}
			got, err := rows[i].Edit()(&llm.Deployment{DropParams: i%2 == 0}, x)
			if err == nil && got != nil && x.Body.Parse(got) != nil {
				t.Errorf("%s: %s became %s", rows[i].Name, body, got)
			}
		}
	})
}
