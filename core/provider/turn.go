package provider

import (
	"strings"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Turn is one call, as the functions of a Translation see it: a request on its way out, or an answer on its way back.
type Turn struct {
	Site     *Site
	Exchange *llm.Exchange
	Drop     bool                // leave out what cannot be carried, instead of refusing it
	Call     *llm.Call           // on the way out: Request may add to it, and choose another Target
	Params   *openai.ChatRequest // on the way out: the request; that of a Form has its members as Params
	Header   llm.Header          // on the way back: the answer's
	Usage    llm.Usage           // on the way back, for a Form: what Answer found
	Type     string              // on the way back, for a Form: the Content-Type of what Answer appended, if it is no JSON
	Ended    bool                // on the way back: the events are over; what follows is not read

	scratch []byte
}

// Text returns the text of a JSON string, or "" for anything else. It is valid until the next event, or for a whole
// answer until Whole returned.
func (t *Turn) Text(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	inner := raw[1 : len(raw)-1]
	if strings.IndexByte(borrowed(inner), '\\') < 0 {
		return borrowed(inner)
	}
	start := len(t.scratch)
	out, ok := llm.AppendUnescaped(t.scratch, inner)
	if !ok {
		return ""
	}
	t.scratch = out
	return borrowed(out[start:])
}

// Model is the name of the model that the caller sees: the one that was asked for, unless a fallback answers.
func (t *Turn) Model() string {
	if x := t.Exchange; x.Fallbacks == 0 && x.Model != "" {
		return x.Model
	}
	return t.Site.Deployment.Model
}

// Inputs returns the texts that a request for embeddings wants embedded, as strings in JSON.
func (t *Turn) Inputs() ([][]byte, error) {
	texts, ok := openai.Inputs(t.Params.Get("input"))
	if !ok {
		return nil, t.Refuse("input", "must be a text or a list of texts: "+t.Site.v.Name+" takes no tokens")
	}
	return texts, nil
}

// Rerank takes a request for reranking apart.
func (t *Turn) Rerank() (*rerank.Request, error) {
	r, param, problem := rerank.Read(t.Params.Get)
	if r == nil {
		return nil, t.Refuse(param, problem)
	}
	return r, nil
}

// Rank writes a request for reranking as most vendors take it. limit is what they call top_n.
func Rank(limit string) func(t *Turn, dst []byte) ([]byte, error) {
	return func(t *Turn, dst []byte) ([]byte, error) {
		r, err := t.Rerank()
		if err != nil {
			return nil, err
		}
		b := dialect.Build(dst)
		b.Open('{').Key("model").Raw(t.Site.Model).Key("query").Raw(r.Query).Key("documents")
		r.Texts(&b)
		b.Member(limit, r.TopN)
		for name, v := range t.Params.Rest {
			b.Member(name, v)
		}
		b.Close('}')
		return b.Bytes(), nil
	}
}

// Ranked appends the answer to a request for reranking, and counts the call if the vendor did not.
func (t *Turn) Ranked(dst []byte, id string, results []rerank.Result) []byte {
	r, _, _ := rerank.Read(t.Exchange.Body.Get)
	if r == nil {
		r = new(rerank.Request)
	}
	if t.Usage.Searches == 0 && t.Usage.Total == 0 {
		t.Usage.Searches = 1
	}
	if id == "" {
		id = string(t.Exchange.ID[:])
	}
	return r.Append(dst, id, results, t.Usage)
}

// AddHeader adds a header line to the call.
func (t *Turn) AddHeader(name, value string) {
	t.Call.Header = append(t.Call.Header, llm.Field{Name: borrow(name), Value: borrow(value)})
}

// Refuse is the error for a member of a request that cannot be sent. problem follows its name in the sentence.
func (t *Turn) Refuse(param, problem string) error {
	return &llm.Error{
		Op: t.Site.v.Name + ".Encode", Kind: llm.KindBadRequest, Provider: t.Site.v.Name, Type: "invalid_request_error",
		Param: param, Message: "`" + param + "` " + problem + ".",
	}
}

// Fail is the error of an answer, or an event, that is a refusal, with the status that it would have had.
func (t *Turn) Fail(status int, body []byte) error { return t.Site.classify(status, body, t.Header) }

// Garbled is the error for an answer that cannot be read. problem ends the sentence "The answer of X ...".
func (t *Turn) Garbled(problem string) error {
	return t.Site.garbled("The answer of " + t.Site.v.Name + " " + problem + ".")
}

func (s *Site) garbled(msg string) error {
	return &llm.Error{Op: s.v.Name + ".Decode", Kind: llm.KindBadGateway, Provider: s.v.Name, Message: msg}
}

// classify makes an error of a refusal, without the deployment's secrets in it.
func (s *Site) classify(status int, body []byte, h llm.Header) *llm.Error {
	e := openai.Classify(status, s.v.Name, body, h)
	e.Op = s.v.Name + ".Classify"
	if s.v.Classify != nil {
		s.v.Classify(s, e, body)
	}
	Hide(e, s.Deployment)
	return e
}

// Hide takes the secrets of a deployment out of an error's text, should a vendor have repeated them.
func Hide(e *llm.Error, d *llm.Deployment) {
	if len(d.APIKey) > 3 {
		e.Message = strings.ReplaceAll(e.Message, d.APIKey, "***")
	}
	for i := range d.Settings {
		if s := &d.Settings[i]; len(s.Value) > 7 && secret(s.Name) {
			e.Message = strings.ReplaceAll(e.Message, s.Value, "***")
		}
	}
}

func secret(name string) bool {
	for _, part := range [...]string{"key", "secret", "token", "password", "credential"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// Excerpt is a text of a vendor's refusal as it may stand in an error: not long, and without what looks like a key. It is
// "" for what is no text in JSON.
func Excerpt(raw []byte) string {
	const longest = 2048
	s, ok := llm.Text(raw)
	if !ok {
		return ""
	}
	return openai.Mask(strings.ToValidUTF8(string(s[:min(len(s), longest)]), ""))
}

// borrow returns the bytes of s, which must not be written to.
func borrow(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// borrowed returns b as a string for as long as b does not change.
func borrowed(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
