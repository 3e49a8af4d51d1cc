package listener

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestStoredID(t *testing.T) {
	t.Parallel()
	f := func(tail, kind, id string) {
		t.Helper()
		if k, i := storedID(tail); k != kind || i != id {
			t.Errorf("%s: %q %q, want %q %q", tail, k, i, kind, id)
		}
	}
	f("/files", "", "")
	f("/files/file-1", "file", "file-1")
	f("/files/file-bGl0ZWxsbTpmaWxlLWFiYzEyMzttb2RlbCxt/content", "file", "file-abc123")
	f("/fine_tuning/jobs", "", "")
	f("/fine_tuning/jobs/ftjob-1/events", "object", "ftjob-1")
	f("/threads/runs", "", "")
	f("/threads/thread_1/runs/run_1", "object", "thread_1")
	f("/vector_stores/vs%5F1/search", "vector store", "vs_1")
	f("/responses/resp_1", "", "")
	f("", "", "")
}

func TestShares(t *testing.T) {
	t.Parallel()
	f := func(o owner, p *llm.Principal, want bool) {
		t.Helper()
		if got := o.shares(p); got != want {
			t.Errorf("%+v with %+v: %v", o, p, got)
		}
	}
	f(owner{user: "u", team: "t"}, &llm.Principal{UserID: "u"}, true)
	f(owner{user: "u", team: "t"}, &llm.Principal{UserID: "v", TeamID: "t"}, true)
	f(owner{user: "u", team: "t"}, &llm.Principal{UserID: "v", TeamID: "x"}, false)
	f(owner{user: "u"}, &llm.Principal{}, false)
	f(owner{team: "t"}, &llm.Principal{}, false)
	f(owner{key: "k"}, &llm.Principal{KeyHash: "k"}, true)
	f(owner{}, &llm.Principal{}, false)
	f(owner{user: "u"}, &llm.Principal{Role: llm.RoleProxyAdmin}, true)
	f(owner{user: "u"}, nil, true)
}

// FuzzStringsOf compares with encoding/json: every string that it reads is found.
func FuzzStringsOf(f *testing.F) {
	f.Add(`{"file_id":"file-1","a":["\u0066ile-2",{"b":"x\"y"}]}`)
	f.Add(`["\\","\"",""]`)
	f.Fuzz(func(t *testing.T, raw string) {
		var got []string
		for s := range stringsOf([]byte(raw)) {
			got = append(got, string(s))
		}
		d := json.NewDecoder(strings.NewReader(raw))
		var want []string
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			if s, ok := token.(string); ok {
				want = append(want, s)
			}
		}
		if !json.Valid([]byte(raw)) {
			return
		}
		for _, s := range want {
			if !strings.Contains(s, "\ufffd") && !slices.Contains(got, s) {
				t.Fatalf("%q: %q is not among %q", raw, s, got)
			}
		}
	})
}

// TestMayRefer compares mayRefer with a search for each mark.
func TestMayRefer(t *testing.T) {
	t.Parallel()
	marks := []string{`"file`, `"vs_`, `"cntr_`, `\u00`}
	parts := append([]string{`"`, `\`, `\\`, "u00", "file", "vs", "_", "cntr", "x", " "}, marks...)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var text string
		for range random.IntN(8) {
			text += parts[random.IntN(len(parts))]
		}
		want := slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(text, mark) })
		if got := mayRefer([]byte(text)); got != want {
			t.Fatalf("mayRefer(%q) = %v, want %v", text, got, want)
		}
	}
}
