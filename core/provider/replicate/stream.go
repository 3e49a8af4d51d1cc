package replicate

import (
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// How a prediction is looked at that does not stream, as in the reference (REPLICATE_POLLING_DELAY_SECONDS).
const (
	pollEvery = 500 * time.Millisecond
	maxPolls  = 1200
)

// next follows a prediction to where its output streams. If the model does not stream, the prediction is looked at until
// it has ended. The key goes along, so that only Replicate's own addresses are followed, and the one of the deployment.
func next(host string) func(int, []byte, *llm.Call) (time.Duration, bool, error) {
	polls := 0
	var look func(status int, body []byte, c *llm.Call) (time.Duration, bool, error)
	look = func(status int, body []byte, c *llm.Call) (time.Duration, bool, error) {
		if status >= 300 {
			return 0, false, nil
		}
		urls, wait := dialect.Get(body, "urls"), time.Duration(0)
		address, ok := llm.Text(dialect.Get(urls, "stream"))
		if !ok || len(address) == 0 || polls > 0 {
			switch string(dialect.Get(body, "status")) {
			case `"starting"`, `"processing"`:
			default:
				return 0, false, nil
			}
			if address, ok = llm.Text(dialect.Get(urls, "get")); !ok || polls == maxPolls {
				return 0, false, nil
			}
			polls++
			wait, c.Next = pollEvery, look
		}
		u, err := url.Parse(string(address))
		if err != nil || !trusted(u, host) {
			return 0, false, &llm.Error{
				Op: "replicate.Next", Kind: llm.KindBadGateway, Provider: Name, Message: "The prediction leads to an address that is not Replicate's.",
			}
		}
		t := &llm.Target{Trust: c.Target.Trust}
		if _, _, problem := provider.Target(u.Scheme+"://"+u.Host, t); problem != "" {
			return 0, false, &llm.Error{
				Op: "replicate.Next", Kind: llm.KindBadGateway, Provider: Name, Message: "The prediction's address " + problem + ".",
			}
		}
		c.Target, c.Method, c.Path, c.Body = t, "GET", []byte(u.RequestURI()), nil
		return wait, true, nil
	}
	return look
}

func trusted(u *url.URL, host string) bool {
	if u.Host == host {
		return true
	}
	name := strings.ToLower(u.Hostname())
	return u.Scheme == "https" && (name == "replicate.com" || strings.HasSuffix(name, ".replicate.com"))
}

// events reads the output, which is plain text, up to its end.
func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	return func(e *provider.Event, s *openai.Said) error {
		switch string(e.Name) {
		case "output":
			s.Text = string(e.Data)
		case "error":
			return t.Fail(500, e.Data)
		case "done":
			if reason := t.Text(dialect.Get(e.Data, "reason")); reason != "" {
				return t.Fail(500, []byte(`{"detail":"The prediction ended early."}`))
			}
			s.Finish, t.Ended = "stop", true
		}
		return nil
	}
}
