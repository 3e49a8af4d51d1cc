package anthropic

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Cloud makes the provider that of a cloud which serves Claude under addresses of its own: the model is part of the path,
// the version of the API a member of the body, and a signer brings the credential. The Messages API is otherwise the same
// (https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai).
type Cloud struct {
	Version string // anthropic_version in the body

	// Locate returns the URL of a deployment's model. What the deployment cannot work with is a *provider.SettingError.
	Locate func(d *llm.Deployment) (string, error)
	Whole  string // what follows it for a whole answer, such as ":rawPredict"
	Stream string // what follows it for a stream
	Count  string // what stands in place of the model, the last part of the path, to count tokens; "" where none are counted

	// Sign returns what completes each call.
	Sign func(d *llm.Deployment) (llm.Signer, error)
}

// bind prepares the calls of a deployment.
func (c *Cloud) bind(e *endpoint) error {
	base, err := c.Locate(e.d)
	if err != nil {
		return err
	}
	path, query, problem := provider.Target(base, &e.target)
	if problem != "" {
		return e.problem("api_base", problem)
	}
	if query != "" {
		query = "?" + query
	}
	e.target.Trust = provider.Trust(e.d)
	e.path, e.streamPath = []byte(path+c.Whole+query), []byte(path+c.Stream+query)
	if c.Count != "" {
		e.countPath = []byte(path[:strings.LastIndexByte(path, '/')+1] + c.Count + query)
	}
	e.signer, err = c.Sign(e.d)
	return err
}

// opening is how the body of a request begins.
func (e *endpoint) opening(dst []byte) []byte {
	if c := e.p.s.Cloud; c != nil {
		return llm.AppendQuoted(append(dst, `{"anthropic_version":`...), c.Version)
	}
	return append(append(dst, `{"model":`...), e.model...)
}

// address sets where a call goes and who signs it.
func (e *endpoint) address(x *llm.Exchange, c *llm.Call) {
	c.Target, c.Method, c.Path, c.Head, c.Signer = &e.target, "POST", e.path, e.head, e.signer
	if x.Streamed && e.streamPath != nil {
		c.Path = e.streamPath
	}
}

// versioned adds the version of the API to a request that goes out as it came, unless the caller says it.
func (s *splice) versioned(o *llm.Object, c *Cloud) {
	if c != nil && o.Index("anthropic_version") < 0 {
		s.add("anthropic_version", llm.AppendQuoted(nil, c.Version))
	}
}

// isVersion reports whether a header line names the version of the API, which a cloud reads elsewhere.
func isVersion(name string) bool { return strings.EqualFold(name, "anthropic-version") }
