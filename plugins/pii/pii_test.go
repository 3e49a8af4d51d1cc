package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// masks runs the request hook and returns the texts as the model would get them.
func masks(t testing.TB, config map[string]any, texts ...string) ([]string, sallyport.Verdict) {
	t.Helper()
	hooks, err := sallyport.Build(config, New)
	if err != nil {
		t.Fatal(err)
	}
	r := &sallyport.Request{}
	for i, text := range texts {
		r.Texts = append(r.Texts, sallyport.Text{Role: "user", Message: i, Text: text})
	}
	v := hooks.Request(r)
	var after []string
	for _, text := range r.Texts {
		after = append(after, text.Text)
	}
	return after, v
}

// becomes checks what a text becomes, alone and at every offset within a block of eight bytes.
func becomes(t *testing.T, text, want string) {
	t.Helper()
	for shift := range 9 {
		front := strings.Repeat("q ", shift)
		for _, back := range []string{"", " tail", ", and so it goes on for a while."} {
			if got, _ := masks(t, nil, front+text+back); got[0] != front+want+back {
				t.Errorf("%q became %q, want %q", front+text+back, got[0], front+want+back)
				return
			}
		}
	}
}

func TestEmail(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	finds("ann@example.com", "<EMAIL_1>")
	finds("Ann.Lee+x_1%2@mail.example.co.uk", "<EMAIL_1>")
	finds("<ann@example.com>", "<<EMAIL_1>>")
	finds("mailto:ann@example.com?", "mailto:<EMAIL_1>?")
	finds("write to ann@example.com.", "write to <EMAIL_1>.")
	finds("jérôme@exämple.fr", "<EMAIL_1>")
	finds("邮箱是ann@example.com", "邮箱是<EMAIL_1>")
	finds("a@b.co, c@d.org; A@B.CO", "<EMAIL_1>, <EMAIL_2>; <EMAIL_1>")
	finds("99john99@example4.com", "<EMAIL_1>")
	finds("555-123-4567@example.com", "<EMAIL_1>")
	finds("ann@localhost", "ann@localhost")
	finds("@ann said @b.com", "@ann said @b.com")
	finds("npm i left@1.2", "npm i left@1.2")
	finds("..@x.com", "..@x.com")
	finds("a@.com a@x. a@-", "a@.com a@x. a@-")
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	finds("4111 1111 1111 1111", "<CARD_1>")
	finds("4111-1111-1111-1111", "<CARD_1>")
	finds("5555555555554444", "<CARD_1>")
	finds("3782 822463 10005", "<CARD_1>")
	finds("in 2024 4111 1111 1111 1111 was used", "in 2024 <CARD_1> was used")
	finds("4111 1111 1111 1111 and 4111111111111111", "<CARD_1> and <CARD_1>")
	finds("4111 1111 1111 1112", "4111 1111 1111 1112")
	finds("0000 0000 0000 0000", "0000 0000 0000 0000")
	finds("x4111111111111111", "x4111111111111111")
	finds("4111111111111111x", "4111111111111111x")

	finds("123-45-6789", "<SSN_1>")
	finds("123 45 6789", "<SSN_1>")
	finds("SSN: 123456789", "SSN: <SSN_1>")
	finds("the social security number 123456789", "the social security number <SSN_1>")
	finds("a total of 123456789", "a total of 123456789")
	finds("000-45-6789, 666-45-6789, 900-45-6789, 123-00-6789, 123-45-0000", "000-45-6789, 666-45-6789, 900-45-6789, 123-00-6789, 123-45-0000")

	finds("+49 30 1234567", "<PHONE_1>")
	finds("+4915112345678", "<PHONE_1>")
	finds("+49 (0)30 1234567", "<PHONE_1>")
	finds("(+49) 30/1234567", "<PHONE_1>")
	finds("0049 30 1234567", "<PHONE_1>")
	finds("+33 1 23 45 67 89", "<PHONE_1>")
	finds("01 23 45 67 89", "<PHONE_1>")
	finds("020 7946 0958", "<PHONE_1>")
	finds("0171/1234567", "<PHONE_1>")
	finds("(555) 234-5678", "<PHONE_1>")
	finds("555-234-5678", "<PHONE_1>")
	finds("1-800-234-5678", "<PHONE_1>")
	finds("555.234.5678", "<PHONE_1>")
	finds("my phone is 2345678", "my phone is <PHONE_1>")
	finds("Tel. 5552345678", "Tel. <PHONE_1>")
	finds("+1 555 234 5678, (555) 234-5679", "<PHONE_1>, <PHONE_2>")
	finds("2024-01-15 10:30", "2024-01-15 10:30")
	finds("01.02.2024 12:00", "01.02.2024 12:00")
	finds("0.123456789012", "0.123456789012")
	finds("1,234,567.89 and 1234567890", "1,234,567.89 and 1234567890")
	finds("pages 100-200, 1990 2000 2010", "pages 100-200, 1990 2000 2010")
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	finds("DE89370400440532013000", "<IBAN_1>")
	finds("DE89 3704 0044 0532 0130 00", "<IBAN_1>")
	finds("de89 3704 0044 0532 0130 00", "<IBAN_1>")
	finds("GB82 WEST 1234 5698 7654 32", "<IBAN_1>")
	finds("NO9386011117947", "<IBAN_1>")
	finds("MT84MALT011000012345MTLCAST001S", "<IBAN_1>")
	finds("DE88370400440532013000", "DE88370400440532013000")
	finds("XDE89370400440532013000", "XDE89370400440532013000")
	finds("DE89370400440532013000X", "DE89370400440532013000X")
	finds("ZZ89370400440532013000", "ZZ89370400440532013000")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	finds("10.0.0.1", "<IP_1>")
	finds("http://192.168.1.20:8080/x", "http://<IP_1>:8080/x")
	finds("255.255.255.255.", "<IP_1>.")
	finds("256.1.1.1", "256.1.1.1")
	finds("1.2.3", "1.2.3")
	finds("1.2.3.4.5", "1.2.3.4.5")
	finds("01.2.3.4", "01.2.3.4")
	finds("2001:db8::8a2e:370:7334", "<IP_1>")
	finds("2001:0db8:0000:0000:0000:8a2e:0370:7334", "<IP_1>")
	finds("[fe80::1]:80", "[<IP_1>]:80")
	finds("::1", "<IP_1>")
	finds("::ffff:10.0.0.1", "<IP_1>")
	finds("FE80::1 and fe80::1", "<IP_1> and <IP_1>")
	finds("std::vector, dead::beef, a::b, x: y, 12:30:45", "std::vector, dead::beef, a::b, x: y, 12:30:45")
	finds("1:2:3:4:5:6:7", "1:2:3:4:5:6:7")
	finds("1::2::3", "1::2::3")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	alnum := strings.Repeat("aB3dE5gH", 6)
	finds("sk-"+alnum, "<KEY_1>")
	finds("key=sk-proj-"+alnum, "key=<KEY_1>")
	finds("sk_live_"+alnum[:24], "<KEY_1>")
	finds("ghp_"+alnum[:36], "<KEY_1>")
	finds("github_pat_"+alnum, "<KEY_1>")
	finds("glpat-"+alnum[:20], "<KEY_1>")
	finds("xoxb-1234567890-"+alnum[:24], "<KEY_1>")
	finds("AKIAIOSFODNNEXAMPLEQ", "<KEY_1>")
	finds("AIza"+alnum[:35], "<KEY_1>")
	finds("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0."+alnum, "<KEY_1>")
	finds("-----BEGIN PRIVATE KEY-----\nMIIE/"+alnum+"+/\n-----END PRIVATE KEY-----", "<KEY_1>")
	finds("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----")
	finds("sk-learn-pipelines-and-estimators", "sk-learn-pipelines-and-estimators")
	finds("eyJhbGciOiJIUzI1NiJ9.notajwt", "eyJhbGciOiJIUzI1NiJ9.notajwt")
	got, _ := masks(t, nil, "x -----BEGIN RSA PRIVATE KEY-----\n"+alnum)
	if got[0] != "x <KEY_1>" {
		t.Errorf("a key that is cut off: %q", got[0])
	}
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	got, v := masks(t, nil, "a@b.co and c@d.co", "again C@D.co, then e@f.co", "no <EMAIL_9> here")
	want := "<EMAIL_1> and <EMAIL_2>|again <EMAIL_2>, then <EMAIL_3>|no <EMAIL_9> here"
	if strings.Join(got, "|") != want || v != sallyport.Continue() {
		t.Errorf("got %q, %v", got, v)
	}
	got, _ = masks(t, nil, "what is <EMAIL_1>? a@b.co c@d.co", "<EMAIL_3>")
	if got[0] != "what is <EMAIL_1>? <EMAIL_2> <EMAIL_4>" {
		t.Errorf("the caller's own placeholder: %q", got[0])
	}
	got, _ = masks(t, nil, "+1 555 234 5678 or +15552345678")
	if got[0] != "<PHONE_1> or <PHONE_1>" {
		t.Errorf("one number in two spellings: %q", got[0])
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	some := map[string]any{"entities": map[string]any{"EMAIL_ADDRESS": "MASK", "card": "block", "ip": "allow"}, "message": "no {entities}", "status": 422}
	check := func(text, want string, verdict sallyport.Verdict) {
		t.Helper()
		if got, v := masks(t, some, text); got[0] != want || v != verdict {
			t.Errorf("%q became %q, %v", text, got[0], v)
		}
	}
	check("a@b.co from 10.0.0.1, 555-234-5678", "<EMAIL_1> from 10.0.0.1, 555-234-5678", sallyport.Continue())
	check("4111111111111111", "4111111111111111", sallyport.Reject(422, "no card"))

	allowed := map[string]any{"allow_values": []any{"Help@Example.com", "@corp.example", "127.0.0.1"}}
	got, _ := masks(t, allowed, "help@example.com ann@corp.example bob@example.com 127.0.0.1 127.0.0.2")
	if got[0] != "help@example.com ann@corp.example <EMAIL_1> 127.0.0.1 <IP_1>" {
		t.Errorf("allowed values: %q", got[0])
	}

	hooks, err := sallyport.Build(map[string]any{"roles": []any{"user"}}, New)
	if err != nil {
		t.Fatal(err)
	}
	r := &sallyport.Request{Texts: []sallyport.Text{{Role: "system", Text: "a@b.co"}, {Role: "user", Text: "a@b.co"}}}
	if hooks.Request(r); r.Texts[0].Text != "a@b.co" || r.Texts[1].Text != "<EMAIL_1>" {
		t.Errorf("roles: %q, %q", r.Texts[0].Text, r.Texts[1].Text)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(want string, config map[string]any) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake(`"entitys"`, map[string]any{"entitys": map[string]any{}})
	mistake(`"entities" must be an object`, map[string]any{"entities": "email"})
	mistake(`"entities" is empty`, map[string]any{"entities": map[string]any{}})
	mistake(`"entities.mail" is unknown`, map[string]any{"entities": map[string]any{"mail": "mask"}})
	mistake(`"entities.email" must be "mask"`, map[string]any{"entities": map[string]any{"email": "hide"}})
	mistake(`"entities.email" must be "mask"`, map[string]any{"entities": map[string]any{"email": true}})
	mistake("400 to 499", map[string]any{"status": 200})
}

func TestRestore(t *testing.T) {
	t.Parallel()
	names := newPlaceholders(nil)
	names.replace("a@b.co 4111111111111111", []span{{0, 6, email}, {7, 23, card}})
	is := func(text, want string) {
		t.Helper()
		if got, found := restore(text, names.state); got != want || found != (text != want) {
			t.Errorf("%q became %q, %v, want %q", text, got, found, want)
		}
	}
	is("", "")
	is("Hello", "Hello")
	is("<EMAIL_1>", "a@b.co")
	is("<EMAIL_1><CARD_1>, <EMAIL_1>.", "a@b.co4111111111111111, a@b.co.")
	is("<EMAIL_2> <email_1> <<EMAIL_1", "<EMAIL_2> <email_1> <<EMAIL_1")
	is("<<EMAIL_1>>", "<a@b.co>")
	is("1 < 2, <b>x</b>", "1 < 2, <b>x</b>")
}

// TestManyStates keeps what fits.
func TestManyStates(t *testing.T) {
	t.Parallel()
	names := newPlaceholders(nil)
	for i := range 2000 {
		names.of(email, strconv.Itoa(i)+"@example.com")
	}
	if len(names.state) > maxState || names.left == 0 || names.left > 1900 {
		t.Errorf("%d bytes, %d values are left out", len(names.state), names.left)
	}
}

// FuzzFind gives the finder foreign bytes: what it finds is in order, inside the text, and gone once it is masked.
func FuzzFind(f *testing.F) {
	f.Add("a@b.co, +49 30 1234567, 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00, 123-45-6789, 10.0.0.1, ::1, fe80::1")
	f.Add("sk-aB3dE5gHaB3dE5gHaB3dE5gH eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.aB3dE5gHaB3dE5gHaB3dE5gH -----BEGIN PRIVATE KEY-----")
	f.Add("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1.2.3.4.5.6 :::::: 1:2:3:4:5:6:7:8:9 @@@ é@é.é 00/00(00)00")
	all := finder{}
	for k := range kinds {
		all.want[k] = true
	}
	f.Fuzz(func(t *testing.T, text string) {
		finder := all
		found := finder.find(text)
		last := 0
		for _, s := range found {
			if s.start < last || s.end <= s.start || s.end > len(text) {
				t.Fatalf("%q: %v", text, found)
			}
			last = s.end
		}
		if len(found) > 0 {
			newPlaceholders([]sallyport.Text{{Text: text}}).replace(text, found)
		}
	})
}

// TestManyValues holds a request of many values, and of many placeholders of the caller's, to linear time.
func TestManyValues(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 20_000 {
		text.WriteString("<EMAIL_" + strconv.Itoa(2*i) + "> p" + strconv.Itoa(i) + "@example.com @@ :: ")
	}
	got, _ := masks(t, nil, text.String())
	if strings.Contains(got[0], "example") || !strings.HasSuffix(got[0], "<EMAIL_39998> <EMAIL_39999> @@ :: ") {
		t.Errorf("it ends in %q", got[0][len(got[0])-80:])
	}
}

// TestModule runs the finished module in the gateway's host.
func TestModule(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	p := plugintest.Load(t, wasm.Settings{Path: path})
	o := p.Chat(t, "gpt-4o", "hello", "I am ann@example.com,\n\"+49 30 1234567\"", "ann@example.com", "4111 1111 1111 1111")
	if got := strings.Join(o.Texts(), "|"); o.Err != nil || got != "hello|I am <EMAIL_1>,\n\"<PHONE_1>\"|<EMAIL_1>|<CARD_1>" {
		t.Errorf("got %s, error %v", got, o.Err)
	}
	p = plugintest.Load(t, wasm.Settings{Path: path, Config: map[string]any{"entities": map[string]any{"card": "block"}}})
	status, message := p.Chat(t, "gpt-4o", "4111 1111 1111 1111").Refusal()
	if status != 400 || message != "The request contains personal data that is not allowed: card." {
		t.Errorf("got %d %q", status, message)
	}
	_, err := wasm.Load(t.Context(), wasm.Settings{Path: path, Config: map[string]any{"entities": map[string]any{"mail": "mask"}}})
	if err == nil || !strings.Contains(err.Error(), `"entities.mail"`) {
		t.Errorf("a mistake in the configuration: %v", err)
	}
}

// TestUnmask sends an answer back through the gateway's host, whole and cut into single characters.
func TestUnmask(t *testing.T) {
	t.Parallel()
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "."), Config: map[string]any{"unmask": true}})
	const answer, want = "Mail <EMAIL_1> or <EMAIL_3>, call <PHONE_1>: \"<EMAIL_1>\"", `Mail ann@example.com or <EMAIL_3>, call +49 30 1234567: "ann@example.com"`
	ask := func(x *llm.Exchange) {
		if err := x.Body.Parse([]byte(`{"messages":[{"role":"user","content":"ann@example.com, bob@example.com +49 30 1234567"}]}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Guard(p.Name(), nil).Before(&x.Life, x); err != nil {
			t.Fatal(err)
		}
	}
	whole := append(llm.AppendQuoted([]byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":`), answer), `},"finish_reason":"stop"}]}`...)
	o := p.Response(t, whole, ask)
	if got, quoted := string(o.Reply.First.Data), string(llm.AppendQuoted(nil, want)); o.Err != nil || !strings.Contains(got, quoted) {
		t.Errorf("whole: %s, error %v", got, o.Err)
	}
	var chunks []string
	for _, c := range answer {
		chunk := llm.AppendQuoted([]byte(`{"choices":[{"index":0,"delta":{"content":`), string(c))
		chunks = append(chunks, string(append(chunk, `}}]}`...)))
	}
	chunks = append(chunks, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	if s := p.StreamChunks(t, wasm.GuardSettings{}, chunks, plugintest.Reading{Change: ask}); s.Text() != want || s.Err != nil {
		t.Errorf("stream: %q, error %v", s.Text(), s.Err)
	}
}

// Arguments of calls are masked in the history of a request, and a tool gets the real values: of whole answers, and of
// streams however they are cut.
func TestArguments(t *testing.T) {
	t.Parallel()
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "."), Config: map[string]any{"unmask": true}})
	const body = `{"messages":[{"role":"user","content":"Write to ann@example.com."},{"role":"assistant","content":null,"tool_calls":[` +
		`{"id":"c1","type":"function","function":{"name":"mail","arguments":"{\"to\":[\"\\u0061nn@example.com\"],\"phone\":\"55512345\",\"card\":4111111111111111}"}}]},` +
		`{"role":"tool","tool_call_id":"c1","content":"sent to bob \"b\" <bob@example.com>"}]}`
	const masked = `{"messages":[{"role":"user","content":"Write to <EMAIL_1>."},{"role":"assistant","content":null,"tool_calls":[` +
		`{"id":"c1","type":"function","function":{"name":"mail","arguments":"{\"to\":[\"<EMAIL_1>\"],\"phone\":\"<PHONE_1>\",\"card\":\"<CARD_1>\"}"}}]},` +
		`{"role":"tool","tool_call_id":"c1","content":"sent to bob \"b\" <<EMAIL_2>>"}]}`
	ask := func(x *llm.Exchange) {
		if err := x.Body.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Guard(p.Name(), nil).Before(&x.Life, x); err != nil {
			t.Fatal(err)
		}
		if got := string(x.Body.Raw()); got != masked {
			t.Errorf("the model gets\n%s\nwant\n%s", got, masked)
		}
	}
	const said, want = `{"to":"<EMAIL_2>","body":"for \u003cEMAIL_1\u003e\n","n":1}`, `{"to":"bob@example.com","body":"for ann@example.com\n","n":1}`
	quote := func(s string) string { return string(llm.AppendQuoted(nil, s)) }
	call := `{"index":0,"id":"c2","type":"function","function":{"name":"mail","arguments":`
	o := p.Response(t, []byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[`+call+quote(said)+`}}]},"finish_reason":"tool_calls"}]}`), ask)
	if got := string(o.Reply.First.Data); o.Err != nil || !strings.Contains(got, quote(want)) {
		t.Errorf("whole: %s, error %v", got, o.Err)
	}
	for size := 1; size <= len(said); size++ {
		chunks := []string{`{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[` + call + `""}}]}}]}`}
		for at := 0; at < len(said); at += size {
			piece := quote(said[at:min(at+size, len(said))])
			chunks = append(chunks, `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":`+piece+`}}]}}]}`)
		}
		chunks = append(chunks, `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`)
		if s := p.StreamChunks(t, wasm.GuardSettings{}, chunks, plugintest.Reading{Change: ask}); s.Arguments(0) != want || s.Err != nil {
			t.Fatalf("stream in pieces of %d: %q, error %v", size, s.Arguments(0), s.Err)
		}
	}
}

// What is no text cannot be looked at, and is refused if the operator says so.
func TestRefusesMedia(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	with := func(config map[string]any) *plugintest.Plugin {
		return plugintest.Load(t, wasm.Settings{Path: path, Config: config})
	}
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookStreamChunk)
}

// BenchmarkGuard measures a request of ten messages in the gateway's host: prose without personal data, and prose in which
// every message has an address and a number.
func BenchmarkGuard(b *testing.B) {
	path := plugintest.Build(b, ".")
	bench := func(name string, size int, extra string) {
		b.Run(name, func(b *testing.B) {
			p := plugintest.Load(b, wasm.Settings{Path: path})
			body := chatBody(b, size, extra)
			g := p.Guard("pii", nil)
			x := plugintest.Exchange(b, llm.OpChat, body)
			if extra == "" {
				plugintest.Bench(b, g, x)
				return
			}
			for b.Loop() {
				if err := x.Body.Parse(bytes.Clone(body)); err != nil {
					b.Fatal(err)
				}
				if _, err := g.Before(&x.Life, x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("2KB", 2<<10, "")
	bench("32KB", 32<<10, "")
	bench("found", 2<<10, " ann@example.com +49 30 1234567")
}

// chatBody is a chat request of ten messages with size bytes of English text.
func chatBody(t testing.TB, size int, extra string) []byte {
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
		b = append(llm.AppendQuoted(b, prose[i*size/10:(i+1)*size/10]+extra), '}')
	}
	return append(b, `]}`...)
}
