package sagemaker

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// origin is the status and the body of the refusal behind one of SageMaker's. ModelError has those of the model's server
// within it. What is SageMaker's own comes back as {"message":...}, with the status that the gateway has for it
// (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors,
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html). Calls are
// throttled with status 400 or 429 (https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html).
func origin(status int, body []byte) (int, []byte) {
	if said, ok := llm.Text(dialect.Get(body, "OriginalMessage")); ok && len(said) > 0 {
		n, err := strconv.Atoi(string(dialect.Get(body, "OriginalStatusCode")))
		if err != nil || n < 400 || n > 599 {
			n = 500
		}
		return n, said
	}
	said := dialect.Get(body, "Message")
	if said == nil {
		said = dialect.Get(body, "message")
	}
	words := strings.ToLower(string(said))
	switch code, _ := llm.Text(dialect.Get(body, "ErrorCode")); {
	case string(code) == "ModelInvocationTimeExceeded":
		status = 408
	case status == 424: // the model failed, not the request
		status = 500
	case status == 403 && (strings.Contains(words, "signature") || strings.Contains(words, "security token")):
		status = 401
	case status == 400 && (strings.Contains(words, "rate exceeded") || strings.Contains(words, "throttl")):
		status = 429
	case status == 529, status == 530: // a model that is being loaded, or a part of the service that failed
		status = 503
	}
	if len(said) == 0 || said[0] != '"' {
		return status, body
	}
	return status, append(append([]byte(`{"message":`), said...), '}')
}

// maxRefusal is how much of a refusal is read, in bytes.
const maxRefusal = 64 << 10

// refusal is the body of a refusal that was read.
type refusal struct {
	*bytes.Reader
	io.Closer
}

// unfold puts the refusal behind one of SageMaker's into its place.
func unfold(a *llm.Answer) {
	// What could be read of the text is better than nothing, so an error of the connection does not count here.
	raw, _ := io.ReadAll(io.LimitReader(a.Body, maxRefusal))
	var said []byte
	a.Status, said = origin(a.Status, raw)
	a.Body, a.Size = refusal{bytes.NewReader(said), a.Body}, len(said)
}
