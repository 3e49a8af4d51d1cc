package listener

import (
	"net/url"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	good := func(raw, root, want string) {
		t.Helper()
		got, mistake := canonical([]byte(raw), root)
		if mistake != "" || string(got) != want {
			t.Fatalf("%s under %q: %q %q, want %q", raw, root, got, mistake, want)
		}
	}
	good("/", "", "/")
	good("/v1/chat/completions", "", "/v1/chat/completions")
	good("/v1/chat/completions/", "", "/v1/chat/completions")
	good("/gw/v1/models", "/gw", "/v1/models")
	good("/gw", "/gw", "/")
	good("/gw/", "/gw", "/")
	good("/gwx/v1", "/gw", "/gwx/v1")
	good("/v1/models", "/gw", "/v1/models")
	good("/v1/models/openai%2Fgpt-4o", "", "/v1/models/openai%2Fgpt-4o")
	good("/v1/models/a.b..c", "", "/v1/models/a.b..c")
	good("/v1beta/models/gemini:generateContent", "", "/v1beta/models/gemini:generateContent")

	bad := func(raw, mistake string) {
		t.Helper()
		if got, m := canonical([]byte(raw), ""); m != mistake {
			t.Fatalf("%s gave %q %q, want %q", raw, got, m, mistake)
		}
	}
	bad("", errPathSegment)
	bad("v1", errPathSegment)
	bad("//v1/models", errPathSegment)
	bad("/v1//models", errPathSegment)
	bad("/v1/./models", errPathSegment)
	bad("/v1/../key/info", errPathSegment)
	bad("/v1/..", errPathSegment)
	bad("/v1/%2e%2e/key/info", errPathEscape)
	bad("/v1/..%2fkey/info", errPathSegment)
	bad("/v1%2f..", errPathSegment)
	bad("/v1/a%2F%2fb", errPathSegment)
	bad("/v1/%63hat", errPathEscape)
	bad("/v1/%5cx", errPathEscape)
	bad("/v1/%00", errPathEscape)
	bad("/v1/%252f", errPathEscape)
	bad("/v1/%3bx", errPathEscape)
	bad("/v1/%zz", errPathEscape)
	bad("/v1/%2", errPathEscape)
	bad("/v1/models;admin", errPathByte)
	bad("/v1\\models", errPathByte)
	bad("/v1/\x01", errPathByte)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		if got := decode(in); got != want {
			t.Fatalf("decode(%q) = %q, want %q", in, got, want)
		}
	}
	f("gpt-4o", "gpt-4o")
	f("openai%2Fgpt-4o", "openai/gpt-4o")
	f("a%20b%C3%A9", "a bé")
}

// FuzzCanonical checks that no reading of an accepted path, decoded or not, leaves the place that was routed: it holds
// no dot segment and no empty segment, and decoding it once leaves nothing to decode.
func FuzzCanonical(f *testing.F) {
	f.Add("/v1/chat/completions", "")
	f.Add("/gw/v1/%2e%2e/x", "/gw")
	f.Add("/a/%2f../b", "")
	f.Fuzz(func(t *testing.T, raw, root string) {
		got, mistake := canonical([]byte(raw), root)
		if mistake != "" {
			return
		}
		plain, err := url.PathUnescape(string(got))
		if err != nil {
			t.Fatalf("%q was accepted: %v", raw, err)
		}
		if plain != decode(string(got)) {
			t.Fatalf("%q decodes to %q and %q", got, plain, decode(string(got)))
		}
		if strings.ContainsAny(plain, "%\\;\x00") {
			t.Fatalf("%q was accepted and reads %q", raw, plain)
		}
		segments := strings.Split(plain, "/")
		for i, seg := range segments {
			last := i == len(segments)-1
			if seg == "." || seg == ".." || seg == "" && i > 0 && !last {
				t.Fatalf("%q was accepted with the segment %q", raw, seg)
			}
		}
	})
}
