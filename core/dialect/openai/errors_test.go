package openai_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

var update = flag.Bool("update", false, "write what the tests got into testdata")

// TestErrors runs testdata/errors: what a vendor answered, and what it becomes. "answer" holds "status provider" and
// header lines, "body" the body; "error" is the classified error in words, "envelope" what the caller gets.
func TestErrors(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			testErrorFile(t, file)
		})
	}
}

func testErrorFile(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(a.Comment)) == 0 {
		t.Errorf("%s does not begin with a sentence on what it shows", file)
	}
	in := map[string][]byte{}
	for _, f := range a.Files {
		in[f.Name] = bytes.TrimSuffix(f.Data, []byte("\n"))
	}
	status, provider, header := parseAnswer(t, string(in["answer"]))
	e := openai.Classify(status, provider, in["body"], header)
	envelope := openai.AppendError(nil, e)
	if !json.Valid(envelope) {
		t.Errorf("the envelope is not JSON: %s", envelope)
	}
	got := &txtar.Archive{Comment: a.Comment, Files: []txtar.File{
		{Name: "answer", Data: in["answer"]},
		{Name: "body", Data: in["body"]},
		{Name: "error", Data: []byte(describe(e))},
		{Name: "envelope", Data: envelope},
	}}
	if *update {
		if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(got))); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func parseAnswer(t *testing.T, text string) (status int, provider string, h llm.Header) {
	t.Helper()
	first, rest, _ := strings.Cut(text, "\n")
	if _, err := fmt.Sscan(first, &status, &provider); err != nil {
		t.Fatalf("answer %q: %v", first, err)
	}
	for line := range strings.Lines(rest) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		h = append(h, llm.Field{Name: []byte(name), Value: []byte(value)})
	}
	return status, provider, h
}

func describe(e *llm.Error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kind: %d (%s)\nstatus: %d\ntype: %s\nparam: %s\ncode: %s\nretry after: %v\n",
		e.Kind, kindName(e.Kind), e.HTTPStatus(), e.Type, e.Param, e.Code, e.RetryAfter)
	for _, f := range e.Header {
		fmt.Fprintf(&b, "header: %s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

func kindName(k llm.Kind) string {
	names := []string{
		"internal", "bad request", "context window", "content policy", "authentication", "permission", "not found",
		"timeout", "unprocessable", "rate limit", "connection", "bad gateway", "unavailable",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return strconv.Itoa(int(k))
}

func TestAppendError(t *testing.T) {
	t.Parallel()
	f := func(e llm.Error, want string) {
		t.Helper()
		if got := string(openai.AppendError(nil, &e)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(llm.Error{Kind: llm.KindAuth, Message: "Authentication Error, no key", Type: "auth_error", Param: "None"},
		`{"error":{"message":"Authentication Error, no key","type":"auth_error","param":"None","code":"401"}}`)
	f(llm.Error{Kind: llm.KindInvalid, Message: "bad \"model\"\n", Type: "None", Param: "None"},
		`{"error":{"message":"bad \"model\"\n","type":"None","param":"None","code":"400"}}`)
	f(llm.Error{Kind: llm.KindNoDeployment, Message: "No deployments available"},
		`{"error":{"message":"No deployments available","type":null,"param":null,"code":"429"}}`)
	f(llm.Error{Kind: llm.KindInternal, Message: "Internal server error."},
		`{"error":{"message":"Internal server error.","type":null,"param":null,"code":"500"}}`)
	f(llm.Error{Kind: llm.KindCanceled}, `{"error":{"message":"Error 499","type":null,"param":null,"code":"499"}}`)
	f(llm.Error{Kind: llm.KindRejected, Code: "guarded", Message: "no"},
		`{"error":{"message":"no","type":null,"param":null,"code":"guarded"}}`)
	f(llm.Error{Kind: llm.KindConnection, Provider: "openai", Message: "Connection error."},
		`{"error":{"message":"litellm.InternalServerError: InternalServerError: OpenAIException - Connection error.",`+
			`"type":null,"param":null,"code":"500"}}`)
	f(llm.Error{Kind: llm.KindTimeout, Message: "Request timed out."},
		`{"error":{"message":"litellm.Timeout: Timeout Error: Request timed out.","type":null,"param":null,"code":"408"}}`)
	f(llm.Error{Kind: llm.KindBadRequest, Provider: "groq", Message: "litellm.UnsupportedParamsError: groq does not"},
		`{"error":{"message":"litellm.UnsupportedParamsError: groq does not","type":null,"param":null,"code":"400"}}`)
	f(llm.Error{Kind: llm.KindContentPolicy, Provider: "x", Message: "m", Type: "t", Param: "p", Code: "c"},
		`{"error":{"message":"litellm.BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: `+
			`XException - m","type":"t","param":"p","code":"400"}}`)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := func(name, value string, want time.Duration) {
			t.Helper()
			h := llm.Header{{Name: []byte(name), Value: []byte(value)}}
			if got := openai.RetryAfter(h); got != want {
				t.Errorf("%s: %s: got %v, want %v", name, value, got, want)
			}
		}
		f("Retry-After", "20", 20*time.Second)
		f("retry-after", "0.5", 500*time.Millisecond)
		f("retry-after-ms", "1500", 1500*time.Millisecond)
		f("retry-after", time.Now().Add(time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), time.Minute)
		f("retry-after", time.Now().Add(-time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), 0)
		f("retry-after", "-5", 0)
		f("retry-after", "NaN", 0)
		f("retry-after", "soon", 0)
		f("retry-after", "1e99", 7*24*time.Hour)
		f("x-other", "5", 0)
		f("x-ms-retry-after-ms", "250", 250*time.Millisecond)
		f("x-ratelimit-reset-requests", "20s", 0) // says nothing about when to come again
	})
}

// TestReset reads when limits are full again from the headers of vendors, as name: value, one a line.
func TestReset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
		f := func(lines string, want time.Duration) {
			t.Helper()
			var h llm.Header
			for line := range strings.Lines(lines) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				h = append(h, llm.Field{Name: []byte(name), Value: []byte(value)})
			}
			if got := openai.Reset(h); got != want {
				t.Errorf("%s: got %v, want %v", lines, got, want)
			}
			if got := openai.Classify(429, "x", nil, h).RetryAfter; got != want {
				t.Errorf("%s: a refusal for a limit says %v, want %v", lines, got, want)
			}
			if got := openai.Classify(500, "x", nil, h).RetryAfter; got != 0 {
				t.Errorf("%s: another refusal says %v", lines, got)
			}
		}
		f("x-ratelimit-reset-requests: 1s\nx-ratelimit-remaining-requests: 0", time.Second)
		f("X-RateLimit-Reset-Tokens: 12.5s\nX-RateLimit-Remaining-Tokens: 0", 12500*time.Millisecond)
		f("x-ratelimit-reset-tokens: 6m0s\nx-ratelimit-remaining-tokens: 0", time.Minute)
		f("x-ratelimit-reset-tokens: 88ms\nx-ratelimit-remaining-tokens: 0", time.Second)
		f("x-ratelimit-reset-requests: 20s\nx-ratelimit-remaining-requests: 0\n"+
			"x-ratelimit-reset-tokens: 40s\nx-ratelimit-remaining-tokens: 9", 20*time.Second)
		f("x-ratelimit-reset-requests: 20s\nx-ratelimit-remaining-requests: 0\n"+
			"x-ratelimit-reset-tokens: 40s\nx-ratelimit-remaining-tokens: 0", 40*time.Second)
		f("x-ratelimit-reset-requests: 20s\nx-ratelimit-remaining-requests: 5\n"+
			"x-ratelimit-reset-tokens: 40s\nx-ratelimit-remaining-tokens: 9", 20*time.Second)
		f("x-ratelimit-reset-requests-day: 33011.38\nx-ratelimit-remaining-requests-day: 7\n"+
			"x-ratelimit-reset-tokens-minute: 11.5\nx-ratelimit-remaining-tokens-minute: 0", 11500*time.Millisecond)
		f("anthropic-ratelimit-requests-reset: "+at(30*time.Second)+"\nanthropic-ratelimit-requests-remaining: 4\n"+
			"anthropic-ratelimit-input-tokens-reset: "+at(50*time.Second)+"\nanthropic-ratelimit-input-tokens-remaining: 0", 50*time.Second)
		f("anthropic-ratelimit-tokens-reset: "+at(-time.Hour), 0)
		f("anthropic-ratelimit-tokens-reset: soon\nx-ratelimit-reset-tokens: soon\nx-ratelimit-reset-requests: -5s", 0)
		f("x-ratelimit-reset-tokens: NaN\nx-ratelimit-reset-requests: Inf", time.Minute)
		f("x-ratelimit-limit-tokens: 5\nx-other: 7s", 0)

		h := llm.Header{{Name: []byte("retry-after"), Value: []byte("7")}, {Name: []byte("x-ratelimit-reset-tokens"), Value: []byte("20s")}}
		if got := openai.Classify(429, "x", nil, h).RetryAfter; got != 7*time.Second {
			t.Errorf("beside Retry-After the wait is %v", got)
		}
	})
}

func TestMask(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		if got := openai.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
	f("Incorrect API key provided: sk-proj-abc123def456. Go", "Incorrect API key provided: sk-***. Go")
	f("key sk-12***************34.", "key sk-***.")
	f("Authorization: Bearer abcdef0123456789", "Authorization: Bearer ***")
	f("gsk_0123456789 and AIzaSyA123456789", "gsk_*** and AIza***")
	f("task-12345678901", "task-12345678901")
	f("sk-learn-pipelines are fine, sk-1 too", "sk-learn-pipelines are fine, sk-1 too")
	f("bearer authentication", "bearer authentication")
	f("", "")
	f("sk-", "sk-")
}

func FuzzClassify(f *testing.F) {
	f.Add(400, []byte(`{"error":{"message":"m","type":"t","param":null,"code":1}}`), "20")
	f.Add(200, []byte(`[{"error":{"error":"x"}}]`), "x")
	f.Add(500, []byte(`{"detail":[{"msg":"m","loc":["a"]}]}`), "")
	f.Add(502, []byte(`<html>`), "-1")
	f.Fuzz(func(t *testing.T, status int, body []byte, wait string) {
		e := openai.Classify(status, "openai", body, llm.Header{
			{Name: []byte("retry-after"), Value: []byte(wait)},
			{Name: []byte("x-ratelimit-reset-tokens"), Value: []byte(wait)},
			{Name: []byte("anthropic-ratelimit-tokens-reset"), Value: []byte(wait)},
		})
		if e.Message == "" || e.RetryAfter < 0 || !e.Kind.Vendor() {
			t.Errorf("Classify(%d, %q) = %+v", status, body, e)
		}
		if e.HTTPStatus() < 400 {
			t.Errorf("Classify(%d, %q) has status %d", status, body, e.HTTPStatus())
		}
		if out := openai.AppendError(nil, e); !json.Valid(out) {
			t.Errorf("Classify(%d, %q) gives the envelope %q", status, body, out)
		}
	})
}
