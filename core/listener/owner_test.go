package listener

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

func boundServer(off bool) *Server {
	own := Ownership{Vault: store.NewVault("salt"), Off: off}
	return &Server{Settings: Settings{Ownership: func() Ownership { return own }}}
}

func TestBoundIDs(t *testing.T) {
	t.Parallel()
	s := boundServer(false)
	const id = "resp_bGl0ZWxsbTp"
	f := func(p llm.Principal, want owner) {
		t.Helper()
		bound := string(s.bind(&llm.Exchange{Principal: &p}, nil, []byte(id)))
		again := string(s.bind(&llm.Exchange{Principal: &p}, nil, []byte(id)))
		plain, whose, ok := s.unbind(bound)
		if bound != again || bound == id || plain != id || whose != want || !ok {
			t.Errorf("%+v: %s is %q of %+v, %v", p, bound, plain, whose, ok)
		}
	}
	f(llm.Principal{UserID: "u", TeamID: "t", KeyHash: "k"}, owner{user: "u", team: "t"})
	f(llm.Principal{UserID: "a;team_id:b", KeyHash: "k"}, owner{user: "a;team_id:b"})
	f(llm.Principal{UserID: "100%;", TeamID: ";key:x"}, owner{user: "100%;", team: ";key:x"})
	f(llm.Principal{UserID: llm.AdminUserID, KeyHash: "k"}, owner{key: "k"})
	f(llm.Principal{KeyHash: "k"}, owner{key: "k"})

	// What the reference made is read, and what others made is nobody's.
	reference := "resp_" + s.ownership().Vault.Encrypt("litellm_proxy:responses_api:response_id:resp_x;user_id:u;team_id:")
	if plain, whose, ok := s.unbind(reference); plain != "resp_x" || whose != (owner{user: "u"}) || !ok {
		t.Errorf("an id of the reference: %s %+v %v", plain, whose, ok)
	}
	foreign := boundServer(false).ownership().Vault.Encrypt("something else")
	for _, id := range []string{"resp_0123456789abcdef0123456789abcdef0123456789abcdef0123", "x", "", "resp_" + foreign, "resp_" + strings.Repeat("A", 1<<20)} {
		if plain, whose, ok := s.unbind(id); plain != id || ok || whose != (owner{}) {
			t.Errorf("%.40s: %.40s %+v %v", id, plain, whose, ok)
		}
	}
	if got := string(boundServer(true).bind(&llm.Exchange{}, nil, []byte(id))); got != id {
		t.Errorf("without security: %s", got)
	}
}

func FuzzParseBound(f *testing.F) {
	f.Add("litellm_proxy:responses_api:response_id:resp_x;user_id:u;team_id:t;key:k")
	f.Add("litellm_proxy:responses_api:response_id:;user_id:")
	f.Fuzz(func(t *testing.T, text string) {
		plain, _, ok := parseBound(text, "other")
		if ok && plain == "" || !ok && plain != "other" {
			t.Errorf("%q, %v", plain, ok)
		}
	})
}

func FuzzKeptConversation(f *testing.F) {
	f.Add(`{"response":{"status":"in_progress","error":null},"input":[{"a":1}],"items":[]}`)
	f.Add(`{"response":{},"input":7}`)
	f.Fuzz(func(t *testing.T, body string) {
		o := &store.Object{ID: keptID + "0", Body: body}
		c, ok := conversationOf(o)
		if !ok {
			return
		}
		listItems(o.ID, c.input)
		setStatus(o, "failed", `{"code":"x","message":"y"}`)
	})
}
