package vendorcheck_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	messages "github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	google "github.com/sallyport-ai/sallyport/core/dialect/gemini"
	dialect "github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/bridge"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
)

// A talk is what a coding agent says, in no API's words. Each front says it in its own, each vendor is told in its own,
// and what arrives there is read back. Thoughts are signed by Anthropic: no other vendor may get them, and every front
// must bring them back to it.
type talk struct {
	system []part
	tools  []tool
	turns  []turn
}

type turn struct {
	assistant bool
	parts     []part
}

type tool struct {
	name   string
	cached bool
}

// part is a text, an image, a file, the address of one, a thought, a call of a tool or its result.
type part struct {
	kind   string
	text   string // of a text or a thought, the data of an image or a file, the address of a document
	sign   string // of a thought
	call   string // the id of a call
	name   string // of the tool
	args   string // of a call
	image  string // data in a result, besides its text
	cached bool
	failed bool
}

const picture, paper, address = "iVBORw0KGgo=", "JVBERi0xLjQK", "https://papers.example/a.pdf"

// someTalk makes up a talk. Texts are numbered, so that each shows where it ended up.
func someTalk(r *rand.Rand) talk {
	n := 0
	word := func(kind string) string {
		n++
		return fmt.Sprintf("%s %d \"q\" \\ é 漢\n", kind, n)
	}
	chance := func(percent int) bool { return r.IntN(100) < percent }
	var k talk
	for range r.IntN(3) {
		k.system = append(k.system, part{kind: "text", text: word("system"), cached: chance(30)})
	}
	for i := range 1 + r.IntN(3) {
		k.tools = append(k.tools, tool{fmt.Sprintf("tool_%d", i), chance(20)})
	}
	var open []part // the calls without a result
	for range 1 + r.IntN(3) {
		user := turn{parts: results(r, open, word)}
		for i := range 1 + r.IntN(3) {
			switch {
			case i == 0 || chance(50):
				user.parts = append(user.parts, part{kind: "text", text: word("user"), cached: chance(20)})
			case chance(50):
				user.parts = append(user.parts, part{kind: "image", text: picture})
			case chance(80):
				user.parts = append(user.parts, part{kind: "file", text: paper})
			default:
				user.parts = append(user.parts, part{kind: "link", text: address})
			}
		}
		said := turn{assistant: true}
		if chance(40) {
			said.parts = append(said.parts, part{kind: "thought", text: word("thought"), sign: fmt.Sprintf("c2lnbmVk%04d", n)})
		}
		if chance(70) {
			said.parts = append(said.parts, part{kind: "text", text: word("assistant")})
		}
		open = open[:0]
		for range r.IntN(4) {
			n++
			open = append(open, part{
				kind: "call", call: fmt.Sprintf("toolu_%d", n), name: k.tools[r.IntN(len(k.tools))].name,
				args: fmt.Sprintf(`{"list":[1,{"x":null}],"n":%d,"text":"a \"b\" é"}`, n),
			})
		}
		said.parts = append(said.parts, open...)
		if len(said.parts) == 0 {
			said.parts = append(said.parts, part{kind: "text", text: word("assistant")})
		}
		k.turns = append(k.turns, user, said)
	}
	last := turn{parts: append(results(r, open, word), part{kind: "text", text: word("user")})}
	k.turns = append(k.turns, last)
	return k
}

// results answers calls in any order.
func results(r *rand.Rand, calls []part, word func(string) string) []part {
	var out []part
	for _, i := range r.Perm(len(calls)) {
		p := part{kind: "result", call: calls[i].call, name: calls[i].name, text: word("result"), failed: r.IntN(5) == 0}
		if r.IntN(4) == 0 {
			p.image = picture
		}
		out = append(out, p)
	}
	return out
}

// The facts of a talk are what must arrive, one a line.
func (k *talk) facts() []string {
	var out []string
	for _, p := range k.system {
		out = append(out, "system: "+p.text+mark(p.cached))
	}
	for _, t := range k.tools {
		out = append(out, "tool: "+t.name+mark(t.cached))
	}
	for _, t := range k.turns {
		who := "user"
		if t.assistant {
			who = "assistant"
		}
		for _, p := range t.parts {
			switch p.kind {
			case "text", "image", "file", "link":
				out = append(out, who+" "+p.kind+": "+p.text+mark(p.cached))
			case "thought":
				out = append(out, "thought: "+p.text, "signature: "+p.sign)
			case "call":
				out = append(out, "call "+p.call+": "+p.name+" "+canonical(p.args))
			case "result":
				out = append(out, "result "+p.call+": "+p.text)
				if p.image != "" {
					out = append(out, "result "+p.call+" image: "+p.image)
				}
				if p.failed {
					out = append(out, "result "+p.call+" failed")
				}
			}
		}
	}
	return out
}

func mark(cached bool) string {
	if cached {
		return " (cached)"
	}
	return ""
}

func canonical(raw string) string {
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		return "no JSON: " + raw
	}
	out, _ := json.Marshal(v)
	return string(out)
}

type m = map[string]any

func cached(v m, yes bool) m {
	if yes {
		v["cache_control"] = m{"type": "ephemeral"}
	}
	return v
}

// speech is a front: how it says a talk, and how that becomes a chat.
type speech struct {
	name string
	say  func(*talk) m
	hear func(x *llm.Exchange, raw []byte) error
}

func speeches() []speech {
	native := func(d llm.Dialect, chat func(o *llm.Object) ([]byte, error, error)) func(*llm.Exchange, []byte) error {
		return func(x *llm.Exchange, raw []byte) error {
			if err := x.Native.Parse(raw); err != nil {
				return err
			}
			x.Speak(d, func(x *llm.Exchange) error {
				b, lost, err := chat(&x.Native)
				if err != nil {
					return err
				}
				x.Lost = lost
				return x.Body.Parse(b)
			})
			return x.Chat()
		}
	}
	return []speech{
		{"chat", asChat, func(x *llm.Exchange, raw []byte) error {
			if err := x.Body.Parse(raw); err != nil {
				return err
			}
			return dialect.Decode(x)
		}},
		{"messages", asMessages, native(llm.DialectMessages, func(o *llm.Object) ([]byte, error, error) { return messages.AppendChat(nil, o) })},
		{"responses", asResponses, native(llm.DialectResponses, func(o *llm.Object) ([]byte, error, error) {
			return responses.AppendChat(nil, o, responses.Options{})
		})},
		{"google", asGoogle, native(llm.DialectGoogle, func(o *llm.Object) ([]byte, error, error) {
			b, err := google.AppendChat(nil, o, "mine", false, dialect.Control)
			return b, nil, err
		})},
	}
}

// listener is a vendor: the endpoint, how its requests are read, and what of a talk it has no words for.
type listener struct {
	name   string
	model  string
	p      provider.Provider
	read   func(*reader, m)
	silent []string
}

func listeners() []listener {
	v, _ := compat.Lookup("openai")
	return []listener{
		{"openai", "gpt-4o", newProvider(v), (*reader).fromChat, []string{"cached", "thought"}},
		{"anthropic", "claude-sonnet-4-5", anthropic.New(anthropic.Settings{}), (*reader).fromMessages, nil},
		{"bridge", "o1-pro", bridge.New(bridge.Settings{Name: "openai", Base: "https://api.openai.com/v1"}), (*reader).fromResponses, []string{"cached", "thought"}},
		{"gemini", "gemini-2.5-pro", gemini.New(gemini.Settings{}), (*reader).fromGoogle, []string{"cached", "thought"}},
	}
}

// mute is what a front has no words for.
func mute(front string) []string {
	switch front {
	case "chat":
		return []string{"failed", "result image", "extension"} // what a caller says in the vendor's own words stays
	case "responses":
		return []string{"cached", "failed"}
	case "google":
		return []string{"cached", "result image"}
	}
	return nil
}

// expected are the facts without what one of the two has no words for.
func expected(facts, without []string) []string {
	var out []string
	for _, f := range facts {
		if slices.Contains(without, "cached") {
			f = strings.TrimSuffix(f, " (cached)")
		}
		// A vendor whose results are texts gets their images in what the user says next, and Google's are objects.
		first, rest, _ := strings.Cut(f, ": ")
		if strings.HasPrefix(first, "result ") {
			// What failed is said in front of the text where there is no member for it.
			if after, ok := strings.CutPrefix(rest, "Error: "); ok {
				if out = append(out, first+" failed"); after == "" {
					continue
				}
				rest = after
			}
			var object map[string]string
			if json.Unmarshal([]byte(rest), &object) == nil {
				rest = object["output"] + object["error"]
			}
			if f = strings.TrimSuffix(first+": "+rest, ": "); strings.HasSuffix(first, " image") {
				f = "user image: " + rest
			}
		}
		switch {
		case strings.HasSuffix(rest, "(The images follow in the next message.)"):
			continue
		case slices.Contains(without, "failed") && strings.HasSuffix(first, " failed"),
			slices.Contains(without, "extension") && first == "extension",
			slices.Contains(without, "thought") && (first == "thought" || first == "signature"),
			slices.Contains(without, "result image") && strings.HasPrefix(first, "result ") && strings.HasSuffix(first, " image"):
			continue
		}
		out = append(out, f)
	}
	return out
}

// TestConversations says talks through every front to every vendor: what both have words for arrives, each text once and
// in its place.
func TestConversations(t *testing.T) {
	t.Parallel()
	for _, front := range speeches() {
		for _, vendor := range listeners() {
			t.Run(front.name+" to "+vendor.name, func(t *testing.T) {
				t.Parallel()
				e, err := vendor.p.Bind(&llm.Deployment{ID: "d1", Group: "mine", Provider: vendor.name, Model: vendor.model, APIKey: "sk-0123456789abc"})
				if err != nil {
					t.Fatal(err)
				}
				for seed := range uint64(150) {
					k := someTalk(rand.New(rand.NewPCG(seed, 1)))
					if !converse(t, seed, &k, front, vendor, e) {
						return
					}
				}
			})
		}
	}
}

func converse(t *testing.T, seed uint64, k *talk, front speech, vendor listener, e provider.Endpoint) bool {
	t.Helper()
	raw, err := json.Marshal(front.say(k))
	if err != nil {
		t.Fatal(err)
	}
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Model = llm.OpChat, "mine"
	var c llm.Call
	if err = front.hear(x, raw); err == nil {
		err = e.Encode(x, &c)
	}
	if vendor.name == "openai" && front.name != "chat" && slices.ContainsFunc(k.facts(), func(f string) bool { return strings.HasPrefix(f, "user link: ") }) {
		// Chat completions have no documents by address: they are refused by name and not left out.
		if err == nil || !strings.Contains(err.Error(), "file") {
			t.Errorf("seed %d: a document's address gave %v, and went as %s", seed, err, bytes.Join(c.Body, nil))
		}
		return err != nil
	}
	if err != nil {
		t.Errorf("seed %d: %v\n%s", seed, err, raw)
		return false
	}
	var body m
	if err := json.Unmarshal(bytes.Join(c.Body, nil), &body); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	var r reader
	vendor.read(&r, body)
	want := expected(k.facts(), slices.Concat(mute(front.name), vendor.silent))
	got := expected(r.facts, slices.Concat(mute(front.name), vendor.silent))
	if diff := cmp.Diff(sequence(want), sequence(got)); diff != "" {
		t.Errorf("seed %d: the order (-want +got):\n%s", seed, diff)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("seed %d (-want +got):\n%s\nthe front said %s\nthe vendor was told %s", seed, diff, raw, bytes.Join(c.Body, nil))
		return false
	}
	return true
}

// sequence are the texts and the calls, which must come in the order in which they were said. Results may be put into the
// order of their calls, and tools and system texts stand where each API has them.
func sequence(facts []string) []string {
	return slices.DeleteFunc(slices.Clone(facts), func(f string) bool {
		return !strings.HasPrefix(f, "user text: ") && !strings.HasPrefix(f, "assistant text: ") && !strings.HasPrefix(f, "call ")
	})
}
