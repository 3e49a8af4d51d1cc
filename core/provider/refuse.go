package provider

import "github.com/sallyport-ai/sallyport/core/llm"

// Refuse is a provider whose endpoints fail every call with err. It stands where a deployment cannot be called, such as
// one without a key: the gateway starts, its other models work, and whoever asks for this one learns why it does not.
func Refuse(err *llm.Error) Provider { return refusing{err} }

type refusing struct{ err *llm.Error }

func (r refusing) Bind(*llm.Deployment) (Endpoint, error) { return r, nil }

func (r refusing) Encode(*llm.Exchange, *llm.Call) error { return r.err }

func (r refusing) Decode(_ *llm.Exchange, a *llm.Answer, _ *llm.Reply) error {
	_ = a.Body.Close()
	return r.err
}
