package anthropic

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Features of the API that have to be turned on by a header: what turns them on for callers who speak chat completions,
// or whose request was translated. The names are those of https://platform.claude.com/docs/en/api/beta-headers and the
// API's own SDKs. A cloud that serves Claude gets none of them, as in the reference.
const (
	betaFiles   = "files-api-2025-04-14"
	betaContext = "context-management-2025-06-27"
)

// toolBeta is the feature that a tool of the API's own belongs to, or "".
func toolBeta(kind []byte) string {
	switch string(kind) {
	case `"computer_20241022"`:
		return "computer-use-2024-10-22"
	case `"computer_20250124"`:
		return "computer-use-2025-01-24"
	case `"computer_20251124"`:
		return "computer-use-2025-11-24"
	case `"code_execution_20250522"`:
		return "code-execution-2025-05-22"
	case `"memory_20250818"`:
		return betaContext
	case `"mcp_toolset"`:
		return "mcp-client-2025-11-20"
	}
	return ""
}

// use notes that the request needs a feature.
func (n *encoder) use(beta string) {
	if beta != "" && n.e.p.s.Cloud == nil && !slices.Contains(n.betas, beta) {
		n.betas = append(n.betas, beta)
	}
}

// memberBeta notes the feature that a member of the request belongs to.
func (n *encoder) memberBeta(name, value []byte) {
	switch string(name) {
	case "mcp_servers":
		if string(value) != "[]" && !slices.Contains(n.betas, "mcp-client-2025-11-20") {
			n.use("mcp-client-2025-04-04")
		}
	case "output_format":
		n.use("structured-outputs-2025-11-13")
	case "speed":
		if string(value) == `"fast"` {
			n.use("fast-mode-2026-02-01")
		}
	case "context_management":
		for c := dialect.Array(dialect.Get(value, "edits")); c.Next(); {
			if string(dialect.Get(c.Value(), "type")) == `"compact_20260112"` {
				n.use("compact-2026-01-12")
				continue
			}
			n.use(betaContext)
		}
	}
}

// turnOn adds the line for the features that neither the caller nor the deployment turns on already.
func (n *encoder) turnOn(c *llm.Call) {
	const name = "anthropic-beta"
	missing := slices.DeleteFunc(n.betas, func(beta string) bool {
		for i := range c.Header {
			if f := &c.Header[i]; llm.EqualFold(f.Name, name) && bytes.Contains(f.Value, []byte(beta)) {
				return true
			}
		}
		return bytes.Contains(c.Head, []byte(beta))
	})
	if len(missing) > 0 {
		c.Header = append(c.Header, llm.Field{Name: borrow(name), Value: []byte(strings.Join(missing, ","))})
	}
}
