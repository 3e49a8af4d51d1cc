// Package snowflake is the provider for embeddings with Snowflake Cortex, whose chats are those of OpenAI's API
// (https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api/embed-api).
package snowflake

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "snowflake"

// Settings are what can be set about the provider.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Locate: locate, KeyVars: []string{"SNOWFLAKE_JWT", "SNOWFLAKE_PAT", "SNOWFLAKE_API_KEY"},
		BaseVars: []string{"SNOWFLAKE_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {Path: "/inference:embed", Params: []string{"encoding_format"}, Request: embed, Answer: embedded},
		},
		MaxResponse: s.MaxResponse,
	})
}

func locate(s *provider.Site) (string, error) {
	return strings.TrimSuffix(s.Deployment.Base, "/v1"), nil
}

func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	inputs, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("text").Open('[')
	for _, in := range inputs {
		b.Raw(in)
	}
	b.Close(']').Key("model").Raw(t.Site.Model)
	t.Params.Get("encoding_format")
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// embedded reads embeddings that are lists of one list each.
func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	for c := dialect.Array(dialect.Get(body, "data")); c.Next(); {
		vector := dialect.Get(c.Value(), "embedding")
		if inner := dialect.Array(vector); inner.Next() && inner.First() == '[' {
			vector = inner.Value()
		}
		if !e.Add(vector) {
			return nil, t.Garbled("holds an embedding that is no list of numbers")
		}
	}
	if e.Len() == 0 {
		if dialect.Get(body, "message") != nil || dialect.Get(body, "error") != nil {
			return nil, t.Fail(400, body)
		}
		return nil, t.Garbled("has no embeddings")
	}
	provider.ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	t.Usage.Prompt = max(t.Usage.Prompt, t.Usage.Total)
	return e.End(t.Model(), t.Usage), nil
}
