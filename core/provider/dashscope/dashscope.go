// Package dashscope is the provider for what Alibaba Cloud's Model Studio offers beside OpenAI's API: reranking
// (https://www.alibabacloud.com/help/en/model-studio/text-rerank-api) and images
// (https://www.alibabacloud.com/help/en/model-studio/qwen-image-api). QwenCloud and Qianwen AI Platform are the same service
// under other names.
package dashscope

import (
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors. Cloud and Platform are its other names.
const (
	Name     = "dashscope"
	Cloud    = "qwencloud"
	Platform = "qwen_ai_platform"
)

// Settings are what can be set about the provider.
type Settings struct {
	Name        string // one of the names above; "" is Name
	MaxResponse int64  // bytes of an answer; 0 is 64 MB

	Now func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	if s.Name == "" {
		s.Name = Name
	}
	return provider.Translate(provider.Translation{
		Name: s.Name, Base: "https://dashscope-intl.aliyuncs.com", Locate: locate, Classify: classify,
		KeyVars: []string{"DASHSCOPE_API_KEY"}, BaseVars: []string{"DASHSCOPE_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpRerank: {
				Path: "/compatible-api/v1/reranks", Params: []string{"top_n", "return_documents"}, Request: provider.Rank("top_n"), Answer: ranked,
			},
			llm.OpImage: {
				Path:   "/api/v1/services/aigc/multimodal-generation/generation",
				Params: []string{"n", "size", "response_format"}, Request: draw, Answer: drawn,
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// locate finds the host behind the address of the API that is OpenAI's.
func locate(s *provider.Site) (string, error) {
	base := strings.TrimRight(s.Deployment.Base, "/")
	for _, end := range [...]string{"/compatible-mode/v1", "/compatible-api/v1", "/api/v1"} {
		base = strings.TrimSuffix(base, end)
	}
	if base == "" {
		return "https://dashscope-intl.aliyuncs.com", nil
	}
	return base, nil
}

// ranked reads the results of the compatible API, and those of the older one, which stand in output.
func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	list := dialect.Get(body, "results")
	if list == nil {
		list = dialect.Get(dialect.Get(body, "output"), "results")
	}
	results, ok := rerank.ReadResults(list)
	if !ok {
		return nil, refused(t, body, "has no results")
	}
	provider.ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	return t.Ranked(dst, "", results), nil
}

func draw(t *provider.Turn, dst []byte) ([]byte, error) {
	prompt, err := t.Prompt()
	if err != nil {
		return nil, err
	}
	if err := t.Only("response_format", `"url"`, t.Params.Vendor+" gives addresses of images"); err != nil {
		return nil, err
	}
	width, height, err := t.Size()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("input").Open('{').Key("messages").Open('[').Open('{')
	b.Key("role").Lit(`"user"`).Key("content").Open('[').Open('{').Key("text").Raw(prompt).Close('}').Close(']')
	b.Close('}').Close(']').Close('}').Key("parameters").Open('{').Member("n", t.Params.Get("n"))
	if width > 0 {
		b.Key("size").Quote(strconv.Itoa(width) + "*" + strconv.Itoa(height))
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}').Close('}')
	return b.Bytes(), nil
}

func drawn(t *provider.Turn, body, dst []byte) ([]byte, error) {
	images := t.Images(dst)
	for c := dialect.Array(dialect.Get(dialect.Get(body, "output"), "choices")); c.Next(); {
		for p := dialect.Array(dialect.Get(dialect.Get(c.Value(), "message"), "content")); p.Next(); {
			images.Address(dialect.Get(p.Value(), "image"))
		}
	}
	if out, err := images.End(); err == nil {
		return out, nil
	}
	return nil, refused(t, body, "has no images")
}

// refused is the error of an answer without what it should hold: a refusal may have come with the status of a success.
func refused(t *provider.Turn, body []byte, problem string) error {
	if dialect.Get(body, "code") != nil {
		return t.Fail(400, body)
	}
	return t.Garbled(problem)
}

// classify reads {"code","message","request_id"}: https://www.alibabacloud.com/help/en/model-studio/error-code.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	e.Code = provider.Excerpt(dialect.Get(body, "code"))
	switch e.Code {
	case "InvalidApiKey":
		e.Kind, e.Status = llm.KindAuthentication, 0
	case "AccessDenied", "Model.AccessDenied", "AccessDenied.Unpurchased":
		e.Kind, e.Status = llm.KindPermission, 0
	case "DataInspectionFailed", "data_inspection_failed":
		e.Kind, e.Status = llm.KindContentPolicy, 0
	case "ModelNotFound", "model_not_found":
		e.Kind, e.Status = llm.KindNotFound, 0
	case "RequestTimeOut":
		e.Kind, e.Status = llm.KindTimeout, 0
	case "InternalError", "InternalServerError":
		e.Kind, e.Status = llm.KindInternal, 0
	case "ModelUnavailable", "ModelServingError":
		e.Kind, e.Status = llm.KindUnavailable, 0
	}
	if strings.HasPrefix(e.Code, "Throttling") {
		e.Kind, e.Status = llm.KindRateLimit, 0
	}
}
