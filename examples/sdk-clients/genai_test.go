package sdkclients_test

import "testing"

const wantGenAI = `content: Hello from the mock vendor. (12 + 6 tokens)
stream: Hello from the mock vendor. (12 + 6 tokens)
tools: get_weather(Paris): It is {"output":21} degrees in Paris.
chat: 4 messages
count: 10 tokens
bad key: refused with 401, UNAUTHENTICATED
unknown model: refused with 400, INVALID_ARGUMENT
upstream limit: refused with 429, RESOURCE_EXHAUSTED
`

// TestGenAI runs clients of Google's API in front of a vendor that does not know it.
func TestGenAI(t *testing.T) {
	t.Parallel()
	env := []string{"GOOGLE_GEMINI_BASE_URL=" + startGateway(t, "dialects.yaml"), "GEMINI_API_KEY=" + key}
	program(t, wantGenAI, env, "node", "node_modules/@google/genai", "node", "genai.mjs")
	program(t, wantGenAI, env, "python", ".venv/.installed", ".venv/bin/python", "genai.py")
}
