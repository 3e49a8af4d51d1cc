package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Embeddings writes an answer with embeddings, for a vendor whose answers have another form
// (https://platform.openai.com/docs/api-reference/embeddings/create).
type Embeddings struct {
	b      dialect.Builder
	n      int64
	base64 bool
}

// NewEmbeddings begins an answer. format is the request's encoding_format: with "base64" vectors are written as such,
// whatever the vendor gave.
func NewEmbeddings(dst, format []byte) *Embeddings {
	e := &Embeddings{b: dialect.Build(dst), base64: string(format) == `"base64"`}
	e.b.Open('{').Key("object").Lit(`"list"`).Key("data").Open('[')
	return e
}

// Add writes the next vector: a list of numbers in JSON, or a string with base64. It returns false for anything else.
func (e *Embeddings) Add(vector []byte) bool { return e.AddFor(e.n, vector) }

// AddFor writes the next vector, which is of the input at an index: of one there may be several.
func (e *Embeddings) AddFor(index int64, vector []byte) bool {
	if len(vector) == 0 || vector[0] != '[' && vector[0] != '"' {
		return false
	}
	e.b.Open('{').Key("object").Lit(`"embedding"`).Key("index").Int(index).Key("embedding")
	e.n++
	if e.base64 && vector[0] == '[' {
		packed, ok := pack(vector)
		if !ok {
			return false
		}
		vector = packed
	}
	e.b.Raw(vector).Close('}')
	return true
}

// pack writes numbers as the API does in base64: floats of four bytes, the lowest first.
func pack(list []byte) ([]byte, bool) {
	raw := make([]byte, 0, len(list)/2)
	c := dialect.Array(list)
	for c.Next() {
		f, err := strconv.ParseFloat(borrowedText(c.Value()), 32)
		if err != nil {
			return nil, false
		}
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(f)))
	}
	out := base64.StdEncoding.AppendEncode([]byte{'"'}, raw)
	return append(out, '"'), !c.Broken()
}

// End ends the answer and returns it.
func (e *Embeddings) End(model string, u llm.Usage) []byte {
	e.b.Close(']').Key("model").Quote(model).Key("usage").Open('{')
	e.b.Key("prompt_tokens").Int(u.Prompt).Key("total_tokens").Int(max(u.Total, u.Prompt)).Close('}').Close('}')
	return e.b.Bytes()
}

// Len is how many vectors were written.
func (e *Embeddings) Len() int64 { return e.n }

// Inputs returns the texts that a request wants embedded, as strings in JSON. ok is false if they are something else,
// such as tokens.
func Inputs(input []byte) (texts [][]byte, ok bool) {
	if len(input) == 0 {
		return nil, false
	}
	if input[0] == '"' {
		return [][]byte{input}, true
	}
	c := dialect.Array(input)
	for c.Next() {
		if c.First() != '"' {
			return nil, false
		}
		texts = append(texts, c.Value())
	}
	return texts, len(texts) > 0 && !c.Broken()
}

// Float reads a number in JSON. What is none, or below 0, is 0.
func Float(raw []byte) float64 {
	f, err := strconv.ParseFloat(borrowedText(raw), 64)
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return 0
	}
	return f
}
