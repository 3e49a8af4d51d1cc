package openai

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// judge decides with a function and notes the windows it was shown.
type judge struct {
	seen []string
	do   func(w *Window) (Decision, string, error)
}

func (j *judge) Judge(w *Window) (Decision, string, error) {
	final := ""
	if w.Final {
		final = "."
	}
	j.seen = append(j.seen, fmt.Sprintf("%d%c[%s|%s]%s", w.Choice, w.Kind.String()[0], w.Context, w.Text, final))
	return j.do(w)
}

func release(*Window) (Decision, string, error) { return Release, "", nil }

func mask(w *Window) (Decision, string, error) {
	if s := strings.ReplaceAll(string(w.Text), "secret", "***"); s != string(w.Text) {
		return Replace, s, nil
	}
	return Release, "", nil
}

func delta(choice int, member, text string) string {
	return fmt.Sprintf(`{"id":"c","choices":[{"index":%d,"delta":{"%s":%q},"finish_reason":null}],"usage":null}`, choice, member, text)
}

func finish(choice int) string {
	return fmt.Sprintf(`{"id":"c","choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}`, choice)
}

// through puts chunks through windows and returns what comes out.
func through(t *testing.T, s WindowSettings, j *judge, chunks ...string) (out []string, err error) {
	t.Helper()
	w := NewWindows(s, j)
	take := func() {
		for b := w.Take(); b != nil; b = w.Take() {
			if !json.Valid(b) {
				t.Errorf("not JSON: %s", b)
			}
			out = append(out, string(b))
		}
	}
	for i, c := range chunks {
		err := w.Put([]byte(c), time.Unix(int64(i), 0))
		take()
		if err != nil {
			return out, err
		}
	}
	err = w.End()
	take()
	return out, err
}

// said joins the texts of chunks by choice and kind.
func said(t *testing.T, chunks []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, c := range chunks {
		list, err := AppendAnswer(nil, []byte(c))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			text, _ := unescaped([]byte(c), s.Text)
			all[fmt.Sprint(s.Choice, s.Kind)] += text
		}
	}
	return all
}

func TestWindows(t *testing.T) {
	t.Parallel()
	f := func(s WindowSettings, do func(*Window) (Decision, string, error), chunks, seen, want []string) {
		t.Helper()
		j := &judge{do: do}
		got, err := through(t, s, j, chunks...)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("error %v, chunks -want +got\n%s", err, d)
		}
		if d := cmp.Diff(seen, j.seen); d != "" {
			t.Errorf("windows -want +got\n%s", d)
		}
	}
	d := func(text string) string { return delta(0, "content", text) }
	role := `{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`
	tool := `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}`
	usage := `{"choices":[],"usage":{"total_tokens":3}}`
	// Without a hold-back chunks pass byte for byte.
	f(WindowSettings{}, release, []string{role, d("a"), tool, d("b"), finish(0), usage},
		[]string{"0c[|a]", "0c[|b]"}, []string{role, d("a"), tool, d("b"), finish(0), usage})
	// What is held back follows in a chunk of its own before the finish reason.
	f(WindowSettings{Holdback: 2}, release, []string{d("abcé"), d("fg"), tool, finish(0)},
		[]string{"0c[|abcé]", "0c[ab|céfg]", "0c[cé|fg]."}, []string{d("ab"), d("cé"), tool, d("fg"), finish(0)})
	// A pattern that is split over chunks is caught.
	f(WindowSettings{Holdback: 5}, mask, []string{d("my sec"), d("ret is "), d("out"), finish(0)},
		[]string{"0c[|my sec]", "0c[m|y secret is ]", "0c[my **|* is out]", "0c[*** i|s out]."}, []string{d("m"), d("y **"), d("* i"), d("s out"), finish(0)})
}

// A text is the same in however many chunks it comes, and whatever is held back.
func TestWindowsCatchSplitPatterns(t *testing.T) {
	t.Parallel()
	const text = "my secret is that a secretsecret is no sec ret"
	want := strings.ReplaceAll(text, "secret", "***")
	for size := 1; size < 12; size++ {
		for _, s := range []WindowSettings{{Holdback: 5}, {Holdback: 9, Chars: 7}, {Holdback: 64}, {Holdback: 5, Chars: 20, Wait: 2 * time.Second}} {
			var chunks []string
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				chunks = append(chunks, delta(0, "content", rest[:n]), delta(1, "reasoning_content", rest[:n]))
				rest = rest[n:]
			}
			for _, end := range [][]string{nil, {finish(0), finish(1)}} {
				out, err := through(t, s, &judge{do: mask}, append(chunks[:len(chunks):len(chunks)], end...)...)
				if d := cmp.Diff(map[string]string{"0 content": want, "1 reasoning": want}, said(t, out)); d != "" || err != nil {
					t.Errorf("size %d, %+v: error %v\n%s", size, s, err, d)
				}
			}
		}
	}
}

func TestWindowsDecisions(t *testing.T) {
	t.Parallel()
	d := func(text string) string { return delta(0, "content", text) }
	f := func(do func(*Window) (Decision, string, error), wantErr bool, want map[string]string, chunks ...string) {
		t.Helper()
		out, err := through(t, WindowSettings{}, &judge{do: do}, chunks...)
		if diff := cmp.Diff(want, said(t, out)); diff != "" || (err != nil) != wantErr {
			t.Errorf("error %v, -want +got\n%s", err, diff)
		}
	}
	hold := func(w *Window) (Decision, string, error) {
		if !w.Final && len(w.Text) < 3 {
			return Hold, "", nil
		}
		return Release, "", nil
	}
	f(hold, false, map[string]string{"0 content": "abcde"}, d("a"), d("b"), d("c"), d("d"), d("e"), finish(0))
	f(func(*Window) (Decision, string, error) { return Drop, "", nil }, false, map[string]string{}, d("a"), finish(0))
	f(func(*Window) (Decision, string, error) { return Hold, "", nil }, true, map[string]string{}, d("a"), finish(0))
	f(func(*Window) (Decision, string, error) { return Hold, "", nil }, true, map[string]string{}, d(strings.Repeat("a", maxHeld)), d("b"))
	f(func(w *Window) (Decision, string, error) { return Replace, string(w.Text) + "\"\n", nil }, false,
		map[string]string{"0 content": "a\"\nb\"\n"}, d("a"), d("b"))
	f(release, true, map[string]string{}, `{"choices":[{"delta":{"content":"a","content":"b"}}]}`)
}

// Log probabilities repeat the text, so they do not pass.
func TestWindowsHideLogprobs(t *testing.T) {
	t.Parallel()
	chunk := `{"choices":[{"index":0,"delta":{"content":"secret"},"logprobs":{"content":[{"token":"secret"}]},"finish_reason":"stop"}]}`
	out, err := through(t, WindowSettings{Holdback: 3}, &judge{do: mask}, chunk)
	want := `{"choices":[{"index":0,"delta":{"content":"***"},"logprobs":null,"finish_reason":"stop"}]}`
	if len(out) != 1 || out[0] != want || err != nil {
		t.Errorf("got %v, %v", out, err)
	}
	if got := string(NoLogprobs(nil, []byte(chunk))); strings.Contains(got, "token") || !json.Valid([]byte(got)) {
		t.Errorf("got %s", got)
	}
}

// A chunk with several texts, tool calls and a role keeps all of them.
func TestWindowsMixedChunks(t *testing.T) {
	t.Parallel()
	mixed := `{"id":"c","usage":{"total_tokens":1},"choices":[{"index":0,"delta":{"role":"assistant","content":"abc","reasoning_content":"xyz","tool_calls":[{"id":"1"}]}}]}`
	out, err := through(t, WindowSettings{Holdback: 2}, &judge{do: release}, mixed, finish(0))
	want := []string{
		`{"id":"c","usage":{"total_tokens":1},"choices":[{"index":0,"delta":{"role":"assistant","content":"a","reasoning_content":"x","tool_calls":[{"id":"1"}]}}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"bc"},"finish_reason":null}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"yz"},"finish_reason":null}]}`,
		finish(0),
	}
	if d := cmp.Diff(want, out); d != "" || err != nil {
		t.Errorf("error %v, -want +got\n%s", err, d)
	}
	out, err = through(t, WindowSettings{Holdback: 1}, &judge{do: release}, `{"object":"text_completion","choices":[{"index":0,"text":"ab"},{"index":1,"text":"cd"}]}`)
	want = []string{
		`{"object":"text_completion","choices":[{"index":0,"text":"a"},{"index":1,"text":"c"}]}`,
		`{"object":"text_completion","choices":[{"index":0,"text":"b","finish_reason":null}]}`,
		`{"object":"text_completion","choices":[{"index":1,"text":"d","finish_reason":null}]}`,
	}
	if d := cmp.Diff(want, out); d != "" || err != nil {
		t.Errorf("error %v, -want +got\n%s", err, d)
	}
}

// FuzzWindows puts foreign bytes through and looks for anything that a judge who drops everything let out.
func FuzzWindows(f *testing.F) {
	f.Add([]byte(delta(0, "content", "abc")), []byte(finish(0)), 2)
	f.Add([]byte(`{"choices":[{"text":"a\n","logprobs":{},"finish_reason":"x"}]}`), []byte(`{`), 0)
	f.Fuzz(func(t *testing.T, a, b []byte, hold int) {
		w := NewWindows(WindowSettings{Holdback: hold & 63}, &judge{do: func(*Window) (Decision, string, error) { return Drop, "", nil }})
		for _, chunk := range [][]byte{a, b} {
			if w.Put(chunk, time.Time{}) != nil {
				return
			}
			for out := w.Take(); out != nil; out = w.Take() {
				if json.Valid(chunk) && !json.Valid(out) {
					t.Fatalf("%s became %s", chunk, out)
				}
				list, err := AppendAnswer(nil, out)
				for _, s := range list {
					if s.Text.End-s.Text.Start > 2 || err != nil {
						t.Fatalf("%s left of %s, %v", out, chunk, err)
					}
				}
			}
		}
		_ = w.End()
	})
}

type releaser struct{}

func (releaser) Judge(*Window) (Decision, string, error) { return Release, "", nil }

func BenchmarkWindows(b *testing.B) {
	chunk := []byte(`{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" Hello"},"logprobs":null,"finish_reason":null}]}`)
	w := NewWindows(WindowSettings{Holdback: 32}, releaser{})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Put(chunk, now); err != nil {
			b.Fatal(err)
		}
		w.Take()
	}
}

// Text that nobody judged is due when its oldest part is old enough, and goes out without another chunk: but for what is
// held back, and once.
func TestWindowsLate(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.Unix(100, 0).Add(time.Duration(ms) * time.Millisecond) }
	j := &judge{do: mask}
	w := NewWindows(WindowSettings{Chars: 100, Wait: 50 * time.Millisecond, Holdback: 3}, j)
	put := func(ms int, chunk string) {
		t.Helper()
		if err := w.Put([]byte(chunk), at(ms)); err != nil {
			t.Fatal(err)
		}
	}
	late := func(ms int, want string) {
		t.Helper()
		if err := w.Late(at(ms)); err != nil {
			t.Fatal(err)
		}
		got := ""
		for b := w.Take(); b != nil; b = w.Take() {
			for _, text := range said(t, []string{string(b)}) {
				got += text
			}
		}
		if got != want {
			t.Errorf("after %d ms %q went out, want %q", ms, got, want)
		}
	}
	due := func(want time.Time) {
		t.Helper()
		if d, ok := w.Due(); ok == want.IsZero() || ok && !d.Equal(want) {
			t.Errorf("due %v %v, want %v", d, ok, want)
		}
	}
	due(time.Time{})
	put(0, delta(0, "content", "a secret "))
	put(20, delta(1, "content", "other"))
	due(at(50))
	late(49, "")
	late(50, "a *")
	due(at(70))
	late(70, "ot")
	due(time.Time{})
	late(500, "")
	put(600, delta(0, "content", "sec"))
	due(at(650))
	put(640, delta(0, "content", "ret!"))
	late(650, "** *")
	due(time.Time{})
	if err := w.End(); err != nil || string(w.Take()) == "" {
		t.Error(err)
	}
	if _, ok := NewWindows(WindowSettings{Chars: 9}, j).Due(); ok {
		t.Error("due without a time")
	}
}
