package openai

import (
	"bytes"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// ApplyHeaders reads the request headers that say the same as a control in the body: x-litellm-timeout,
// x-litellm-stream-timeout (seconds) and x-litellm-num-retries. As in the reference, a header wins over the body, so
// it is called after Decode. A value that cannot be used is an *llm.Error of kind llm.KindInvalid that names it.
func ApplyHeaders(x *llm.Exchange) error {
	for i := range x.Header {
		f := &x.Header[i]
		if len(f.Name) < len(headerPrefix) || !llm.EqualFold(f.Name[:len(headerPrefix)], headerPrefix) {
			continue
		}
		if err := applyHeader(&x.Controls, f.Name, bytes.TrimSpace(f.Value)); err != nil {
			return err
		}
	}
	return nil
}

const headerPrefix = "x-litellm-"

func applyHeader(c *llm.Controls, name, value []byte) error {
	switch {
	case llm.EqualFold(name, "x-litellm-timeout"):
		return applySeconds(&c.Timeout, "x-litellm-timeout", value)
	case llm.EqualFold(name, "x-litellm-stream-timeout"):
		return applySeconds(&c.StreamTimeout, "x-litellm-stream-timeout", value)
	case llm.EqualFold(name, "x-litellm-num-retries"):
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 || n > maxRetries {
			return invalid("x-litellm-num-retries", "(a header) must be a whole number from 0 to "+strconv.Itoa(maxRetries))
		}
		c.Retries = n
	}
	return nil
}

func applySeconds(dst *time.Duration, name string, value []byte) error {
	d, ok := seconds(value)
	if !ok {
		return invalid(name, "(a header) must be a number of seconds above 0")
	}
	*dst = d
	return nil
}

// Tags returns the request's tags: those of the x-litellm-tags header (a comma list) if it is there, else those of the
// body's tags, else those of metadata.tags. The strings are the caller's to keep. It allocates only if there are tags.
func Tags(x *llm.Exchange) []string {
	var tags []string
	if line := x.Header.Get("x-litellm-tags"); line != nil {
		for tag := range bytes.SplitSeq(line, []byte{','}) {
			if tag = bytes.TrimSpace(tag); len(tag) > 0 {
				tags = append(tags, string(tag))
			}
		}
		return tags
	}
	var raw []byte
	if x.Controls.Given {
		raw = x.Body.Get("tags")
	}
	if dialect.Null(raw) && x.Controls.Metadata != nil {
		raw = dialect.Get(x.Controls.Metadata, "tags")
	}
	if raw == nil {
		return nil
	}
	for c := dialect.Array(raw); c.Next(); {
		if tag, ok := llm.Text(c.Value()); ok && len(tag) > 0 {
			tags = append(tags, string(tag))
		}
	}
	return tags
}
