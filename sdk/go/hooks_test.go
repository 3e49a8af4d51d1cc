package sallyport

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// run calls a hook natively and describes its result.
func run(h Hooks, hook abi.Hook, view []byte) string {
	g := newGuest("", nil)
	g.hooks = h
	return describe(abi.Reader{Rest: g.call(hook, view)})
}

func describe(r abi.Reader) string {
	var parts []string
	for r.Next() {
		switch {
		case r.Flags&abi.FlagNested != 0:
			parts = append(parts, fmt.Sprintf("%d(%s)", r.Tag, describe(r.Inside())))
		case r.Tag == abi.TagVerdict, r.Tag == abi.TagIndex, r.Tag == abi.TagStatus, r.Tag == abi.TagOrdered, r.Tag == abi.TagReplace, r.Tag >= abi.TagPromptTokens && r.Tag <= abi.TagReasoningTokens:
			parts = append(parts, fmt.Sprintf("%d=%d", r.Tag, r.Number()))
		default:
			parts = append(parts, fmt.Sprintf("%d=%s", r.Tag, r.Value))
		}
	}
	if r.Err != nil {
		parts = append(parts, r.Err.Error())
	}
	return strings.Join(parts, " ")
}

func TestFurtherHooks(t *testing.T) {
	t.Parallel()
	f := func(h Hooks, hook abi.Hook, view []byte, want string) {
		t.Helper()
		if got := run(h, hook, view); got != want {
			t.Errorf("%s: got %s\nwant %s", hook, got, want)
		}
	}
	text := func(tag abi.Tag, s string) []byte { return abi.AppendText(nil, tag, s) }
	boom := errors.New("boom")

	record, mark := abi.Open(nil, abi.TagRecord)
	record = abi.Close(abi.AppendNumber(abi.AppendText(record, abi.TagModel, "m"), abi.TagStart, 1_000_000), mark)
	batch := append(record, record...)
	seen := ""
	log := Hooks{Log: func(b *LogBatch) error {
		seen = fmt.Sprint(len(b.Records), b.Records[1].Model, b.Records[1].Start.Unix(), b.Records[1].Failed())
		b.Retry(1)
		return nil
	}}
	f(log, abi.HookLog, batch, "64=1 68=1")
	if seen != "2m1 false" {
		t.Errorf("saw %s", seen)
	}
	f(Hooks{Log: func(*LogBatch) error { return nil }}, abi.HookLog, batch, "")
	f(Hooks{Log: func(*LogBatch) error { return boom }}, abi.HookLog, batch, "64=5 66=boom")
	f(log, abi.HookLog, batch[:len(batch)-1], "64=5 66=abi: a record is cut off")
	f(Hooks{Tick: func() error { return nil }}, abi.HookTick, nil, "")
	f(Hooks{Tick: func() error { return boom }}, abi.HookTick, nil, "64=5 66=boom")
	f(Hooks{}, abi.HookTick, nil, "64=5 66=the plugin has no hook tick")

	route := func(v RouteVerdict) Hooks { return Hooks{Route: func(*RouteRequest) RouteVerdict { return v }} }
	f(route(AnyDeployment()), abi.HookRoute, nil, "")
	f(route(Only()), abi.HookRoute, nil, "64=1")
	f(route(InOrder("b", "a")), abi.HookRoute, nil, "64=1 191=1 161=b 161=a")
	f(route(FailRoute(boom)), abi.HookRoute, nil, "64=5 66=boom")

	prompt := func(v PromptVerdict) Hooks {
		return Hooks{Prompt: func(*PromptRequest) PromptVerdict { return v }}
	}
	f(prompt(UsePrompt(&Prompt{Messages: []Message{{"system", "hi"}}, Replace: true, Model: "m", Params: map[string]any{"n": "x"}})),
		abi.HookPrompt, text(abi.TagPromptID, "p"), "64=1 21=m 48=system 49=hi 197=1 196(96=n 97=x)")
	f(prompt(NoPrompt(404, "none")), abi.HookPrompt, nil, "64=2 65=404 66=none")
	f(prompt(UsePrompt(nil)), abi.HookPrompt, nil, "64=5 66=the plugin supplied no prompt")
	f(prompt(UsePrompt(&Prompt{Params: map[string]any{"n": boom}})), abi.HookPrompt, nil,
		"64=5 66=abi: the value of n is neither text, number, boolean, list nor map with text keys")

	key := func(v KeyVerdict) Hooks { return Hooks{KeyGenerate: func(*KeyRequest) KeyVerdict { return v }} }
	f(key(AllowKey()), abi.HookKeyGenerate, nil, "")
	f(key(RefuseKey("no")), abi.HookKeyGenerate, nil, "64=2 65=403 66=no")
	f(key(EditKey(map[string]any{"a": "b"})), abi.HookKeyGenerate, nil, "64=1 196(96=a 97=b)")

	sso := func(v SSOVerdict) Hooks {
		return Hooks{SSOBegin: func(*SSORequest) SSOVerdict { return v }, SSOCallback: func(*SSORequest) SSOVerdict { return SSODefault() }}
	}
	f(sso(Redirect("https://x")), abi.HookSSOBegin, nil, "64=3 201=https://x")
	f(sso(SignIn(&User{ID: "u", Models: []string{"m"}})), abi.HookSSOBegin, nil, "64=4 70(27=u 34=m)")
	f(sso(SignIn(nil)), abi.HookSSOBegin, nil, "64=5 66=the plugin signed in a nil user")
	f(sso(SignIn(nil)), abi.HookSSOCallback, nil, "")
}

func TestProviderHook(t *testing.T) {
	t.Parallel()
	f := func(phase abi.Phase, o Outgoing, r Reading, want string) {
		t.Helper()
		h := Hooks{Provider: Provider{
			Encode: func(*ProviderRequest) Outgoing { return o }, Decode: func(*ProviderAnswer) Reading { return r },
		}}
		if got := run(h, abi.HookProvider, abi.AppendNumber(nil, abi.TagPhase, uint64(phase))); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	body := AppendJSON(nil, "a\"\\\n\x01é")
	f(abi.PhaseEncode, Call("POST", "https://h/p", body).Header("A", "b"), Reading{}, `64=1 18=POST 201=https://h/p 36(96=A 49=b) 202="a\"\\\n\u0001é"`)
	f(abi.PhaseEncode, Outgoing{}, Reading{}, "64=5 66=the plugin made no call")
	f(abi.PhaseEncode, RefuseCall(400, "no"), Reading{}, "64=2 65=400 66=no")
	f(abi.PhaseEncode, AnswerWith(Reading{Text: "hi"}), Reading{}, "64=3 223(49=hi)")
	f(abi.PhaseWhole, Outgoing{}, Reading{}, "")
	f(abi.PhaseEvent, Outgoing{}, Reading{State: []byte("s")}, "64=1 222=s")
	f(abi.PhaseEvent, Outgoing{}, Reading{JSON: "{}"}, "64=1 182={}")
	f(abi.PhaseEvent, Outgoing{}, Reading{ToolCalls: []ToolCall{{1, "id", "f", "{}"}}, Finish: "stop", Usage: &Usage{Prompt: 1}},
		"64=1 223(224(68=1 225=id 96=f 49={}) 174=stop 168=1 169=0 170=0 171=0 172=0)")
	f(abi.PhaseWhole, Outgoing{}, VendorError(429, "slow"), "64=2 65=429 66=slow")
	f(abi.PhaseEnd, Outgoing{}, FailReading(errors.New("odd")), "64=5 66=odd")
}

// No view makes a hook panic.
func FuzzFurtherHooks(f *testing.F) {
	h := Hooks{
		Log: func(b *LogBatch) error {
			for i := range b.Records {
				_, _ = b.Records[i].Metadata()
			}
			return nil
		},
		Route:       func(r *RouteRequest) RouteVerdict { return AnyDeployment() },
		Prompt:      func(*PromptRequest) PromptVerdict { return NoPrompt(400, "") },
		Provider:    Provider{func(*ProviderRequest) Outgoing { return Outgoing{} }, func(*ProviderAnswer) Reading { return Reading{} }},
		KeyGenerate: func(*KeyRequest) KeyVerdict { return AllowKey() },
		SSOCallback: func(*SSORequest) SSOVerdict { return SSODefault() },
	}
	f.Add(abi.AppendText(nil, abi.TagRecord, abi.AppendText(nil, abi.TagModel, "m")))
	f.Fuzz(func(_ *testing.T, view []byte) {
		for _, hook := range []abi.Hook{abi.HookLog, abi.HookRoute, abi.HookPrompt, abi.HookProvider, abi.HookKeyGenerate, abi.HookSSOCallback} {
			run(h, hook, view)
		}
	})
}
