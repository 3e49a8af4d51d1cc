package openai_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	dialect "github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
)

const formType = "multipart/form-data; boundary=B"

// formRequest is a request whose body is a form; nil if the form cannot be read.
func formRequest(op llm.Operation, raw []byte) *llm.Exchange {
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.Header = op, llm.Header{{Name: []byte("Content-Type"), Value: []byte(formType)}}
	if x.Form.Parse([]byte(formType), raw) != nil {
		return nil
	}
	body, err := dialect.FormBody(&x.Form)
	if err != nil || x.Body.Parse(body) != nil || dialect.Decode(x) != nil {
		return nil
	}
	return x
}

// fields writes a form of "name|value" and "name; filename=f|value".
func fields(list ...string) []byte {
	var b strings.Builder
	for _, f := range list {
		name, value, _ := strings.Cut(f, "|")
		b.WriteString("--B\r\nContent-Disposition: form-data; name=" + name + "\r\n\r\n" + value + "\r\n")
	}
	return []byte(b.String() + "--B--\r\n")
}

// read lists the parts of a form as the standard library sees them.
func read(t testing.TB, raw []byte) string {
	t.Helper()
	r := multipart.NewReader(bytes.NewReader(raw), "B")
	var out []string
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return strings.Join(out, " ")
		}
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		b, _ := io.ReadAll(p)
		out = append(out, p.FormName()+p.FileName()+"="+string(b))
	}
}

func TestEncodeForm(t *testing.T) {
	t.Parallel()
	type change = func(*llm.Deployment)
	f := func(s openai.Settings, d change, edit string, want string, list ...string) {
		t.Helper()
		if d == nil {
			d = func(*llm.Deployment) {}
		}
		x := formRequest(llm.OpTranscription, fields(list...))
		if edit != "" {
			x.Body.Parse([]byte(edit))
		}
		var c llm.Call
		got := ""
		if err := bind(t, s, deployment(d)).Encode(x, &c); err != nil {
			got = llm.AsError(err).Message
		} else {
			got = read(t, []byte(sent(&c)))
		}
		if got != want && (want == "" || !strings.HasPrefix(want, "...") || !strings.Contains(got, want[3:])) {
			t.Errorf("%v:\ngot  %s\nwant %s", list, got, want)
		}
	}
	none := openai.Settings{}
	f(none, nil, "", "model=gpt-4o file"+"a.wav=\x00x language=en", "model|m", "file; filename=a.wav|\x00x", "language|en")
	f(none, nil, "", "language=en model=gpt-4o", "language|en")
	f(none, nil, "", "model=gpt-4o user=u", "model|m", "num_retries|1", "user|u", "metadata|{}", "drop_params|true")
	f(none, func(d *llm.Deployment) { d.AllowedParams = []string{"metadata"} }, "", "model=gpt-4o metadata={}", "model|m", "metadata|{}")
	f(none, func(d *llm.Deployment) { d.AdditionalDrop = []string{"language"} }, "", "model=gpt-4o", "model|m", "language|en")
	f(none, func(d *llm.Deployment) {
		d.Defaults = []llm.Pair{{Name: "temperature", Value: "0.5"}, {Name: "language", Value: `"de"`}}
		d.ExtraBody = []llm.Pair{{Name: "hint", Value: `"p\"q"`}}
	}, "", `model=gpt-4o language=en hint=p"q temperature=0.5`, "model|m", "language|en")
	f(none, nil, "", `model=gpt-4o a=1 b=x`, "model|m", "a|0", `extra_body|{"a":1,"b":"x"}`)
	f(none, nil, "", "...`extra_body` cannot be written into the form", "model|m", `extra_body|{"":"x"}`)
	s := openai.Settings{Name: "v", Base: "https://v", Offers: []llm.Operation{llm.OpTranscription},
		Rename: []llm.Pair{{Name: "seed", Value: "random_seed"}}, Unsupported: []string{"prompt", "timestamp_granularities"}}
	f(s, nil, "", "model=gpt-4o random_seed=7", "model|m", "seed|7")
	f(s, nil, "", "...v does not support parameters: ['prompt']", "model|m", "prompt|x")
	f(s, nil, "", "...v does not support parameters: ['timestamp_granularities']", "model|m", `"timestamp_granularities[]"|word`)
	f(s, func(d *llm.Deployment) { d.DropParams = true }, "", "model=gpt-4o", "model|m", "prompt|x")
	// What a hook did to the fields holds for the form.
	f(none, nil, `{"model":"m","prompt":"***"}`, "model=gpt-4o prompt=*** f"+"f=x", "model|m", "prompt|secret", "language|en", "f; filename=f|x")
	f(none, nil, `{"model":"m","prompt":"a\r\n--B--\r\n"}`, "...`prompt` cannot be written into the form", "model|m", "prompt|secret")
	f(openai.Settings{Name: "v", Base: "https://v"}, nil, "", "...v does not offer audio/transcriptions", "model|m")
}

// FuzzEncodeForm takes any form that can be read: what goes out can be read too, has one model, and the same files.
func FuzzEncodeForm(f *testing.F) {
	f.Add(fields("model|m", "file; filename=a.wav|\x00\r\n-", "language|en", "num_retries|1"))
	f.Add(fields("a|1", "a|2", `extra_body|{"b":"c"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x := formRequest(llm.OpTranscription, raw)
		if x == nil {
			return
		}
		var c llm.Call
		if bind(t, openai.Settings{}, deployment()).Encode(x, &c) != nil {
			return
		}
		var out llm.Form
		if err := out.Parse([]byte(formType), []byte(sent(&c))); err != nil {
			t.Fatalf("%q became %q: %v", raw, sent(&c), err)
		}
		models := 0
		var files, want []string
		for _, p := range out.Parts() {
			if p.Name == "model" && !p.File {
				models++
			}
			if p.File {
				files = append(files, p.Name+"\x00"+string(out.Value(p)))
			}
		}
		for _, p := range x.Form.Parts() {
			if p.File {
				want = append(want, p.Name+"\x00"+string(x.Form.Value(p)))
			}
		}
		if models != 1 || string(out.Get("model")) != "gpt-4o" || strings.Join(files, "\x01") != strings.Join(want, "\x01") {
			t.Fatalf("%q became %q", raw, sent(&c))
		}
	})
}
