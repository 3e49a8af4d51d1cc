package wasm

import (
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// FuzzHookResults has every hook off the usual path read a result that could be anything. Whatever comes, each says
// clearly what it is, and what was accepted holds to the rules.
func FuzzHookResults(f *testing.F) {
	verdict := func(v abi.Verdict, more ...byte) []byte {
		return append(abi.AppendNumber(nil, abi.TagVerdict, uint64(v)), more...)
	}
	f.Add(verdict(abi.VerdictEdit, abi.AppendNumber(nil, abi.TagIndex, 1)...))
	f.Add(verdict(abi.VerdictEdit, abi.AppendText(nil, abi.TagDeploymentID, "a")...))
	f.Add(verdict(abi.VerdictEdit, abi.AppendText(abi.AppendText(nil, abi.TagMessage, "user"), abi.TagText, "hi")...))
	f.Add(verdict(abi.VerdictEdit, abi.AppendText(nil, abi.TagMessages, `[{"role":"user"}]`)...))
	f.Add(verdict(abi.VerdictReject, abi.AppendNumber(nil, abi.TagStatus, 403)...))
	part, mark := abi.Open(nil, abi.TagPart)
	f.Add(verdict(abi.VerdictEdit, abi.Close(abi.AppendText(part, abi.TagText, "x"), mark)...))
	user, mark := abi.Open(nil, abi.TagPrincipal)
	f.Add(verdict(abi.VerdictAllow, abi.Close(abi.AppendText(user, abi.TagUserID, "u"), mark)...))
	f.Add(verdict(abi.VerdictRespond, abi.AppendText(nil, abi.TagURL, "https://x")...))
	list := []router.Candidate{{Deployment: &llm.Deployment{ID: "a"}}, {Deployment: &llm.Deployment{ID: "b"}}}
	own, err := parseOrigin("https://api.example.com")
	if err != nil {
		f.Fatal(err)
	}
	e := &guestEndpoint{g: &guestProvider{p: &Plugin{}, targets: map[string]*llm.Target{}}, d: &llm.Deployment{}, own: &own}
	f.Fuzz(func(t *testing.T, out []byte) {
		known := func(err error) {
			if err != nil && !errors.Is(err, ErrResult) && !errors.Is(err, ErrVerdict) && !isRefusal(err) {
				t.Errorf("%T %v", err, err)
			}
		}
		retry, err := readRetries(out, 3)
		known(err)
		if err == nil && len(retry) > 3 {
			t.Errorf("%d of 3 records come again", len(retry))
		}
		keep, _, err := readRoute(out, list)
		known(err)
		if err == nil && len(keep) > len(list) {
			t.Errorf("kept %v", keep)
		}
		params, err := readKey(out, map[string]any{"a": 1})
		known(err)
		if err == nil && params == nil {
			t.Error("no parameters")
		}
		for _, hook := range []abi.Hook{abi.HookSSOBegin, abi.HookSSOCallback} {
			a, err := readSSO(out, hook)
			known(err)
			if a.Redirect != "" && !strings.HasPrefix(a.Redirect, "http") || a.User != nil && a.User.UserID == "" {
				t.Errorf("%+v", a)
			}
		}
		prompt(t, out, known)
		known(e.readReading(out, &reading{}, nil))
		var c llm.Call
		err = e.readCall(out, &c)
		known(err)
		if err == nil && c.Local == nil && c.Target.Host != "api.example.com" && c.Target.Addr != "api.example.com:443" {
			t.Errorf("a call to %s", c.Target.Key())
		}
	})
}

// prompt puts a prompt that was accepted into a request, which must stay JSON with a list of messages.
func prompt(t *testing.T, out []byte, known func(error)) {
	got, err := readPrompt(out)
	known(err)
	if err != nil {
		return
	}
	x := &llm.Exchange{}
	x.Reset()
	if err := x.Body.Parse([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`)); err != nil {
		t.Fatal(err)
	}
	err = got.put(x)
	known(err)
	if err == nil && (len(x.Body.Get("messages")) < 2 || x.Body.Get("messages")[0] != '[') {
		t.Errorf("the request is %s", x.Body.Raw())
	}
}
