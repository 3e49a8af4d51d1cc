package sallyport

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// started returns a guest that was configured with the values.
func started(t *testing.T, values map[string]any, construct func(*Config) (Hooks, error), hooks ...abi.Hook) (*guest, string) {
	t.Helper()
	g := newGuest("", construct)
	view := abi.AppendText(abi.AppendNumber(nil, abi.TagMinor, 0), abi.TagName, "test")
	for _, h := range hooks {
		view = abi.AppendNumber(view, abi.TagHook, uint64(h))
	}
	view, err := abi.AppendMap(view, abi.TagConfig, values)
	if err != nil {
		t.Fatal(err)
	}
	return g, failure(g.call(abi.HookConfigure, view))
}

// failure returns the reason in a result that is VerdictFail.
func failure(out []byte) string {
	reason := ""
	for r := (abi.Reader{Rest: out}); r.Next(); {
		if r.Tag == abi.TagReason {
			reason = string(r.Value)
		}
	}
	return reason
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	construct := func(c *Config) (Hooks, error) {
		if c.Name() != "test" {
			t.Errorf("name %q", c.Name())
		}
		c.Strings("words")
		c.Int("limit", 3)
		for _, b := range c.Blocks("keys") {
			b.Bool("on", true)
		}
		if c.String("mode", "") == "bad" {
			return Hooks{}, errors.New("mode is bad")
		}
		return Hooks{Request: func(*Request) Verdict { return Continue() }}, nil
	}
	says := func(want string, values map[string]any, hooks ...abi.Hook) {
		t.Helper()
		if _, got := started(t, values, construct, hooks...); got != want {
			t.Errorf("%v: got %q, want %q", values, got, want)
		}
	}
	says("", nil)
	says("", map[string]any{"words": []any{"a"}, "limit": 4.0, "keys": []any{map[string]any{"on": false}}}, abi.HookRequest)
	says("", map[string]any{"words": "a", "limit": nil})
	says(`setting "words" must be a list of texts`, map[string]any{"words": true})
	says(`setting "words[1]" must be text`, map[string]any{"words": []any{"a", 1}})
	says(`setting "limit" must be a whole number`, map[string]any{"limit": 1.5})
	says(`setting "keys" must be a list of objects`, map[string]any{"keys": "x"})
	says(`setting "keys[0]" must be an object`, map[string]any{"keys": []any{"x"}})
	says(`setting "keys[0].on" must be true or false`, map[string]any{"keys": []any{map[string]any{"on": 1}}})
	says(`unknown setting "keys[0].of": the settings are on`, map[string]any{"keys": []any{map[string]any{"of": true}}})
	says(`unknown setting "word": the settings are words, limit, keys, mode`, map[string]any{"word": "a"})
	says("mode is bad", map[string]any{"mode": "bad", "word": "a"})
	says("the manifest names the hook auth, which the plugin does not return", nil, abi.HookAuth)
}

func TestUnknownHook(t *testing.T) {
	t.Parallel()
	g, _ := started(t, nil, func(*Config) (Hooks, error) { return Hooks{}, nil })
	if got := failure(g.call(abi.HookRequest, nil)); got != "the plugin has no hook request" {
		t.Errorf("got %q", got)
	}
}

func view() []byte {
	b := abi.AppendText(nil, abi.TagRequestID, "id")
	b = abi.AppendText(b, abi.TagModel, "m")
	b = abi.AppendNumber(b, abi.TagStream, 1)
	b = abi.AppendText(b, abi.TagUserID, "u")
	b = abi.AppendText(b, 999, "from a newer host")
	b = abi.AppendText(b, abi.TagMessage, "system")
	b = abi.AppendText(b, abi.TagMessage, "user")
	b = abi.AppendText(b, abi.TagText, "one")
	b = abi.AppendText(b, abi.TagText, "two")
	return b
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var seen Request
	do := func(*Request) Verdict { return Continue() }
	g, _ := started(t, nil, func(*Config) (Hooks, error) {
		return Hooks{Request: func(r *Request) Verdict {
			seen = *r
			seen.Texts = slices.Clone(r.Texts)
			return do(r)
		}}, nil
	})
	if out := g.call(abi.HookRequest, view()); out != nil {
		t.Errorf("continue returns %v", out)
	}
	want := Request{ID: "id", Model: "m", Stream: true, Caller: Caller{UserID: "u"}, Texts: []Text{{Role: "user", Message: 1, Text: "one"}, {Role: "user", Message: 1, Text: "two"}}}
	if diff := cmp.Diff(want, seen, cmp.AllowUnexported(Request{}, Text{}, More{}, Extras{}, changes{}, mark{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	result := func(f func(*Request) Verdict, want []byte) {
		t.Helper()
		do = f
		if got := g.call(abi.HookRequest, view()); string(got) != string(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	edited := abi.AppendNumber(nil, abi.TagVerdict, uint64(abi.VerdictEdit))
	edited, mark := abi.Open(edited, abi.TagEdit)
	edited = abi.Close(abi.AppendText(abi.AppendNumber(edited, abi.TagIndex, 1), abi.TagText, "2"), mark)
	result(func(r *Request) Verdict { r.Texts[1].Replace("2"); return Continue() }, edited)
	result(func(r *Request) Verdict { r.Texts[1].Replace("2"); r.SetModel("n"); return Continue() }, abi.AppendText(edited, abi.TagModel, "n"))
	rejected := abi.AppendNumber(abi.AppendNumber(nil, abi.TagVerdict, uint64(abi.VerdictReject)), abi.TagStatus, 403)
	result(func(r *Request) Verdict { r.Texts[1].Replace("2"); return Reject(403, "no") }, abi.AppendText(rejected, abi.TagReason, "no"))
	answered := abi.AppendNumber(nil, abi.TagVerdict, uint64(abi.VerdictRespond))
	result(func(*Request) Verdict { return Respond("hi") }, abi.AppendText(answered, abi.TagReply, "hi"))
	failed := abi.AppendNumber(nil, abi.TagVerdict, uint64(abi.VerdictFail))
	result(func(*Request) Verdict { return Fail(errors.New("e")) }, abi.AppendText(failed, abi.TagReason, "e"))
}

func TestContinueAllocatesNothing(t *testing.T) {
	g, _ := started(t, nil, func(*Config) (Hooks, error) {
		return Hooks{Request: func(r *Request) Verdict {
			for i := range r.Texts {
				if strings.Contains(r.Texts[i].Text, "three") {
					return Reject(400, "three")
				}
			}
			return Continue()
		}}, nil
	})
	v := view()
	if n := testing.AllocsPerRun(100, func() {
		if g.call(abi.HookRequest, v) != nil {
			t.Fatal("rejected")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMore(t *testing.T) {
	t.Parallel()
	r := (&Request{}).With(More{
		Headers: map[string]string{"X-A": "1"}, Values: map[string]string{"metadata.k": "v"}, RawBody: []byte("{}"),
		Metadata: map[string]any{"tier": 1},
	})
	h, ok1 := r.Header("x-a")
	v, ok2 := r.Value("metadata.k")
	_, ok3 := r.JSON("metadata.none")
	m, err := r.Metadata()
	if h != "1" || v != "v" || !ok1 || !ok2 || ok3 || string(r.Body()) != "{}" || m["tier"] != 1 || err != nil {
		t.Errorf("got %q %v, %q %v, %v, %s, %v %v", h, ok1, v, ok2, ok3, r.Body(), m, err)
	}
}

// FuzzDecode gives both hooks foreign views. They must not panic, nor find more texts than there are bytes for.
func FuzzDecode(f *testing.F) {
	f.Add(view())
	f.Add([]byte{48, 0, 1, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		if err := r.decode(b, r.fields()); err == nil && len(r.Texts)*abi.HeaderSize > len(b) {
			t.Fatalf("%d texts in %d bytes", len(r.Texts), len(b))
		}
		_ = (&AuthRequest{}).decode(b)
		_ = (&guest{construct: func(*Config) (Hooks, error) { return Hooks{}, nil }}).call(abi.HookConfigure, b)
	})
}
