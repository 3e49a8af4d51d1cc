package sqlstore

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPlainJSON(t *testing.T) {
	t.Parallel()
	f := func(text string, want bool) {
		t.Helper()
		if got := plainJSON([]byte(text)); got != want {
			t.Errorf("%.60s: %v, want %v", text, got, want)
		}
	}
	for _, plain := range []string{
		`{}`, `[]`, ` { "a" : [ 1 , -2.50, true, false, null, "x" ] } `, `0`, `"a b"`, `{"a":{"b":[[]]}}`,
	} {
		f(plain, true)
	}
	for _, other := range []string{
		``, `{`, `[1,]`, `{"a"}`, `{"a":}`, `{a:1}`, `01`, `1.`, `.5`, `-`, `1e5`, `tru`, `"a`, `"\u0000"`, `"\n"`, "\"\x00\"", `"é"`, "\"\x7f\"",
		`{} {}`, `[1 2]`, `{"a":1,}`, `[`, strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		f(other, false)
	}
}

// FuzzPlainJSON shows that what is taken for plain is JSON that no cleaning would change.
func FuzzPlainJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2.5,true,null,"x"]}`))
	f.Add([]byte(`[1,]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if plainJSON(raw) && (!json.Valid(raw) || suspicious(raw)) {
			t.Errorf("%q is not plain", raw)
		}
	})
}

func BenchmarkPlainJSON(b *testing.B) {
	raw := []byte(`{"status":"success","user_api_key":"` + strings.Repeat("a", 64) + `","usage_object":{"total_tokens":300,"prompt_tokens":200}}`)
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			plainJSON(raw)
		}
	})
	b.Run("encoding", func(b *testing.B) {
		for b.Loop() {
			json.Valid(raw)
		}
	})
}
