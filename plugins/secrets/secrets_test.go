package main

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// redacted returns what becomes of a text with the mask "#type#".
func redacted(t testing.TB, config map[string]any, text string) string {
	t.Helper()
	all := map[string]any{"action": "redact", "mask": "#{type}#"}
	for k, v := range config {
		all[k] = v
	}
	hooks, err := sallyport.Build(all, New)
	if err != nil {
		t.Fatal(err)
	}
	r := &sallyport.Request{Texts: []sallyport.Text{{Role: "user", Text: text}}}
	if v := hooks.Request(r); v != sallyport.Continue() {
		t.Fatalf("%q: %v", text, v)
	}
	return r.Texts[0].Text
}

// becomes checks what a text becomes at every offset within a block of eight bytes.
func becomes(t *testing.T, text, want string) {
	t.Helper()
	for shift := range 9 {
		front := strings.Repeat("q ", shift)
		for _, back := range []string{"", " tail", "\nand so it goes on for a while."} {
			if got := redacted(t, nil, front+text+back); got != front+want+back {
				t.Errorf("%q became %q, want %q", front+text+back, got, front+want+back)
				return
			}
		}
	}
}

// random is text like that of keys. Tokens are put together here so that scanners of this repository stay quiet.
func random(n int) string { return strings.Repeat("aB3dE5gHk9Lm2Pq7rS4tU6vW8xY0zA1c", n/32+1)[:n] }

func TestTokens(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	finds("AKIA"+"IOSFODNN7QWERTYU", "#aws_access_key#")
	finds("id "+"ASIA"+"IOSFODNNQQWERTYU.", "id #aws_access_key#.")
	finds("aws_secret_access_key = "+random(20)+"/"+random(19), "aws_secret_access_key = #aws_secret_key#")
	finds("AWS: "+random(9)+"+"+random(20)+"/"+random(9), "AWS: #aws_secret_key#")
	finds("AI"+"za"+random(35), "#google_key#")
	finds("ya"+"29."+random(40), "#google_key#")
	finds("gh"+"p_"+random(36), "#github_token#")
	finds("(gh"+"s_"+random(36)+")", "(#github_token#)")
	finds("github"+"_pat_"+random(60), "#github_token#")
	finds("gl"+"pat-"+random(20), "#gitlab_token#")
	finds("xox"+"b-123456789012-"+random(24), "#slack_token#")
	finds("https://hooks.slack.com/services/T00000000/B00000000/"+random(24), "https://hooks.slack.com/services/T00000000/B00000000/#slack_token#")
	finds("sk"+"_live_"+random(24), "#stripe_key#")
	finds("sk"+"-proj-"+random(40), "#openai_key#")
	finds("sk"+"-ant-api03-"+random(40), "#anthropic_key#")
	finds("Bearer sk"+"-"+random(48), "Bearer #openai_key#")
	finds("h"+"f_"+random(34), "#vendor_key#")
	finds("S"+"G."+random(22)+"."+random(43), "#vendor_key#")
	finds("https://api.telegram.org/bot1234567890:AA"+random(33), "https://api.telegram.org/bot1234567890:#vendor_key#")
	finds("eyJ"+"hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0."+random(43), "#jwt#")

	finds("sk-learn-0-24-2-release-notes-again", "sk-learn-0-24-2-release-notes-again")
	finds("pk_live_"+random(24), "pk_live_"+random(24))
	finds("AKIAiosfodnn7example", "AKIAiosfodnn7example")
	finds("commit 0f5b6d3a9c8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a", "commit 0f5b6d3a9c8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a")
	finds("a "+random(40)+" b", "a "+random(40)+" b")
	finds("eyJhbGciOiJIUzI1NiJ9.payload", "eyJhbGciOiJIUzI1NiJ9.payload")
}

func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	line := "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC/" + random(31)
	pem := func(label, headers, separator string) string {
		return "-----BEGIN " + label + "-----" + separator + headers + line + separator + line + separator + "abc==" + separator + "-----END " + label + "-----"
	}
	finds(pem("PRIVATE KEY", "", "\n"), "#private_key#")
	finds(pem("OPENSSH PRIVATE KEY", "", "\n"), "#private_key#")
	finds(pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n", "\n"), "#private_key#")
	finds(pem("PGP PRIVATE KEY BLOCK", "Version: 1\n\n", "\n"), "#private_key#")
	finds(pem("CERTIFICATE", "", "\n"), pem("CERTIFICATE", "", "\n"))
	finds(pem("PUBLIC KEY", "", "\n"), pem("PUBLIC KEY", "", "\n"))
	finds(`{"type": "service_account", "private_key": "`+pem("PRIVATE KEY", "", `\n`)+`\n", "client_email": "x@y.z"}`,
		`{"type": "service_account", "private_key": "#private_key#\n", "client_email": "x@y.z"}`)
	if got := redacted(t, nil, "see -----BEGIN PRIVATE KEY-----\n"+line); got != "see #private_key#" {
		t.Errorf("a key that is cut off: %q", got)
	}
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	finds := func(text, want string) { t.Helper(); becomes(t, text, want) }
	finds("password=tr0ub4dor&3", "password=#assignment#&3")
	finds(`password: "tr0ub4dor&3"`, `password: "#assignment#"`)
	finds(`"db_password" : "Kx9!vq2_zz"`, `"db_password" : "#assignment#"`)
	finds("API_KEY='0f5b6d3a9c8e7f6a'", "API_KEY='#assignment#'")
	finds("my-api-key: 0f5b6d3a9c8e7f6a.", "my-api-key: #assignment#.")
	finds(`{\"clientSecret\":\"0f5b6d3a9c8e7f6a\"}`, `{\"clientSecret\":\"#assignment#\"}`)
	finds(`"token" => "0f5b6d3a9c8e7f6a"`, `"token" => "#assignment#"`)
	finds("PWD := `0f5b6d3a9c8e7f6a`", "PWD := `#assignment#`")
	finds("Authorization: Bearer 0f5b6d3a9c8e7f6a", "Authorization: Bearer #assignment#")
	finds("authorization: Basic dXNlcjpwYXNzd29yZA==", "authorization: Basic #assignment#")
	finds("AccountKey="+random(44)+";EndpointSuffix=x", "AccountKey=#assignment#;EndpointSuffix=x")
	finds("postgres://app:s3cr3tpw@db.example.com:5432/x", "postgres://app:#url_password#@db.example.com:5432/x")
	finds("amqp://u:p@ss@h", "amqp://u:#url_password#@h")

	same := func(text string) { t.Helper(); becomes(t, text, text) }
	same("password: please choose a good one")
	same("my password is: unknown")
	same("max_tokens: 40960000, token: 12345678")
	same("password = config.database.password")
	same("password = getPassword2(user)")
	same("api_key: os.environ/OPENAI_API_KEY_2")
	same("api_key = ${API_KEY_2}, token=<token-1234>, secret: {{secret-1234}}")
	same("password: your-password-123")
	same("password=********1a")
	same("secret=aaaaaaaaaaaaaaaa1")
	same("the key: 0f5b6d3a9c8e7f6a, keyboard=0f5b6d3a9c8e7f6a")
	same("postgres://app@db:5432/x http://h:80/ http://u:${PASS}@h")
	same("password=")
	same("password: \"\"")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const text = "password=hunter2 api_key=0f5b6d3a9c8e7f6a"
	is := func(want string, config map[string]any) {
		t.Helper()
		if got := redacted(t, config, text); got != want {
			t.Errorf("%v: got %q, want %q", config, got, want)
		}
	}
	is("password=hunter2 api_key=#assignment#", nil)
	is("password=#assignment# api_key=#assignment#", map[string]any{"min_length": 7})
	is(text, map[string]any{"types": []any{"jwt"}})
	is("password=hunter2 api_key=#assignment#", map[string]any{"entropy": "6"})
	if got := redacted(t, map[string]any{"entropy": "0.3"}, "secret=aaaaaaaaaaaaaaaa1"); got != "secret=#assignment#" {
		t.Errorf("low entropy: %q", got)
	}
	is(text, map[string]any{"allow_values": []any{"0f5b6d3a9c8e7f6a"}})
	is(text, map[string]any{"allow_values": []any{"0f5b*"}})
	is("password=hunter2 api_key=[REDACTED]", map[string]any{"mask": defaultMask})

	hooks, err := sallyport.Build(map[string]any{"roles": []any{"user"}, "message": "no {types}", "status": 403}, New)
	if err != nil {
		t.Fatal(err)
	}
	check := func(role string, want sallyport.Verdict) {
		t.Helper()
		r := &sallyport.Request{Texts: []sallyport.Text{{Role: role, Text: text}, {Role: role, Text: "gh" + "p_" + random(36)}}}
		if got := hooks.Request(r); got != want {
			t.Errorf("role %s: got %v, want %v", role, got, want)
		}
	}
	check("user", sallyport.Reject(403, "no github_token, assignment"))
	check("system", sallyport.Continue())
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(want string, config map[string]any) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake(`unknown setting "type"`, map[string]any{"type": "jwt"})
	mistake(`"jwts" is unknown: types are aws_access_key`, map[string]any{"types": []any{"jwts"}})
	mistake(`"types" is empty`, map[string]any{"types": []any{}})
	mistake(`it is "block" or "redact"`, map[string]any{"action": "mask"})
	mistake("400 to 499", map[string]any{"status": 500})
	mistake(`"min_length" must be 4 to 100`, map[string]any{"min_length": 0})
	mistake(`"entropy" must be`, map[string]any{"entropy": "NaN"})
	mistake(`"allow_values" allows everything`, map[string]any{"allow_values": []any{"*"}})
}

// FuzzFind gives the finder foreign bytes: what it finds is in order and inside the text.
func FuzzFind(f *testing.F) {
	f.Add("sk-" + random(48) + " eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + random(43) + " SG.a.b hvs. xox ya29")
	f.Add("aws " + random(40) + " password=x password: \"tr0ub4dor&3 \\\" => ://a:b@c Authorization: Bearer ")
	f.Add("-----BEGIN PRIVATE KEY-----\n" + random(64) + "-----END -----BEGIN")
	hooks, err := sallyport.Build(map[string]any{"min_length": 4, "entropy": "0", "action": "redact"}, New)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g := finder{minLength: 4}
		for k := range g.want {
			g.want[k] = true
		}
		last := 0
		for _, s := range g.find(text) {
			if s.start < last || s.end <= s.start || s.end > len(text) || s.kind == none {
				t.Fatalf("%q: %v", text, g.spans)
			}
			last = s.end
		}
		hooks.Request(&sallyport.Request{Texts: []sallyport.Text{{Text: text}}})
	})
}

// TestModule runs the finished module in the gateway's host.
func TestModule(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	p := plugintest.Load(t, wasm.Settings{Path: path})
	if status, _ := p.Chat(t, "gpt-4o", "hello", "what is a password?").Refusal(); status != 0 {
		t.Errorf("a harmless request was refused with status %d", status)
	}
	status, message := p.Chat(t, "gpt-4o", "hello", "why does gh"+"p_"+random(36)+" not work?").Refusal()
	if status != 400 || !strings.Contains(message, "(github_token)") || strings.Contains(message, random(8)) {
		t.Errorf("got %d %q", status, message)
	}
	p = plugintest.Load(t, wasm.Settings{Path: path, Config: map[string]any{"action": "redact"}})
	o := p.Chat(t, "gpt-4o", "a \"b\"", `{"api_key": "0f5b6d3a9c8e7f6a"}`)
	if got := strings.Join(o.Texts(), "|"); o.Err != nil || got != `a "b"|{"api_key": "[REDACTED]"}` {
		t.Errorf("got %s, error %v", got, o.Err)
	}
	_, err := wasm.Load(t.Context(), wasm.Settings{Path: path, Config: map[string]any{"types": []any{"x"}}})
	if err == nil || !strings.Contains(err.Error(), `"types"`) {
		t.Errorf("a mistake in the configuration: %v", err)
	}
}

// Credentials in answers are found however they are cut, and in the arguments of calls by the names of their members.
func TestAnswers(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	redact := plugintest.Load(t, wasm.Settings{Path: path, Config: map[string]any{"action": "redact"}})
	block := plugintest.Load(t, wasm.Settings{Path: path})
	jwt := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0." + random(43)
	text := "Use gh" + "p_" + random(36) + ", then " + jwt + " with password: tr0ub4dor-3x and " + strings.Repeat("words ", 30) + "."
	want := "Use [REDACTED], then [REDACTED] with password: [REDACTED] and " + strings.Repeat("words ", 30) + "."
	for size := 1; size < 50; size++ {
		if s := redact.StreamChunks(t, wasm.GuardSettings{}, pieces(text, size)); s.Text() != want || s.Err != nil {
			t.Fatalf("pieces of %d: %q, %v", size, s.Text(), s.Err)
		}
		s := block.StreamChunks(t, wasm.GuardSettings{}, pieces(text, size))
		if status, message := s.Refusal(); status != 400 || !strings.HasPrefix(message, "The answer contains a credential (github_token") || strings.Contains(s.Text(), random(8)) {
			t.Fatalf("pieces of %d: %d %q, %q", size, status, message, s.Text())
		}
	}
	call := func(arguments string) []byte {
		quoted := string(llm.AppendQuoted(nil, arguments))
		return []byte(`{"messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":` + quoted + `}}]}]}`)
	}
	o := redact.Request(t, llm.OpChat, call(`{"user":"ann","password":"tr0ub4dor-3x","note":"tr0ub4dor-3x"}`))
	if got := string(o.Exchange.Body.Raw()); o.Err != nil || got != string(call(`{"user":"ann","password":"[REDACTED]","note":"tr0ub4dor-3x"}`)) {
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

// What is no text cannot be looked at, and is refused if the operator says so.
func TestRefusesMedia(t *testing.T) {
	t.Parallel()
	path := plugintest.Build(t, ".")
	with := func(config map[string]any) *plugintest.Plugin {
		return plugintest.Load(t, wasm.Settings{Path: path, Config: config})
	}
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookStreamChunk)
}

// BenchmarkGuard measures a request of ten messages that holds no secret, through the gateway's host.
func BenchmarkGuard(b *testing.B) {
	path := plugintest.Build(b, ".")
	bench := func(name string, size int) {
		b.Run(name, func(b *testing.B) {
			p := plugintest.Load(b, wasm.Settings{Path: path})
			plugintest.Bench(b, p.Guard("secrets", nil), plugintest.Exchange(b, llm.OpChat, chatBody(b, size)))
		})
	}
	bench("2KB", 2<<10)
	bench("32KB", 32<<10)
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
