package app

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// batchLinks is Anthropic's own API with the addresses of a batch's results leading back here: clients fetch them with the
// key that they have, which is the gateway's (https://platform.claude.com/docs/en/api/messages/batches/retrieve). Where the
// gateway does not know its own address, they are paths, which the official clients put behind theirs.
type batchLinks struct {
	provider.Endpoint
	link *regexp.Regexp
	home string // what stands before "/v1" in an address here
}

const batchesPath = "/v1/messages/batches"

func linked(e provider.Endpoint, home string) provider.Endpoint {
	return &batchLinks{e, regexp.MustCompile(`("results_url"\s*:\s*")[^"]*?(` + batchesPath + `/[^"/]+/results")`), strings.TrimRight(home, "/")}
}

// Decode implements provider.Endpoint.
func (l *batchLinks) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if a.Status == 200 && a.Socket == nil && strings.HasPrefix(x.Tail, batchesPath) && !strings.HasSuffix(x.Tail, "/results") && len(a.Header.Get("Content-Encoding")) == 0 {
		if err := l.rewrite(a); err != nil {
			return err
		}
	}
	return l.Endpoint.Decode(x, a, r)
}

// rewrite changes the addresses in an answer that tells of batches.
func (l *batchLinks) rewrite(a *llm.Answer) error {
	const most = 8 << 20 // bytes of a list
	body, err := io.ReadAll(io.LimitReader(a.Body, most))
	if err != nil {
		_ = a.Body.Close()
		return err
	}
	if len(body) == most { // more than any list: it goes on as it is
		a.Body = rest{io.MultiReader(bytes.NewReader(body), a.Body), a.Body}
		return nil
	}
	if err := a.Body.Close(); err != nil {
		return err
	}
	body = l.link.ReplaceAll(body, []byte("${1}"+strings.ReplaceAll(l.home, "$", "$$")+"${2}"))
	a.Size, a.Body = len(body), io.NopCloser(bytes.NewReader(body))
	return nil
}

// rest reads one thing and closes another.
type rest struct {
	io.Reader
	io.Closer
}
