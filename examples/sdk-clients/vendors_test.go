package sdkclients_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// TestVendors runs every SDK in front of vendors that each speak an API of their own: callers find all of them alike,
// whole and streamed, with a tool and without, with a picture, a schema and thoughts, and refused.
func TestVendors(t *testing.T) {
	t.Parallel()
	const said, called = "It is warm. (35 + 7 tokens)", "weather(Paris) (20 + 9 tokens), "
	const classes = "BadRequestError 400, PermissionDeniedError 403, NotFoundError 404, RateLimitError 429, InternalServerError 500"
	refused := map[string]string{
		"openai": classes, "anthropic": classes,
		"google": "INVALID_ARGUMENT 400, PERMISSION_DENIED 403, NOT_FOUND 404, RESOURCE_EXHAUSTED 429, INTERNAL 500",
	}
	var want strings.Builder
	for _, sdk := range []string{"openai", "anthropic", "google"} {
		for _, model := range apptest.Vendors() {
			fmt.Fprintf(&want, "%[1]s %[2]s chat whole: %[3]s\n%[1]s %[2]s chat streamed: %[3]s\n", sdk, model, said)
			fmt.Fprintf(&want, "%[1]s %[2]s tools whole: %[3]s\n%[1]s %[2]s tools streamed: %[3]s\n", sdk, model, called+said)
			fmt.Fprintf(&want, "%[1]s %[2]s picture: It is warm.\n%[1]s %[2]s object: {\"city\":\"Paris\"}\n%[1]s %[2]s thought: Hm. It is warm.\n%[1]s %[2]s refused: %[3]s\n", sdk, model, refused[sdk])
		}
	}
	env := []string{"GATEWAY_URL=" + apptest.StartVendors(t).URL, "GATEWAY_KEY=" + apptest.MasterKey, "MODELS=" + strings.Join(apptest.Vendors(), ",")}
	program(t, want.String(), env, "node", "node_modules/@google/genai", "node", "vendors.mjs")
	program(t, want.String(), env, "python", ".venv/.installed", ".venv/bin/python", "vendors.py")
}
