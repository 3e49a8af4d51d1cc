package sdkclients_test

import "testing"

const wantMessages = `message: Hello from the mock vendor. (12 + 6 tokens)
stream: Hello from the mock vendor. (12 + 6 tokens)
tools: get_weather(Paris): It is 21 degrees in Paris.
count: 10 tokens
batch: in_progress ended canceling, one: Hello from the mock vendor.
bad key: refused with 401, authentication_error
unknown model: refused with 400, invalid_request_error
upstream limit: refused with 429, rate_limit_error
`

const wantResponses = `response: Hello from the mock vendor. (12 + 6 tokens)
stream: Hello from the mock vendor. (12 + 6 tokens)
tools: get_weather(Paris): It is 21 degrees in Paris.
stored: Hello from the mock vendor. (1 input item)
unknown model: refused with 400
upstream limit: refused with 429
`

// TestDialects runs clients of the Messages and the Responses API in front of a vendor
// that knows neither.
func TestDialects(t *testing.T) {
	t.Parallel()
	url := startGateway(t, "dialects.yaml")
	messages := []string{"ANTHROPIC_BASE_URL=" + url, "ANTHROPIC_API_KEY=" + key}
	responses := []string{"OPENAI_BASE_URL=" + url + "/v1", "OPENAI_API_KEY=" + key}
	const python, installed = ".venv/bin/python", ".venv/.installed"
	program(t, wantMessages, messages, "node messages", "node_modules/@anthropic-ai/sdk", "node", "messages.mjs")
	program(t, wantMessages, messages, "python messages", installed, python, "messages.py")
	program(t, wantResponses, responses, "node responses", "node_modules/openai", "node", "responses.mjs")
	program(t, wantResponses, responses, "python responses", installed, python, "responses.py")
}
