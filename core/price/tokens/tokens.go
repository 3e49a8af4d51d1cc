// Package tokens counts tokens without network: texts with the byte-pair vocabularies of OpenAI, which the program
// carries compressed and unpacks when the first text is counted, and chats by the rules that OpenAI documents. Models of
// other vendors, whose vocabularies are not public or not alike, are counted with cl100k_base, as in the reference
// (litellm/litellm_core_utils/token_counter.py); the vendor's own count may differ by a fifth.
package tokens

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
)

//go:generate go run ../../internal/vocabgen

// Encoding is a vocabulary.
type Encoding uint8

// The vocabularies there are.
const (
	CL100K Encoding = iota // cl100k_base: GPT-3.5, GPT-4, embeddings
	O200K                  // o200k_base: GPT-4o and later
	encodings
)

// String returns the name that tiktoken has for the vocabulary.
func (e Encoding) String() string {
	if e == O200K {
		return "o200k_base"
	}
	return "cl100k_base"
}

// EncodingOf returns the vocabulary of a model (https://github.com/openai/tiktoken/blob/main/tiktoken/model.py). A
// provider in front of the name, and what marks a fine-tuned model, make no difference.
func EncodingOf(model string) Encoding {
	model = strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	model = strings.TrimPrefix(model, "ft:")
	for _, p := range []string{
		"gpt-4o", "gpt-4.1", "gpt-4.5", "chatgpt-4o", "chatgpt-image", "gpt-oss", "gpt-audio", "gpt-realtime", "gpt-image",
		"computer-use", "codex-mini", "o1", "o3", "o4",
	} {
		if rest, ok := strings.CutPrefix(model, p); ok && (rest == "" || rest[0] == '-' || rest[0] == ':' || len(p) > 2) {
			return O200K
		}
	}
	if rest, ok := strings.CutPrefix(model, "gpt-"); ok && rest != "" && rest[0] >= '5' && rest[0] <= '9' {
		return O200K
	}
	return CL100K
}

// Counter counts tokens. The zero Counter is ready and has the built-in vocabularies. It is safe for concurrent use.
type Counter struct {
	vocab [encodings]struct {
		once sync.Once
		v    *vocabulary
	}
	scratch sync.Pool // of *merger
}

// New makes a counter that uses the vocabularies in a directory where they are there, and the built-in ones where not.
// The files are those of tiktoken's cache, named by the SHA-1 of the address they came from, or by the vocabulary, such as
// o200k_base.tiktoken. The error names a file that cannot be used. An empty dir is no directory.
func New(dir string) (*Counter, error) {
	c := &Counter{}
	if dir == "" {
		return c, nil
	}
	for e := range encodings {
		v, err := readDir(dir, e)
		if err != nil {
			return nil, fmt.Errorf("tokens: %w", err)
		}
		if v != nil {
			c.vocab[e].once.Do(func() { c.vocab[e].v = v })
		}
	}
	return c, nil
}

// get returns a vocabulary, unpacking it the first time.
func (c *Counter) get(e Encoding) *vocabulary {
	slot := &c.vocab[e]
	slot.once.Do(func() { slot.v = builtin(e) })
	return slot.v
}

// CountText returns the number of tokens of a text. Text that looks like a special token is counted as text.
func (c *Counter) CountText(model, text string) int {
	return c.count(EncodingOf(model), text)
}

func (c *Counter) count(e Encoding, text string) (n int) {
	if text == "" {
		return 0
	}
	v := c.get(e)
	m, _ := c.scratch.Get().(*merger)
	if m == nil {
		m = &merger{}
	}
	for text != "" {
		end := next(e, text)
		n += m.count(v, text[:end])
		text = text[end:]
	}
	if cap(m.nodes) <= maxScratch {
		c.scratch.Put(m)
	}
	return n
}

// Estimate is a number of tokens that a request of these bytes will hardly exceed, for reserving a budget before a call.
// It is a count of bytes: half of the ASCII ones, since English has four to a token, code three and digits two or three,
// and all others, since a rare script may take a token a byte. Text of symbols without letters, or of single digits, may
// exceed it. It takes less than 200 ns for 2 KB.
func Estimate(body []byte) int64 {
	const tops = 0x8080808080808080
	n, other := len(body), 0
	for len(body) >= 32 {
		// Each byte of sum counts the bytes of its column that are not ASCII; it has room for 255.
		sum := uint64(0)
		for range 63 {
			if len(body) < 32 {
				break
			}
			sum += binary.LittleEndian.Uint64(body)&tops>>7 + binary.LittleEndian.Uint64(body[8:])&tops>>7 +
				binary.LittleEndian.Uint64(body[16:])&tops>>7 + binary.LittleEndian.Uint64(body[24:])&tops>>7
			body = body[32:]
		}
		const pairs = 0x00ff00ff00ff00ff
		other += int((sum&pairs + sum>>8&pairs) * 0x0001000100010001 >> 48)
	}
	for _, b := range body {
		other += int(b >> 7)
	}
	return int64((n-other+1)/2 + other)
}
