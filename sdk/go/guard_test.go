package sallyport

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// about is what every view of these hooks begins with.
func about() []byte {
	b := abi.AppendText(nil, abi.TagRequestID, "id")
	b = abi.AppendText(b, abi.TagModel, "m")
	b = abi.AppendText(b, abi.TagUserID, "u")
	b = abi.AppendText(b, abi.TagTag, "t")
	b = abi.AppendText(b, abi.TagState, "kept")
	b = abi.AppendText(b, 999, "from a newer host")
	return b
}

func verdict(kind abi.Verdict) []byte { return abi.AppendNumber(nil, abi.TagVerdict, uint64(kind)) }

func edit(dst []byte, index int, text string) []byte { return appendEdit(dst, index, text) }

// runs has a guest with the hooks run one of them.
func runs(t *testing.T, h Hooks, hook abi.Hook, view, want []byte) {
	t.Helper()
	g, failed := started(t, nil, func(*Config) (Hooks, error) { return h, nil }, hook)
	if failed != "" {
		t.Fatal(failed)
	}
	if got := g.call(hook, view); string(got) != string(want) {
		t.Errorf("%s: got %v, want %v", hook, got, want)
	}
}

func TestRequestChanges(t *testing.T) {
	t.Parallel()
	pair := func(dst []byte, tag abi.Tag, name, value string) []byte {
		dst, mark := abi.Open(dst, tag)
		return abi.Close(abi.AppendText(abi.AppendText(dst, abi.TagKey, name), abi.TagText, value), mark)
	}
	want := pair(verdict(abi.VerdictEdit), abi.TagSetJSON, "a.b", "[1]")
	want = pair(want, abi.TagSetJSON, "c", `"x\u000a\"\\é"`)
	want = abi.AppendText(want, abi.TagRemove, "d")
	want = pair(want, abi.TagSetHeader, "x-a", "b")
	want = abi.AppendText(want, abi.TagTag, "new")
	want, err := abi.AppendMap(want, abi.TagCallerMetadata, map[string]any{"k": int64(1)})
	if err != nil {
		t.Fatal(err)
	}
	want = abi.AppendText(want, abi.TagState, "s")
	runs(t, Hooks{Request: func(r *Request) Verdict {
		if string(r.State) != "kept" || !slices.Equal(r.Tags, []string{"t"}) {
			t.Errorf("state %q, tags %v", r.State, r.Tags)
		}
		r.SetJSON("a.b", "[1]")
		r.SetValue("c", "x\n\"\\é")
		r.Remove("d")
		r.SetHeader("x-a", "b")
		r.AddTag("new")
		r.SetMetadata("k", 1)
		r.SetState([]byte("s"))
		return Continue()
	}}, abi.HookRequest, about(), want)
	runs(t, Hooks{Request: func(r *Request) Verdict { r.SetState([]byte("s")); return Continue() }}, abi.HookRequest, about(),
		abi.AppendText(verdict(abi.VerdictContinue), abi.TagState, "s"))
	runs(t, Hooks{Request: func(*Request) Verdict { return RespondFiltered("no") }}, abi.HookRequest, about(),
		abi.AppendText(abi.AppendText(verdict(abi.VerdictRespond), abi.TagReply, "no"), abi.TagFinish, "content_filter"))
	runs(t, Hooks{Moderation: func(*Request) Verdict { return Reject(400, "no") }}, abi.HookModeration, about(),
		abi.AppendText(abi.AppendNumber(verdict(abi.VerdictReject), abi.TagStatus, 400), abi.TagReason, "no"))
}

func TestResponse(t *testing.T) {
	t.Parallel()
	view := abi.AppendNumber(about(), abi.TagTotalTokens, 7)
	view = abi.AppendText(view, abi.TagFinish, "stop")
	view = abi.AppendText(abi.AppendText(abi.AppendNumber(view, abi.TagChoice, 0), abi.TagMessage, "assistant"), abi.TagText, "a")
	view = abi.AppendText(abi.AppendText(abi.AppendNumber(view, abi.TagChoice, 2), abi.TagTextKind, "refusal"), abi.TagText, "b")
	runs(t, Hooks{Response: func(r *Response) Verdict {
		want := []Answer{{Choice: 0, Kind: "content", Role: "assistant", Text: "a"}, {Choice: 2, Kind: "refusal", Text: "b"}}
		if d := cmp.Diff(want, r.Texts, cmp.AllowUnexported(Answer{})); d != "" || r.TotalTokens != 7 || r.Finish != "stop" || r.ID != "id" || r.Caller.UserID != "u" {
			t.Errorf("%+v\n%s", r, d)
		}
		r.Texts[1].Replace("B")
		return Continue()
	}}, abi.HookResponse, view, edit(verdict(abi.VerdictEdit), 1, "B"))
}

func TestWindow(t *testing.T) {
	view := abi.AppendText(abi.AppendNumber(about(), abi.TagChoice, 3), abi.TagTextKind, "reasoning")
	view = abi.AppendNumber(abi.AppendNumber(abi.AppendText(view, abi.TagContext, "before"), abi.TagFresh, 2), abi.TagFinal, 1)
	view = abi.AppendText(view, abi.TagText, "seen new")
	f := func(want []byte, do func(*Window) Verdict) {
		t.Helper()
		runs(t, Hooks{Stream: func(w *Window) Verdict {
			if w.Choice != 3 || w.Kind != "reasoning" || w.Context != "before" || w.New() != "en new" || !w.Final || string(w.State) != "kept" || w.Model != "m" {
				t.Errorf("%+v", w)
			}
			return do(w)
		}}, abi.HookStreamChunk, view, want)
	}
	f(nil, func(*Window) Verdict { return Continue() })
	f(edit(verdict(abi.VerdictEdit), 0, "x"), func(w *Window) Verdict { w.Replace("x"); return Continue() })
	f(verdict(abi.VerdictHold), func(*Window) Verdict { return Hold() })
	f(abi.AppendText(verdict(abi.VerdictDrop), abi.TagState, "s"), func(w *Window) Verdict { w.SetState([]byte("s")); return Drop() })
	g, _ := started(t, nil, func(*Config) (Hooks, error) { return Hooks{Stream: func(*Window) Verdict { return Continue() }}, nil })
	if n := testing.AllocsPerRun(100, func() { g.call(abi.HookStreamChunk, view) }); n != 0 {
		t.Errorf("a window that passes allocates %v times", n)
	}
	if got := failure(g.call(abi.HookStreamChunk, abi.AppendText(nil, abi.TagFresh, "x"))); got != abi.ErrValue.Error() {
		t.Errorf("got %q", got)
	}
}

func TestStreamEndAndFailure(t *testing.T) {
	t.Parallel()
	runs(t, Hooks{StreamEnd: func(s *StreamEnd) Verdict {
		if !s.Left || s.Finish != "length" {
			t.Errorf("%+v", s)
		}
		return Continue()
	}}, abi.HookStreamEnd, abi.AppendText(abi.AppendNumber(about(), abi.TagLeft, 1), abi.TagFinish, "length"), nil)
	view := abi.AppendText(abi.AppendNumber(abi.AppendText(about(), abi.TagErrorKind, "timeout"), abi.TagStatus, 408), abi.TagReason, "slow")
	want := abi.AppendText(abi.AppendNumber(verdict(abi.VerdictEdit), abi.TagStatus, 503), abi.TagReason, "later")
	runs(t, Hooks{Failure: func(f *Failure) Verdict {
		if f.Kind != "timeout" || f.Status != 408 || f.Message != "slow" {
			t.Errorf("%+v", f)
		}
		f.Rewrite(503, "later")
		return Continue()
	}}, abi.HookFailure, view, want)
	runs(t, Hooks{Failure: func(*Failure) Verdict { return Continue() }}, abi.HookFailure, view, nil)
}

// Params of a test come back as the gateway would give them.
func TestParams(t *testing.T) {
	t.Parallel()
	var r Request
	r.WithParams(map[string]any{"level": 2}, nil)
	params, err := r.Params()
	meta, err2 := r.RequestMetadata()
	if params["level"] != int64(2) || err != nil || meta != nil || err2 != nil {
		t.Errorf("%v %v %v %v", params, err, meta, err2)
	}
}

// FuzzGuard gives the hooks foreign views. They must not panic.
func FuzzGuard(f *testing.F) {
	f.Add(about())
	f.Add(abi.AppendNumber(about(), abi.TagFresh, 1<<62))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = (&Response{}).decode(b)
		w := &Window{}
		if w.decode(b, w.fields()) == nil {
			_ = w.New()
		}
		_ = (&StreamEnd{}).decode(b)
		_ = (&Failure{}).decode(b)
	})
}
