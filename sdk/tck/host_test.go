package tck_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/dump"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
	"github.com/sallyport-ai/sallyport/sdk/tck"
)

// host is the gateway's host with the kit's guest, and what crossed the border last.
type host struct {
	t     *testing.T
	p     *wasm.Plugin
	view  []byte
	names dump.Names
}

func newHost(t *testing.T) *host {
	t.Helper()
	names, err := dump.TagNames()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, names: names}
	h.p = plugintest.Load(t, wasm.Settings{
		Path: plugintest.Build(t, "guests/go"), Trace: func(c wasm.Traced) { h.view = bytes.Clone(c.View) },
	}).Plugin
	return h
}

// sent compares the view that the host sent with a golden one, in which the id of the request is another.
func (h *host) sent(x *llm.Exchange, hook abi.Hook, name string) {
	h.t.Helper()
	cases, err := tck.Cases()
	if err != nil {
		h.t.Fatal(err)
	}
	i := find(cases, tck.Case{Hook: hook, Name: name})
	if i < 0 {
		h.t.Fatalf("there is no case %s %s", hook, name)
	}
	_, rest, _ := bytes.Cut(cases[i].View, []byte("id-1"))
	want := append(abi.AppendText(nil, abi.TagRequestID, x.ID[:]), rest...)
	if diff := cmp.Diff(dump.Format(want, h.names), dump.Format(h.view, h.names)); diff != "" {
		h.t.Errorf("the host's view of %s %s: -golden +host\n%s", hook, name, diff)
	}
}

func request(t *testing.T, model string) *llm.Exchange {
	body := `{"model":"` + model + `","messages":[{"role":"system","content":"be brief"},{"role":"assistant","content":null},` +
		`{"role":"user","content":[{"type":"text","text":"one \"quoted\""},{"type":"text","text":"zw\u00f6lf\n"}]}]}`
	x := plugintest.Exchange(t, llm.OpChat, []byte(body))
	x.Path, x.Remote, x.Streamed = "/v1/chat/completions", "192.0.2.1", true
	return x
}

// TestHostSendsGoldenViews makes exchanges in which everything is known that the golden views hold.
func TestHostSendsGoldenViews(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	g := h.p.Guardrail(wasm.GuardSettings{Respond: openai.FinishedReply})
	for _, model := range []string{"continue", "reject", "fail", "edit", "state"} {
		x := request(t, model)
		_, _ = g.Before(&x.Life, x) // the guest's verdict is the other side's business
		h.sent(x, abi.HookRequest, model)
		x = request(t, model)
		_, _ = g.During(&x.Life, x)
		h.sent(x, abi.HookModeration, model)
	}
	a, err := h.p.Authenticator(wasm.ModeAuto)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"allow", "refuse"} {
		x := plugintest.Exchange(t, llm.OpNone, nil)
		x.Path, x.Remote, x.Model = "/v1/models", "192.0.2.1", "m"
		for _, f := range [][2]string{{"x-given", "g"}, {"x-other", ""}} {
			x.Header = append(x.Header, llm.Field{Name: []byte(f[0]), Value: []byte(f[1])})
		}
		_, _ = a.Authenticate(&x.Life, x, auth.Credential{Key: []byte(key), Raw: []byte("Bearer " + key), Present: true})
		h.sent(x, abi.HookAuth, key)
	}
}

// TestHostTakesGoldenResults shows what the gateway makes of the verdicts of the request and auth hooks.
func TestHostTakesGoldenResults(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	g := h.p.Guardrail(wasm.GuardSettings{Name: "g", Respond: openai.FinishedReply})
	run := func(model, body string) (*llm.Exchange, *llm.Reply, *llm.Error) {
		t.Helper()
		x := plugintest.Exchange(t, llm.OpChat, []byte(body))
		x.Model = model
		reply, err := g.Before(&x.Life, x)
		return x, reply, llm.AsError(err)
	}
	const body = `{"model":"m","messages":[{"role":"user","content":"hello"}],"a":{"b":2},"d":3}`
	if x, reply, err := run("continue", body); reply != nil || err != nil || string(x.Body.Raw()) != body {
		t.Errorf("continue: %v %v %s", reply, err, x.Body.Raw())
	}
	if _, _, err := run("reject", body); err == nil || err.Status != 499 || err.Message != "no" {
		t.Errorf("reject: %v", err)
	}
	if _, _, err := run("fail", body); err == nil || err.HTTPStatus() != 500 || strings.Contains(err.Message, "failed:") {
		t.Errorf("fail: %v", err)
	}
	if _, reply, err := run("respond", body); err != nil || reply == nil || !strings.Contains(string(reply.First.Data), `"hi"`) {
		t.Errorf("respond: %v %v", reply, err)
	}
	if x, _, err := run("edit", body); err != nil || x.Model != "other" || !strings.Contains(string(x.Body.Raw()), `"hello!"`) {
		t.Errorf("edit: %v %s %s", err, x.Model, x.Body.Raw())
	}
	x, _, err := run("change", body)
	if got := string(x.Body.Raw()); err != nil || !strings.Contains(got, `"b":[1]`) || !strings.Contains(got, `"c":"x\"\\\u000a"`) || strings.Contains(got, `"d"`) {
		t.Errorf("change: %v %s", err, got)
	}
	if string(x.State("g")) != "kept" || string(x.Header.Get("x-a")) != "1" {
		t.Errorf("change: state %q, header %q", x.State("g"), x.Header.Get("x-a"))
	}
}

// TestHostTakesGoldenPrincipal shows what the gateway makes of a principal with limits.
func TestHostTakesGoldenPrincipal(t *testing.T) {
	t.Parallel()
	a, err := newHost(t).p.Authenticator(wasm.ModeOn)
	if err != nil {
		t.Fatal(err)
	}
	x := plugintest.Exchange(t, llm.OpChat, nil)
	p, err := a.Authenticate(&x.Life, x, auth.Credential{Key: []byte("limits"), Raw: []byte("Bearer limits"), Present: true})
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMicro(1_700_000_000_000_001).UTC()
	limits := func(k llm.ScopeKind, model string, l llm.Limits, b llm.Budget) llm.Allowance {
		return llm.Allowance{Kind: k, Model: model, Limits: l, Budget: b}
	}
	none := llm.Budget{}
	want := &llm.Principal{
		KeyHash: p.KeyHash, CountAs: p.CountAs, UserID: "user", TeamID: "team", OrgID: "org", OrgName: "org-alias", Expires: at,
		Blocked: true, TeamBlocked: true, TeamModels: []string{"m1", "m2"}, AllowedRoutes: []string{"llm_api_routes", "/key/info"},
		Aliases: map[string]string{"a": "m1", "b": "m2"}, CacheControls: []string{"ttl", "no-cache"}, Region: "eu",
		Tags: []string{"red", "blue"}, Guardrails: []string{"g1", "g2"}, Metadata: map[string]any{"guardrails": []any{"g1", "g2"}},
		Allowances: []llm.Allowance{
			limits(llm.ScopeKey, "", llm.Limits{TPM: 1, RPM: 2, Parallel: 3}, llm.Budget{Limited: true, Max: 4.5, Soft: 3.5, Before: 0.25, Duration: "30d", ResetAt: at}),
			limits(llm.ScopeUser, "", llm.Limits{RPM: llm.Nothing}, none), limits(llm.ScopeTeam, "", llm.Limits{}, llm.Budget{Limited: true}),
			limits(llm.ScopeTeamMember, "", llm.Limits{TPM: 10}, none), limits(llm.ScopeOrganization, "", llm.Limits{Parallel: 11}, none),
			limits(llm.ScopeEndUser, "", llm.Limits{RPM: 12}, none), limits(llm.ScopeModelPerKey, "m1", llm.Limits{RPM: 13}, none),
			limits(llm.ScopeModelPerKey, "m2", llm.Limits{RPM: 14}, none), limits(llm.ScopeModelPerTeam, "m1", llm.Limits{TPM: 15}, none),
			limits(llm.ScopeModelPerOrg, "m1", llm.Limits{TPM: 16}, none), limits(llm.ScopeModelPerUser, "m1", llm.Limits{}, llm.Budget{Limited: true, Max: 17}),
		},
	}
	for i, of := range []string{abi.LimitOfKey, abi.LimitOfUser, abi.LimitOfTeam, abi.LimitOfTeamMember, abi.LimitOfOrganization, abi.LimitOfEndUser} {
		if l := plugintest.Limit(p, of, ""); l != &p.Allowances[i] {
			t.Errorf("the limit of the %s is %+v", of, l)
		}
	}
	for model, of := range map[string]string{"m2": abi.LimitOfKey, "m1": abi.LimitOfEndUser} {
		if l := plugintest.Limit(p, of, model); l == nil || l.Model != model {
			t.Errorf("the limit of the %s for %s is %+v", of, model, l)
		}
	}
	if l := plugintest.Limit(p, abi.LimitOfTeam, "m9"); l != nil {
		t.Errorf("a limit that nobody gave: %+v", l)
	}
	if diff := cmp.Diff(want, p); diff != "" || len(p.KeyHash) != 64 || len(p.CountAs) != 64 || p.CountAs == p.KeyHash {
		t.Errorf("counted as %s, -want +got\n%s", p.CountAs, diff)
	}
}

// TestHostTakesGoldenRights shows what the gateway makes of what else a principal may do.
func TestHostTakesGoldenRights(t *testing.T) {
	t.Parallel()
	a, err := newHost(t).p.Authenticator(wasm.ModeOn)
	if err != nil {
		t.Fatal(err)
	}
	x := plugintest.Exchange(t, llm.OpChat, nil)
	p, err := a.Authenticate(&x.Life, x, auth.Credential{Key: []byte("rights"), Raw: []byte("Bearer rights"), Present: true})
	if err != nil {
		t.Fatal(err)
	}
	want := &llm.Principal{
		KeyHash: p.KeyHash, CountAs: p.CountAs, AccessGroups: []string{"g2", "g1"},
		Permissions: map[string]any{"bool": true, "float": 1.5, "int": int64(-7), "list": []any{"a", nil}, "map": map[string]any{"k": "v"}, "text": "é"},
		Routing:     &llm.Routing{Retries: 2, Fallbacks: []byte(`["m"]`)},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestHostRefusesBrokenResults puts every golden result of the request hook, broken in many ways, into a module that
// does nothing but return it.
func TestHostRefusesBrokenResults(t *testing.T) {
	t.Parallel()
	verdict := func(v uint64) []byte { return abi.AppendNumber(nil, abi.TagVerdict, v) }
	edit := func(index uint64) []byte {
		b, mark := abi.Open(verdict(1), abi.TagEdit)
		return abi.Close(abi.AppendText(abi.AppendNumber(b, abi.TagIndex, index), abi.TagText, "x"), mark)
	}
	reject := abi.AppendNumber(verdict(2), abi.TagStatus, 400)
	broken := func(what string, failed bool, result []byte) {
		t.Helper()
		p := plugintest.Load(t, wasm.Settings{Path: puppet(t, result), NoCache: true})
		o := p.Chat(t, "m", "hello")
		if status, _ := o.Refusal(); (status == 500) != failed {
			t.Errorf("%s: status %d, error %v", what, status, o.Err)
		}
	}
	broken("a rejection", false, reject)
	broken("an edit", false, edit(0))
	broken("an unknown record", false, abi.AppendText(reject, 0xfff0, "x"))
	broken("no verdict", true, abi.AppendNumber(nil, abi.TagStatus, 400))
	broken("an unknown verdict", true, verdict(99))
	broken("a rejection without status", true, verdict(2))
	broken("a rejection with status 500", true, abi.AppendNumber(verdict(2), abi.TagStatus, 500))
	broken("a caller let in by a guardrail", true, verdict(4))
	broken("an edit of a text that is not there", true, edit(1))
	broken("the same edit twice", true, append(edit(0), edit(0)[16:]...))
	broken("a critical unknown record", true, append(reject[:len(reject):len(reject)], 0xf0, 0xff, byte(abi.FlagCritical), 0, 0, 0, 0, 0))
	for _, n := range []int{1, 7, 8, 15, 17, 31} {
		broken("a result cut off", true, reject[:n])
	}
	broken("a lying length", true, append(reject[:len(reject):len(reject)], 66, 0, 0, 0, 255, 255, 255, 255))
	broken("a number of 7 bytes", true, append([]byte{64, 0, 0, 0, 7, 0, 0, 0}, make([]byte, 7)...))
}
