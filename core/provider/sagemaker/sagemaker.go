// Package sagemaker is the provider for models on Amazon SageMaker endpoints: those that speak OpenAI's chat completions
// (sagemaker_chat), and those of Hugging Face's text generation server and its like (sagemaker). Both are called through
// InvokeEndpoint (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html).
package sagemaker

import (
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// The vendors in model names and errors.
const (
	Name     = "sagemaker"
	NameChat = "sagemaker_chat"
)

// Settings are what the providers need from outside.
type Settings struct {
	// Account says in which region a deployment is, and who signs its calls to a service, by the service's signing name.
	// An error names the setting that is wrong.
	Account func(d *llm.Deployment, service, named string) (region string, sign llm.Signer, err error)

	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// base is the address of a deployment's region (https://docs.aws.amazon.com/general/latest/gr/sagemaker.html), or the one
// that the operator set.
func (s *Settings) base(d *llm.Deployment) (base string, sign llm.Signer, err error) {
	region, sign, err := s.Account(d, "sagemaker", "")
	if err != nil {
		return "", nil, err
	}
	switch base = d.Setting("sagemaker_base_url"); {
	case base != "":
	case d.Base != "":
		base = d.Base
	default:
		base = "https://runtime.sagemaker." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			base += ".cn"
		}
	}
	return base, sign, nil
}

const (
	whole    = "/invocations"
	streamed = "/invocations-response-stream"
)

func path(d *llm.Deployment, end string) string { return "/endpoints/" + url.PathEscape(d.Model) + end }

// component is the header line that names one of several models behind an endpoint, as with the reference's model_id
// (litellm/llms/sagemaker/completion/handler.py).
func component(d *llm.Deployment) (name, value string) {
	return "X-Amzn-SageMaker-Inference-Component", d.Setting("model_id")
}

// Place is where the calls of a sagemaker_chat deployment go, for the provider of OpenAI's dialect behind Chat.
func Place(s Settings) func(d *llm.Deployment) (*provider.Place, error) {
	return func(d *llm.Deployment) (*provider.Place, error) {
		base, sign, err := s.base(d)
		if err != nil {
			return nil, err
		}
		return &provider.Place{
			Base: base, Signer: sign,
			Path: func(op llm.Operation) string {
				if op != llm.OpChat {
					return ""
				}
				return path(d, whole)
			},
		}, nil
	}
}

// Chat is the provider of sagemaker_chat: inner, which speaks OpenAI's dialect at Place, with the envelope that SageMaker
// puts around streams.
func Chat(inner provider.Provider) provider.Provider { return chat{inner} }

type chat struct{ inner provider.Provider }

// Bind implements provider.Provider.
func (c chat) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	e, err := c.inner.Bind(d)
	if err != nil {
		return nil, err
	}
	out := &endpoint{Endpoint: e, d: d}
	if name, value := component(d); value != "" {
		if problem := provider.BadHeader(name, value); problem != "" {
			return nil, &provider.SettingError{Group: d.Group, Setting: "model_id", Problem: problem}
		}
		out.component = []llm.Field{{Name: []byte(name), Value: []byte(value)}}
	}
	return out, nil
}

// Supported implements provider.Parameters.
func (c chat) Supported(op llm.Operation) ([]string, bool) { return provider.SupportedBy(c.inner, op) }

type endpoint struct {
	provider.Endpoint
	d         *llm.Deployment
	component []llm.Field
}

// Encode implements provider.Endpoint.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	if err := e.Endpoint.Encode(x, c); err != nil {
		return err
	}
	if before, query, _ := strings.Cut(string(c.Path), "?"); x.Streamed && strings.HasSuffix(before, whole) {
		before = strings.TrimSuffix(before, whole) + streamed
		if query != "" {
			before += "?" + query
		}
		c.Path = []byte(before)
	}
	c.Header = append(c.Header, e.component...)
	return nil
}

// Decode implements provider.Endpoint. A stream or a refusal that comes in SageMaker's envelope is opened.
func (e *endpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if a.Status >= 400 {
		unfold(a)
	}
	if enveloped(a.Header) && a.Status == 200 {
		b := newBody(a.Body)
		a.Body, a.Streamed, a.Size = b, true, -1
	}
	return e.Endpoint.Decode(x, a, r)
}
