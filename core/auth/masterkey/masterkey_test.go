package masterkey_test

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/masterkey"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestMasterKey(t *testing.T) {
	t.Parallel()
	a, err := masterkey.New("sk-1234")
	if err != nil {
		t.Fatal(err)
	}
	check := func(key string, known bool) {
		t.Helper()
		p, err := a.Authenticate(t.Context(), &llm.Exchange{}, auth.Credential{Key: []byte(key), Present: true})
		if err != nil || (p != nil) != known {
			t.Fatalf("%q: got %v, %v", key, p, err)
		}
		if known && (p.UserID != "default_user_id" || p.Role != llm.RoleProxyAdmin || !p.May("any")) {
			t.Errorf("the master key is %+v", p)
		}
		if known && p.KeyHash != "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b" {
			t.Errorf("the hash is %s", p.KeyHash)
		}
	}
	check("sk-1234", true)
	check("sk-1235", false)
	check("sk-123", false)
	check("sk-12345", false)
	check("", false)
	check("88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b", false)

	if _, err := masterkey.New(""); err == nil {
		t.Error("an empty key was taken")
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	p, err := masterkey.NewOpen().Authenticate(t.Context(), &llm.Exchange{}, auth.Credential{})
	if err != nil || p.Role != llm.RoleProxyAdmin {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestAllocations(t *testing.T) {
	a, err := masterkey.New("sk-1234")
	if err != nil {
		t.Fatal(err)
	}
	chain := auth.NewChain("", a)
	x := &llm.Exchange{Header: llm.Header{
		{Name: []byte("Host"), Value: []byte("localhost")},
		{Name: []byte("Authorization"), Value: []byte("Bearer sk-1234")},
		{Name: []byte("Content-Type"), Value: []byte("application/json")},
	}}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if p, err := chain.Authenticate(ctx, x, auth.Find(x.Header, "")); p == nil || err != nil {
			t.Fatal(p, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMasterKey(b *testing.B) {
	a, err := masterkey.New("sk-1234")
	if err != nil {
		b.Fatal(err)
	}
	h := llm.Header{{Name: []byte("Authorization"), Value: []byte("Bearer sk-1234")}}
	ctx := b.Context()
	for b.Loop() {
		if p, _ := a.Authenticate(ctx, nil, auth.Find(h, "")); p == nil {
			b.Fatal("refused")
		}
	}
}
