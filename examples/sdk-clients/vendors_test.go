package sdkclients_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// TestVendors runs every SDK in front of vendors that each speak an API of their own: callers find all of them alike,
// whole and streamed, with a tool and without.
func TestVendors(t *testing.T) {
	t.Parallel()
	const said, called = "It is warm. (35 + 7 tokens)", "weather(Paris) (20 + 9 tokens), "
	var want strings.Builder
	for _, sdk := range []string{"openai", "anthropic", "google"} {
		for _, model := range apptest.Vendors() {
			fmt.Fprintf(&want, "%[1]s %[2]s chat whole: %[3]s\n%[1]s %[2]s chat streamed: %[3]s\n", sdk, model, said)
			fmt.Fprintf(&want, "%[1]s %[2]s tools whole: %[3]s\n%[1]s %[2]s tools streamed: %[3]s\n", sdk, model, called+said)
		}
	}
	env := []string{"GATEWAY_URL=" + apptest.StartVendors(t).URL, "GATEWAY_KEY=" + apptest.MasterKey, "MODELS=" + strings.Join(apptest.Vendors(), ",")}
	program(t, want.String(), env, "node", "node_modules/@google/genai", "node", "vendors.mjs")
	program(t, want.String(), env, "python", ".venv/.installed", ".venv/bin/python", "vendors.py")
}
