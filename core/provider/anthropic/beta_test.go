package anthropic_test

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// What a request needs is turned on, unless it is already.
func TestBetaFeatures(t *testing.T) {
	t.Parallel()
	f := func(want, members string, headers ...string) {
		t.Helper()
		d := deployment()
		for _, h := range headers {
			d.ExtraHeaders = append(d.ExtraHeaders, llm.Pair{Name: "anthropic-beta", Value: h})
		}
		var c llm.Call
		if err := bind(t, d).Encode(request(t, `{`+hi+members+`}`), &c); err != nil {
			t.Fatalf("%s: %v", members, err)
		}
		if got := string(c.Header.Get("anthropic-beta")); got != want {
			t.Errorf("%s: %q, want %q", members, got, want)
		}
	}
	f("", "")
	f("", `,"tools":[{"type":"bash_20250124","name":"bash"}],"mcp_servers":[],"context_management":{"edits":[]},"speed":"standard"`)
	f("computer-use-2025-01-24", `,"tools":[{"type":"computer_20250124","name":"computer"}]`)
	f("", `,"tools":[{"type":"computer_20250124","name":"computer"}]`, "computer-use-2025-01-24,other")
	f("context-management-2025-06-27", `,"tools":[{"type":"memory_20250818","name":"memory"}],"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}`)
	f("compact-2026-01-12", `,"context_management":{"edits":[{"type":"compact_20260112"}]}`)
	f("mcp-client-2025-04-04", `,"mcp_servers":[{"type":"url"}]`)
	f("mcp-client-2025-11-20", `,"tools":[{"type":"mcp_toolset","mcp_server_name":"n"}],"mcp_servers":[{"type":"url"}]`)
	f("structured-outputs-2025-11-13,fast-mode-2026-02-01", `,"output_format":{"type":"json_schema"},"speed":"fast"`)

	var c llm.Call
	file := `{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file_1"}}]}]}`
	if err := bind(t, deployment()).Encode(request(t, file), &c); err != nil || string(c.Header.Get("anthropic-beta")) != "files-api-2025-04-14" {
		t.Errorf("%v %v", err, c.Header)
	}
}
