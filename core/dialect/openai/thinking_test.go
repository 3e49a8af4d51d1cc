package openai_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
)

// What a model thought is told several times over, and guardrails get to see each.
func TestThinkingIsSeen(t *testing.T) {
	t.Parallel()
	f := func(message string, want ...string) {
		t.Helper()
		b := []byte(`{"choices":[{"message":` + message + `}]}`)
		texts, err := openai.AppendAnswer(nil, b)
		if err != nil {
			t.Fatalf("%s: %v", message, err)
		}
		var got []string
		for _, s := range texts {
			got = append(got, s.Kind.String()+string(b[s.Text.Start:s.Text.End]))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %v, want %v", message, got, want)
		}
	}
	f(`{"reasoning_content":"a","thinking_blocks":[{"type":"thinking","thinking":"a","signature":"s"},{"type":"redacted_thinking","data":"d"}]}`, `reasoning"a"`, `reasoning"a"`)
	f(`{"content":"c","provider_specific_fields":{"x":{"thinking":"no"},"thinking_blocks":[{"thinking":"b"}]}}`, `content"c"`, `reasoning"b"`)
	f(`{"reasoning_details":[{"type":"reasoning.text","text":"t"},{"type":"reasoning.summary","summary":"s"}]}`, `reasoning"t"`, `reasoning"s"`)
	for _, bad := range []string{
		`{"thinking_blocks":[{"thinking":"a","thinking":"b"}]}`, `{"thinking_blocks":[{"think\u0069ng":"a"}]}`,
		`{"thinking_blocks":[],"thinking_blocks":[]}`, `{"provider_specific_fields":{"thinking_blocks":[],"thinking_blocks":[]}}`,
	} {
		if _, err := openai.AppendAnswer(nil, []byte(`{"choices":[{"message":`+bad+`}]}`)); err == nil {
			t.Errorf("%s passed", bad)
		}
	}
}

type hide string

func (h hide) Judge(w *openai.Window) (openai.Decision, string, error) {
	return openai.Replace, strings.ReplaceAll(string(w.Text), string(h), "***"), nil
}

// A word that is split over chunks is caught in each copy of the thinking, and what else a chunk has survives.
func TestThinkingInWindows(t *testing.T) {
	t.Parallel()
	w := openai.NewWindows(openai.WindowSettings{Chars: 1, Holdback: 6}, hide("secret"))
	var out []string
	put := func(delta string) {
		t.Helper()
		if err := w.Put([]byte(`{"id":"x","choices":[{"index":0,"delta":`+delta+`,"finish_reason":null}]}`), time.Time{}); err != nil {
			t.Fatal(err)
		}
		for c := w.Take(); c != nil; c = w.Take() {
			out = append(out, string(c))
		}
	}
	put(`{"reasoning_content":"a sec","thinking_blocks":[{"type":"thinking","thinking":"a sec","signature":""}]}`)
	put(`{"reasoning_content":"ret b","thinking_blocks":[{"type":"thinking","thinking":"ret b","signature":""}]}`)
	put(`{"thinking_blocks":[{"type":"thinking","thinking":"","signature":"sig"}]}`)
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	for c := w.Take(); c != nil; c = w.Take() {
		out = append(out, string(c))
	}
	all := strings.Join(out, "\n")
	said := func(key string) (s string) {
		for _, piece := range strings.Split(all, `"`+key+`":"`)[1:] {
			s += piece[:strings.IndexByte(piece, '"')]
		}
		return s
	}
	if strings.Index(all, `"sig"`) < strings.LastIndex(all, " b") {
		t.Errorf("thinking comes behind its signature:\n%s", all)
	}
	if said("reasoning_content") != "a *** b" || said("thinking") != "a *** b" || said("signature") != "sig" {
		t.Fatalf("%q %q %q in\n%s", said("reasoning_content"), said("thinking"), said("signature"), all)
	}
}
