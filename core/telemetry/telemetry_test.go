package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const key = "sk-1234567890abcdefghij"

func TestMask(t *testing.T) {
	t.Parallel()
	check := func(in, want string) {
		t.Helper()
		if got := Mask(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if again := Mask(want); again != want {
			t.Errorf("%q is masked again: %q", want, again)
		}
	}
	same := func(s string) {
		t.Helper()
		check(s, s)
	}
	check("the key sk-1234 is wrong", "the key sk-**** is wrong")
	check(`{"k":"sk-ant-api03-abc_def"}`, `{"k":"sk-****"}`)
	check("sk-a,sk-b", "sk-****,sk-****")
	check(key+key, "sk-****")
	check("x"+key, "xsk-****")
	check(`line\nsk-1234`, `line\nsk-****`)
	check(`a%20sk-1234`, `a%20sk-****`)
	check("a=sk-1234&b=c", "a=sk-****")
	check("my-sk-1234", "my-sk-****")
	check("Bearer abc", "Bearer ****")
	check("bearer  abc def", "bearer  **** def")
	check("Bearer bearer abc", "Bearer bearer ****")
	check("Bearer sk-1234", "Bearer ****")
	check("Authorization: Basic dXNlcjpwYXNz", "Authorization: ****")
	check(`{"authorization": "Basic dXNlcjpwYXNz", "a": 1}`, `{"authorization": "****", "a": 1}`)
	check("x-api-key: abc", "x-api-key: ****")
	check("api_key=abc model=x", "api_key=**** model=x")
	check(`\"password\": \"hunter2\"`, `\"password\": \"****\"`)
	check("https://host/v1?key=abc", "https://host/v1?key=****")
	check("http://user:pa@ss@proxy:3128/x", "http://****@proxy:3128/x")
	check("AIzaSyA1234567890abcdefghijk failed", "AIza**** failed")
	check("gsk_1234567890abcdefghijk", "gsk_****")
	check("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJ****")

	same("")
	same("task-force, risk-averse and disk-bound")
	same("max_tokens=100 total_tokens: 7 input_cost_per_token: 1e-05")
	check("password=1234", "password=****")
	same("api_key=None, password: null")
	same("unknown key: model_lst")
	same("https://host:443/path@x?a=b")
	check("the bearer of news", "the bearer **** news") // too much is hidden rather than too little
	same("monkeys")
	same("sk-")
}

func TestSecretName(t *testing.T) {
	t.Parallel()
	check := func(want bool, names ...string) {
		t.Helper()
		for _, n := range names {
			if got := SecretName(n); got != want {
				t.Errorf("%s: got %v", n, got)
			}
		}
	}
	check(true, "key", "api_key", "apiKey", "APIKey", "x-api-key", "master_key", "OPENAI_API_KEY", "token", "accessToken",
		"aws_session_token", "password", "db_password", "Authorization", "proxy-authorization", "client_secret", "secretValue",
		"vertex_credentials", "Cookie", "upstream.api_key", "apikey2", "keyPath")
	check(false, "", "model", "keyboard", "tokenizer", "secretary", "message", "author", "k", "deployment", "status")
}

// lines logs with a JSON logger and one for people, and returns what both wrote.
func lines(log func(*slog.Logger)) (machine, people string) {
	var a, b bytes.Buffer
	log(NewLogger(Settings{JSON: true, Writer: &a, Level: slog.LevelDebug}).Logger)
	log(NewLogger(Settings{Writer: &b, Level: slog.LevelDebug, Color: true}).Logger)
	return a.String(), b.String()
}

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue(key) }

type bomb struct{}

func (bomb) Error() string { panic(key) }

// No value that holds a key shows in a log, wherever it is.
func TestNoKeyPasses(t *testing.T) {
	t.Parallel()
	check := func(log func(*slog.Logger)) {
		t.Helper()
		machine, people := lines(log)
		if strings.Contains(machine+people, key[3:]) || strings.Contains(machine+people, "hunter2") {
			t.Errorf("a secret passed:\n%s%s", machine, people)
		}
		if !json.Valid([]byte(machine)) || strings.Count(machine, "\n") != 1 || strings.Count(people, "\n") != 1 {
			t.Errorf("not one line each:\n%s%s", machine, people)
		}
		if !strings.Contains(machine, hidden) || !strings.Contains(people, hidden) {
			t.Errorf("nothing was hidden:\n%s%s", machine, people)
		}
	}
	value := func(v any) {
		t.Helper()
		check(func(l *slog.Logger) { l.Info("x", "v", v) })
		check(func(l *slog.Logger) { l.With("v", v).WithGroup("g").Info("x") })
		check(func(l *slog.Logger) { l.Info("x", slog.Group("g", "v", v)) })
	}
	check(func(l *slog.Logger) { l.Info("failed: " + key) })
	check(func(l *slog.Logger) { l.Info("x", key, "v") })
	value(key)
	value("a " + key + " b")
	value(errors.New(key))
	value(fmt.Errorf("call: %w", errors.New(key)))
	value([]byte(key))
	value([]string{key})
	value(map[string]any{"a": []any{map[string]string{"b": key}}})
	value(map[string]string{key: "x"})
	value(map[string]any{"password": "hunter2", "n": 1})
	value(map[string]any{"secret": map[string]any{"inner": []string{"hunter2"}}})
	value(struct{ APIKey string }{"hunter2"})
	value(http.Header{"Authorization": {"Bearer " + key}, "X-Api-Key": {"hunter2"}})
	value(&url.URL{Scheme: "http", Host: "h", Path: "/" + key})
	value(json.RawMessage(`{"token":"hunter2"}`))
	value(valuer{})
	value(bomb{})
	value(map[string]any{"f": func() {}, "k": key}) // no JSON
	secret := func(name string, v any) {
		t.Helper()
		check(func(l *slog.Logger) { l.Info("x", name, v) })
		check(func(l *slog.Logger) { l.WithGroup("g").With(name, v).Info("x") })
	}
	secret("api_key", "hunter2")
	secret("api_key", 1234)
	secret("m", map[string]any{"pwd": 1234})
	secret("Authorization", "hunter2")
	secret("password", []string{"hunter2"})
	secret("master_key", errors.New("hunter2"))
	check(func(l *slog.Logger) { l.WithGroup("credentials").Info("x", "user", "hunter2") })
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := NewLogger(Settings{JSON: true, Writer: &out})
	when := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	l.With("a", 1).WithGroup("http").Warn("it's <so>", "status", 503, "took", time.Second, "at", when, "ok", true,
		"f", 1.5, "nan", nan(), "none", nil, "list", []int{1, 2}, "err", errors.New("no"), slog.Group("", "in", "line"), slog.Attr{})
	l.Warn("m", "message", "mine", "level", 3)
	dec := json.NewDecoder(&out)
	var first, second map[string]any
	if err := errors.Join(dec.Decode(&first), dec.Decode(&second)); err != nil {
		t.Fatal(err)
	}
	stamp, err := time.Parse(time.RFC3339, first["timestamp"].(string))
	if err != nil || time.Since(stamp) > time.Minute {
		t.Errorf("timestamp %v, %v", first["timestamp"], err)
	}
	delete(first, "timestamp")
	want := `{"a":1,"http.at":"2025-01-02T03:04:05Z","http.err":"no","http.f":1.5,"http.in":"line","http.list":[1,2],` +
		`"http.nan":"NaN","http.none":null,"http.ok":true,"http.status":503,"http.took":"1s","level":"WARNING","message":"it's \u003cso\u003e"}`
	if got, _ := json.Marshal(first); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if second["message"] != "m" || second["attr.message"] != "mine" || second["attr.level"] != 3.0 {
		t.Errorf("got %v", second)
	}
}

func nan() float64 { var zero float64; return zero / zero }

func TestPlain(t *testing.T) {
	t.Parallel()
	check := func(color bool, want string, log func(*slog.Logger)) {
		t.Helper()
		var out bytes.Buffer
		log(NewLogger(Settings{Writer: &out, Color: color}).Logger)
		got := out.String()
		if len(got) < 24 || got[24:] != want {
			t.Errorf("got %q, want %q after the time", got, want)
		}
	}
	check(false, "INFO     listening port=4000 host=\"\"\n", func(l *slog.Logger) { l.Info("listening", "port", 4000, "host", "") })
	check(true, "\x1b[33mWARNING\x1b[0m  slow g.took=2s\n", func(l *slog.Logger) { l.WithGroup("g").Warn("slow", "took", 2*time.Second) })
	check(false, "ERROR    \"two\\nlines \\x1b[31m\" v=\"a b\" \"odd name\"=\"c=d\" m={}\n", func(l *slog.Logger) {
		l.Error("two\nlines \x1b[31m", "v", "a b", "odd name", "c=d", "m", struct{}{})
	})
	check(false, "CRITICAL x\n", func(l *slog.Logger) { l.Log(t.Context(), LevelCritical, "x") })
	check(false, "ERROR    panic v=1\n    goroutine 1\n        file.go:1\n    "+hidden2+"\n", func(l *slog.Logger) {
		l.Error("panic", stackKey, "goroutine 1\n\tfile.go:1\n"+key, "v", 1)
	})
}

const hidden2 = "sk-****"

func TestStack(t *testing.T) {
	t.Parallel()
	machine, people := lines(func(l *slog.Logger) { l.Error("panic", Stack()) })
	var m map[string]string
	if err := json.Unmarshal([]byte(machine), &m); err != nil || !strings.Contains(m["stacktrace"], "TestStack") {
		t.Errorf("got %v, %v", m, err)
	}
	if !strings.Contains(people, "TestStack") || strings.Contains(people, "stacktrace=") {
		t.Errorf("got %s", people)
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	check := func(name string, want slog.Level) {
		t.Helper()
		got, err := ParseLevel(name)
		if err != nil || got != want || LevelName(got) != strings.ToUpper(strings.TrimSpace(name)) {
			t.Errorf("%s: got %v %s, %v", name, got, LevelName(got), err)
		}
	}
	check("DEBUG", slog.LevelDebug)
	check("info", slog.LevelInfo)
	check("Warning ", slog.LevelWarn)
	check("ERROR", slog.LevelError)
	check("CRITICAL", LevelCritical)
	if _, err := ParseLevel("loud"); err == nil || !strings.Contains(err.Error(), `"loud"`) {
		t.Errorf("got %v", err)
	}

	var out bytes.Buffer
	l := NewLogger(Settings{Level: slog.LevelWarn, Writer: &out})
	derived := l.With("a", 1)
	derived.Info("one")
	l.SetLevel(slog.LevelDebug)
	derived.Debug("two")
	l.SetLevel(LevelCritical)
	derived.Error("three")
	if got := out.String(); !strings.Contains(got, "two") || strings.Count(got, "\n") != 1 || l.Level() != LevelCritical {
		t.Errorf("got %q", got)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := NewLogger(Settings{JSON: true, Writer: &out})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				l.With("i", i).Info("x", "j", i)
			}
		})
	}
	wg.Wait()
	n := 0
	for s := range strings.Lines(out.String()) {
		if !json.Valid([]byte(s)) {
			t.Fatalf("got %q", s)
		}
		n++
	}
	if n != 800 {
		t.Errorf("%d lines, want 800", n)
	}
}

// Whatever surrounds it, a key does not pass, and what was masked once stays as it is.
func FuzzMask(f *testing.F) {
	f.Add("Bearer ", "")
	f.Add("task-", "\n")
	f.Add(`{"password": "`, `"}`)
	f.Add("http://a:", "@b")
	f.Fuzz(func(t *testing.T, before, after string) {
		got := Mask(before + key + after)
		if strings.Contains(got, key) {
			t.Errorf("%q", got)
		}
		if again := Mask(got); strings.Contains(again, key[3:]) {
			t.Errorf("%q", again)
		}
		SecretName(before)
		machine, people := lines(func(l *slog.Logger) { l.Info(before, before, after+key, slog.Any(after, []string{before + key})) })
		if !json.Valid([]byte(machine)) || strings.Count(people, "\n") != 1 {
			t.Errorf("%q\n%q", machine, people)
		}
	})
}
