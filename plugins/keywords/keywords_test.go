package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

func lists(list ...map[string]any) map[string]any {
	all := []any{}
	for _, l := range list {
		all = append(all, l)
	}
	return map[string]any{"lists": all}
}

func ask(t testing.TB, config map[string]any, role, text string) (string, sallyport.Verdict) {
	t.Helper()
	hooks, err := sallyport.Build(config, New)
	if err != nil {
		t.Fatal(err)
	}
	r := &sallyport.Request{Texts: []sallyport.Text{{Role: role, Text: text}}}
	v := hooks.Request(r)
	return r.Texts[0].Text, v
}

func masked(t *testing.T, config map[string]any, text, want string) {
	t.Helper()
	for _, l := range config["lists"].([]any) {
		l.(map[string]any)["action"] = "mask"
	}
	if got, v := ask(t, config, "user", text); got != want || v != sallyport.Continue() {
		t.Errorf("%q became %q, want %q", text, got, want)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	words := func(list ...any) map[string]any { return lists(map[string]any{"words": list}) }
	masked(t, words("foo", "bar baz"), "Foo, a bar \n baz and FOO, food.", "***, a *** and ***, food.")
	masked(t, words("пароль", "ÄRGER", "straße"), "мой ПАРОЛЬ, ärger, STRAßE", "мой ***, ***, ***")
	masked(t, words("kelvin"), "\u212aelvin", "***")
	masked(t, words("é1"), "É1 xé1", "*** xé1")
	masked(t, words("a b", "a b c"), "a b c a b", "*** ***")
	masked(t, words("c++", ".net"), "C++ and .NET", "*** and ***")
	masked(t, words("xx"), "x", "x")
	masked(t, words("xx"), "", "")
	part := lists(map[string]any{"words": "foo", "whole_words": false})
	masked(t, part, "food seafood", "***d sea***d")
	exact := lists(map[string]any{"words": []any{"Foo Bar"}, "ignore_case": false})
	masked(t, exact, "foo bar Foo  Bar", "foo bar ***")
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	patterns := func(list ...any) map[string]any { return lists(map[string]any{"patterns": list}) }
	masked(t, patterns(`project-\d{3}`), "Project-123 project-12", "*** project-12")
	masked(t, patterns(`(cat|dog)s?`), "Cats and DOG", "*** and ***")
	masked(t, patterns(`\d{3}-\d{4}`), "call 555-1234", "call ***")
	masked(t, patterns(`[A-Z]{3}\d`, `abc1`), "x abc1 y", "x *** y")
	masked(t, lists(map[string]any{"patterns": `SECRET-\d`, "ignore_case": false}), "secret-1 SECRET-1", "secret-1 ***")
	masked(t, patterns(`kelvin\d`), "\u212aelvin5", "***")
	masked(t, patterns(`\bfoo\s+bar\b`), "foo \n bar", "***")
}

// TestLiterals checks what is looked for before an expression is run.
func TestLiterals(t *testing.T) {
	t.Parallel()
	is := func(expr string, want ...string) {
		t.Helper()
		if got := required(expr); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
	is(`project-\d{3}`, "project-")
	is(`a+(secret|token)x`, "secret", "token")
	is(`(hello){2,}`, "hello")
	is(`(hello)*`)
	is(`hello|\d+`)
	is(`ab`)
	is(`[abc]{3}`)
	is(`x(abc)?wxyz`, "wxyz")
}

func TestActionsAndRoles(t *testing.T) {
	t.Parallel()
	config := lists(
		map[string]any{"name": "names", "words": "aurora", "action": "mask", "mask": "[x]"},
		map[string]any{"name": "weapons", "patterns": `bomb\w*`, "roles": []any{"user"}, "message": "{list} in {role}"},
		map[string]any{"words": "plain"},
	)
	config["status"] = 403
	is := func(role, text, want string, verdict sallyport.Verdict) {
		t.Helper()
		if got, v := ask(t, config, role, text); got != want || v != verdict {
			t.Errorf("%s %q: %q %v, want %q %v", role, text, got, v, want, verdict)
		}
	}
	is("user", "an aurora", "an [x]", sallyport.Continue())
	is("user", "aurora bombs", "aurora bombs", sallyport.Reject(403, "weapons in user"))
	is("system", "aurora bombs", "[x] bombs", sallyport.Continue())
	is("system", "plain", "plain", sallyport.Reject(403, "The request contains something that is not allowed (list 3)."))
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	config := func() map[string]any {
		c := lists(map[string]any{"words": []any{"kill", "bath bomb kit"}, "patterns": `bomb\w*`})
		c["allow"] = []any{"kill -9", "bath bomb", "bombastic"}
		return c
	}
	masked(t, config(), "kill -9 and kill", "kill -9 and ***")
	masked(t, config(), "Bath  Bomb, bombs, BOMBASTIC", "Bath  Bomb, ***, BOMBASTIC")
	masked(t, config(), "bath bomb kit", "***")
	masked(t, config(), "bath bombs", "bath ***")
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(want string, config map[string]any) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake(`"lists" is empty`, nil)
	mistake(`"lists" must be a list of objects`, map[string]any{"lists": "x"})
	mistake(`"lists[0].words": the list has neither`, lists(map[string]any{}))
	mistake(`"lists[0].words[1]": it is empty`, lists(map[string]any{"words": []any{"ab", " "}}))
	mistake(`"lists[0].words[0]": "x" is one letter`, lists(map[string]any{"words": "x"}))
	mistake(`"lists[0].words[0]": it is not UTF-8`, lists(map[string]any{"words": "a\xff"}))
	mistake(`"lists[1].patterns[0]": error parsing regexp`, lists(map[string]any{"words": "ab"}, map[string]any{"patterns": "("}))
	mistake(`"lists[0].patterns[0]": it matches the empty text`, lists(map[string]any{"patterns": "a*"}))
	mistake(`"lists[0].action" is "reject"`, lists(map[string]any{"words": "ab", "action": "reject"}))
	mistake(`"lists[0].mask" is empty`, lists(map[string]any{"words": "ab", "action": "mask", "mask": ""}))
	mistake(`unknown setting "lists[0].word"`, lists(map[string]any{"words": "ab", "word": "x"}))
	bad := lists(map[string]any{"words": "ab"})
	bad["allow"] = []any{""}
	mistake(`"allow[0]": it is empty`, bad)
	bad["allow"], bad["status"] = nil, 500
	mistake("400 to 499", bad)
}

// FuzzPatterns compares the prefilter of patterns with the expression alone.
func FuzzPatterns(f *testing.F) {
	f.Add("two words", "this has TWO words, no more")
	f.Add("kx", "\u212aX kX")
	f.Fuzz(func(t *testing.T, literal, text string) {
		expr := regexp.QuoteMeta(literal)
		hooks, err := sallyport.Build(lists(map[string]any{"patterns": expr}), New)
		if err != nil {
			return
		}
		v := hooks.Request(&sallyport.Request{Texts: []sallyport.Text{{Text: text}}})
		if got, want := v != sallyport.Continue(), regexp.MustCompile("(?i:"+expr+")").MatchString(text); got != want {
			t.Fatalf("pattern %q in %q: found %v, want %v", literal, text, got, want)
		}
	})
}

// TestModule runs the finished module in the gateway's host.
func TestModule(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	p := plugintest.Load(t, wasm.Settings{Path: path, Config: lists(
		map[string]any{"words": []any{"zürich"}, "action": "mask"}, map[string]any{"name": "tickets", "patterns": `TICKET-\d+`},
	)})
	o := p.Chat(t, "gpt-4o", `in "ZÜRICH"`, "nothing")
	if got := strings.Join(o.Texts(), "|"); o.Err != nil || got != `in "***"|nothing` {
		t.Errorf("got %s, error %v", got, o.Err)
	}
	if status, message := p.Chat(t, "gpt-4o", "see ticket-17").Refusal(); status != 400 || message != "The request contains something that is not allowed (tickets)." {
		t.Errorf("got %d %q", status, message)
	}
	_, err := wasm.Load(t.Context(), wasm.Settings{Path: path, Config: lists(map[string]any{"patterns": "("})})
	if err == nil || !strings.Contains(err.Error(), `"lists[0].patterns[0]"`) {
		t.Errorf("a mistake in the configuration: %v", err)
	}
}

// What is no text cannot be looked at, and is refused if the operator says so.
func TestRefusesMedia(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	with := func(config map[string]any) *plugintest.Plugin {
		config["lists"] = []any{map[string]any{"words": []any{"falcon"}}}
		return plugintest.Load(t, wasm.Settings{Path: path, Config: config})
	}
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookStreamChunk)
}

// BenchmarkGuard measures a request of ten messages that holds nothing of the lists, through the gateway's host: a hundred
// Lists count for answers, however they are cut, and for the arguments of calls.
func TestAnswers(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	config := lists(map[string]any{"words": []any{"heron"}, "patterns": []any{`TICKET-\d{4,}`}, "action": "mask"}, map[string]any{"words": []any{"aurora"}, "name": "codes"})
	config["allow"] = []any{"blue heron sanctuary"}
	p := plugintest.Load(t, wasm.Settings{Path: path, Config: config})
	const text, want = "A heron, blue heron sanctuary, blue heron, TICKET-123456 and TICKET-12 herons", "A ***, blue heron sanctuary, blue ***, *** and TICKET-12 herons"
	for size := 1; size < len(text); size++ {
		if s := p.StreamChunks(t, wasm.GuardSettings{}, pieces(text, size)); s.Text() != want || s.Err != nil {
			t.Fatalf("pieces of %d: %q, %v", size, s.Text(), s.Err)
		}
		s := p.StreamChunks(t, wasm.GuardSettings{}, pieces(text+" and aurora, too", size))
		if status, message := s.Refusal(); status != 400 || message != "The answer contains something that is not allowed (codes)." || strings.Contains(s.Text(), "aurora") {
			t.Fatalf("pieces of %d: %d %q, %q", size, status, message, s.Text())
		}
	}
	o := p.Request(t, llm.OpChat, []byte(`{"messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"q\":\"TICKET\\u002d1234\"}"}}]}]}`))
	if got := string(o.Exchange.Body.Raw()); o.Err != nil || !strings.Contains(got, `"{\"q\":\"***\"}"`) {
		t.Errorf("history: %s, %v", got, o.Err)
	}
}

// pieces are the chunks of a streamed answer that is cut into pieces of a size.
func pieces(text string, size int) (chunks []string) {
	for at := 0; at < len(text); at += size {
		piece := string(llm.AppendQuoted(nil, text[at:min(at+size, len(text))]))
		chunks = append(chunks, `{"choices":[{"index":0,"delta":{"content":`+piece+`}}]}`)
	}
	return append(chunks, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
}

// words, patterns whose literals are not in the text, and a pattern that runs on every text.
func BenchmarkGuard(b *testing.B) {
	path := plugintest.Build(b, ".")
	var many []any
	for i := range 100 {
		many = append(many, string(rune('a'+i%26))+string(rune('a'+i*7%26))+string(rune('a'+i*11%26))+"ora project")
	}
	bench := func(name string, size int, list map[string]any) {
		b.Run(name, func(b *testing.B) {
			p := plugintest.Load(b, wasm.Settings{Path: path, Config: lists(list)})
			plugintest.Bench(b, p.Guard("keywords", nil), plugintest.Exchange(b, llm.OpChat, chatBody(b, size)))
		})
	}
	bench("words/2KB", 2<<10, map[string]any{"words": many})
	bench("words/32KB", 32<<10, map[string]any{"words": many})
	bench("prefiltered/2KB", 2<<10, map[string]any{"patterns": []any{`aurora-\d+`, `(secret|hidden) project`}})
	bench("regexp/2KB", 2<<10, map[string]any{"patterns": []any{`\b[A-Z]{3}\d{5}\b`}})
}

// chatBody is a chat request of ten messages with size bytes of English text.
func chatBody(t testing.TB, size int) []byte {
	text, err := os.ReadFile("testdata/prose.txt")
	if err != nil {
		t.Fatal(err)
	}
	prose := strings.Repeat(string(text), size/len(text)+1)[:size]
	b := []byte(`{"model":"gpt-4o","temperature":0.5,"messages":[`)
	for i := range 10 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"role":"user","content":`...)
		b = append(llm.AppendQuoted(b, prose[i*size/10:(i+1)*size/10]), '}')
	}
	return append(b, `]}`...)
}
