package vendorcheck_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	messages "github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/dialecttest"
	google "github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

// TestAnswers lets every vendor answer through every front, whole and streamed, and lets the caller say the answer again as
// agents do, to the same vendor and to the others: texts, thoughts and calls reach the caller, what the vendor signed comes
// back to it, and nobody else gets it.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, front := range callers() {
		for _, vendor := range listeners() {
			for _, streamed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s from %s, streamed %v", front.name, vendor.name, streamed), func(t *testing.T) {
					t.Parallel()
					for seed := range uint64(80) {
						a := someAnswer(rand.New(rand.NewPCG(seed, 2)), vendor.name)
						if !answered(t, seed, a, front, vendor, streamed) {
							return
						}
					}
				})
			}
		}
	}
}

// someAnswer makes up an answer: thoughts, a text and calls.
func someAnswer(r *rand.Rand, vendor string) turn {
	said := turn{assistant: true}
	sign := fmt.Sprintf("c2lnbmVk%08d", r.IntN(1e8)) // base64, as all vendors' are
	if vendor != "openai" && r.IntN(2) == 0 {
		said.parts = append(said.parts, part{kind: "thought", text: "thought \"q\" \\ é 漢 so", sign: sign})
	}
	if r.IntN(3) > 0 {
		said.parts = append(said.parts, part{kind: "text", text: "answer \"q\" \\ é 漢\nand more", sign: sign})
	}
	for i := range r.IntN(4) {
		said.parts = append(said.parts, part{
			kind: "call", call: fmt.Sprint("toolu_", i+1), name: fmt.Sprint("tool_", r.IntN(2)), sign: sign,
			args: fmt.Sprintf(`{"list":[1,{"x":null}],"n":%d,"text":"a \"b\" é"}`, i+1),
		})
	}
	if len(said.parts) == 0 {
		said.parts = append(said.parts, part{kind: "text", text: "answer", sign: sign})
	}
	return said
}

// caller is a front with the way back: what an answer looks like there, and how it is said again.
type caller struct {
	speech
	list  string // the member of a request that holds the conversation
	voice func(x *llm.Exchange) dialecttest.Voice
	join  func(events []m) m
	again func(answer m) []any
	read  func(*reader, m)
}

func callers() []caller {
	list := speeches()
	return []caller{
		{list[0], "messages", func(*llm.Exchange) dialecttest.Voice { return plainVoice{} }, joinChat, func(a m) []any {
			return []any{dict(list0(a["choices"]))["message"]}
		}, (*reader).fromChat},
		{list[1], "messages", func(*llm.Exchange) dialecttest.Voice { return &messages.Voice{} }, joinMessages, func(a m) []any {
			return []any{m{"role": "assistant", "content": a["content"]}}
		}, (*reader).fromMessages},
		{list[2], "input", func(x *llm.Exchange) dialecttest.Voice {
			return &responses.Voice{ID: "resp_1", Ask: &x.Native, Now: time.Unix(1, 0)}
		}, joinResponses, func(a m) []any { return a["output"].([]any) }, (*reader).fromResponses},
		{list[3], "contents", func(*llm.Exchange) dialecttest.Voice { return &googleVoice{} }, joinGoogle, func(a m) []any {
			return []any{dict(list0(a["candidates"]))["content"]}
		}, (*reader).fromGoogle},
	}
}

func list0(v any) any {
	if l := list(v); len(l) > 0 {
		return l[0]
	}
	return nil
}

// answered reports whether one answer arrives and comes back.
func answered(t *testing.T, seed uint64, a turn, front caller, vendor listener, streamed bool) bool {
	t.Helper()
	e := bound(t, vendor)
	ask := front.say(&talk{tools: []tool{{name: "tool_0"}, {name: "tool_1"}}, turns: []turn{{parts: []part{{kind: "text", text: "go"}}}}})
	x, _ := told(t, front, e, ask)
	told := spoken(t, x, front, e, wire(vendor.name, a, streamed), streamed)
	if told == nil {
		t.Errorf("seed %d", seed)
		return false
	}
	items := front.again(told)
	var heard reader
	front.read(&heard, m{front.list: items})
	ids := regexp.MustCompile(`^call [^:]*:`) // Gemini's carry the signature
	same := func(what string, want, got []string) bool {
		want, got = kept(want), kept(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: %s (-want +got):\n%s\nthe caller was told %s", seed, what, diff, text(told))
			return false
		}
		return true
	}
	unnamed := func(facts []string) (out []string) {
		for _, f := range facts {
			out = append(out, ids.ReplaceAllString(f, "call:"))
		}
		return out
	}
	shown := func(facts []string) []string {
		return slices.DeleteFunc(unnamed(facts), func(f string) bool {
			return strings.HasPrefix(f, "signature: ") || front.name == "chat" && strings.HasPrefix(f, "thought: ")
		})
	}
	own := (&talk{turns: []turn{a}}).facts()
	if !same("what the caller was told", shown(own), shown(heard.facts)) {
		return false
	}
	ask = front.say(&talk{tools: []tool{{name: "tool_0"}, {name: "tool_1"}}, turns: []turn{{parts: []part{{kind: "text", text: "go"}}}}})
	rest := front.say(&talk{turns: []turn{{parts: append(resultsOf(front.name, items), part{kind: "text", text: "and?"})}}})
	ask[front.list] = slices.Concat(anys(ask[front.list]), items, anys(rest[front.list]))
	ok := true
	for _, other := range listeners() {
		if front.name == "chat" && vendor.name == "gemini" && other.name == "anthropic" && a.parts[0].kind == "thought" {
			// A chat that holds thoughts of Gemini's, which have no signature of their own, is refused by name.
			continue
		}
		_, body := toldRaw(t, front, bound(t, other), ask)
		if body == nil {
			return false
		}
		var got reader
		var parsed m
		if err := json.Unmarshal(body, &parsed); err != nil {
			t.Fatal(err)
		}
		other.read(&got, parsed)
		want := slices.DeleteFunc(slices.Clone(own), func(f string) bool {
			return other.name != vendor.name && (strings.HasPrefix(f, "thought: ") || strings.HasPrefix(f, "signature: "))
		})
		if other.name == vendor.name {
			want = slices.DeleteFunc(signs(vendor.name, a), func(f string) bool {
				return unsaid(front.name, vendor.name, a) && strings.HasPrefix(f, "signature: ")
			})
		} else if own := front.name == "chat" && other.name == "openai"; !own && bytes.Contains(body, []byte(a.parts[0].sign)) {
			t.Errorf("seed %d: %s got what %s signed: %s", seed, other.name, vendor.name, body)
			ok = false
		}
		came := got.facts
		if vendor.name == "gemini" && other.name != "gemini" { // its calls have no ids of their own
			want, came = unnamed(want), unnamed(came)
		}
		ok = same("what comes to "+other.name, want, came) && ok
	}
	return ok
}

// unsaid reports whether a front has no place for the signature: Gemini's of a text, which it does not insist on
// (https://ai.google.dev/gemini-api/docs/thought-signatures), in dialects whose texts have none.
func unsaid(front, vendor string, a turn) bool {
	calls := slices.ContainsFunc(a.parts, func(p part) bool { return p.kind == "call" })
	return vendor == "gemini" && !calls && (front == "messages" || front == "responses")
}

// signs are the facts that must come back to the vendor that answered: with its signature where it puts one.
func signs(vendor string, a turn) []string {
	var out []string
	first := true
	for _, p := range a.parts {
		k := &talk{turns: []turn{{assistant: true, parts: []part{p}}}}
		switch {
		case vendor == "gemini" && p.kind == "thought": // not signed, and so of no use to it
			continue
		case vendor == "bridge" && p.kind == "thought":
			out = append(out, "thought: "+p.text, "signature: "+p.sign)
			continue
		}
		out = append(out, k.facts()...)
		if vendor == "gemini" && googleSigned(a, p, &first) {
			out = append(out, "signature: "+p.sign)
		}
	}
	return out
}

// googleSigned reports whether Gemini puts its signature on a part: on the first call, or without calls on the text
// (https://ai.google.dev/gemini-api/docs/thought-signatures).
func googleSigned(a turn, p part, first *bool) bool {
	calls := slices.ContainsFunc(a.parts, func(p part) bool { return p.kind == "call" })
	switch {
	case p.kind == "call" && *first:
		*first = false
		return true
	case p.kind == "text":
		return !calls
	}
	return false
}

// kept are the facts that an answer has, in order, with texts that came in pieces put together.
func kept(facts []string) []string {
	var out, signatures []string
	for _, f := range facts {
		who, said, _ := strings.Cut(f, ": ")
		switch {
		case who == "signature":
			signatures = append(signatures, f)
		case said == "": // the last chunk of a stream has one
		case who == "assistant text" || who == "thought":
			if n := len(out); n > 0 && strings.HasPrefix(out[n-1], who+": ") {
				out[n-1] += said
				continue
			}
			out = append(out, f)
		case strings.HasPrefix(f, "call"):
			out = append(out, f)
		}
	}
	return append(out, signatures...)
}

func bound(t *testing.T, vendor listener) provider.Endpoint {
	t.Helper()
	e, err := vendor.p.Bind(&llm.Deployment{ID: "d1", Group: "mine", Provider: vendor.name, Model: vendor.model, APIKey: "sk-0123456789abc"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func anys(v any) []any {
	raw, _ := json.Marshal(v)
	var out []any
	_ = json.Unmarshal(raw, &out)
	return out
}

func text(v any) string { raw, _ := json.Marshal(v); return string(raw) }

// told makes a request of the front, and what the vendor gets of it.
func told(t *testing.T, front caller, e provider.Endpoint, ask m) (*llm.Exchange, []byte) {
	t.Helper()
	x, body := toldRaw(t, front, e, ask)
	if body == nil {
		t.FailNow()
	}
	return x, body
}

func toldRaw(t *testing.T, front caller, e provider.Endpoint, ask m) (*llm.Exchange, []byte) {
	t.Helper()
	raw := []byte(text(ask))
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Model = llm.OpChat, "mine"
	copy(x.ID[:], "00000000-0000-0000-0000-000000000000")
	var c llm.Call
	err := front.hear(x, raw)
	if err == nil {
		err = e.Encode(x, &c)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, raw)
		return nil, nil
	}
	return x, bytes.Join(c.Body, nil)
}

// spoken is what the caller gets of a vendor's answer: a whole answer, or one that its stream tells.
func spoken(t *testing.T, x *llm.Exchange, front caller, e provider.Endpoint, body string, streamed bool) m {
	t.Helper()
	x.Streamed, x.WantUsage = streamed, streamed
	kind := "application/json"
	if streamed {
		kind = "text/event-stream"
	}
	a := &llm.Answer{
		Status: 200, Size: -1, Streamed: streamed, Body: providertest.NewBody([]byte(body), nil), FirstByte: time.Now(),
		Header: llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}},
	}
	var r llm.Reply
	if err := e.Decode(x, a, &r); err != nil {
		t.Errorf("%v\n%s", err, body)
		return nil
	}
	defer r.Rest.Close()
	v := front.voice(x)
	if !streamed {
		out, err := v.Whole(nil, r.First.Data)
		var whole m
		if err != nil || json.Unmarshal(out, &whole) != nil {
			t.Errorf("%v: %s of %s", err, out, r.First.Data)
			return nil
		}
		return whole
	}
	var out []byte
	var err error
	for p := r.First; err == nil; err = r.Rest.Next(&p) {
		var wrong error
		if out, wrong = v.Part(out, &p, false); wrong != nil {
			t.Errorf("%v: of %s", wrong, p.Data)
			return nil
		}
	}
	if err != io.EOF { //nolint:errorlint // a reply returns io.EOF bare
		t.Errorf("%v in %s", err, body)
		return nil
	}
	if out, err = v.End(out, false); err != nil {
		t.Errorf("the end: %v", err)
		return nil
	}
	return front.join(events(t, out))
}

func events(t *testing.T, out []byte) []m {
	t.Helper()
	var list []m
	for line := range bytes.Lines(out) {
		data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		if !ok || string(data) == "[DONE]" {
			continue
		}
		var e m
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		list = append(list, e)
	}
	return list
}

// plainVoice writes chat completions as they are.
type plainVoice struct{}

func (plainVoice) Whole(dst, chat []byte) ([]byte, error) { return append(dst, chat...), nil }

func (plainVoice) Part(dst []byte, p *llm.Part, _ bool) ([]byte, error) {
	return append(append(append(dst, "data: "...), p.Data...), "\n\n"...), nil
}

func (plainVoice) End(dst []byte, _ bool) ([]byte, error)         { return dst, nil }
func (plainVoice) Fail(dst []byte, _ *llm.Error, _ string) []byte { return dst }

// googleVoice is that of generateContent.
type googleVoice struct{ s google.Stream }

func (*googleVoice) Whole(dst, chat []byte) ([]byte, error) {
	return google.AppendAnswer(dst, chat, llm.Usage{})
}

func (v *googleVoice) Part(dst []byte, p *llm.Part, _ bool) ([]byte, error) {
	out, err := v.s.Append(nil, p.Data)
	if err != nil || len(out) == 0 {
		return dst, err
	}
	return plainVoice{}.Part(dst, &llm.Part{Data: out}, false)
}

func (v *googleVoice) End(dst []byte, _ bool) ([]byte, error) {
	return plainVoice{}.Part(dst, &llm.Part{Data: v.s.AppendEnd(nil, llm.Usage{})}, false)
}

func (*googleVoice) Fail(dst []byte, _ *llm.Error, _ string) []byte { return dst }
