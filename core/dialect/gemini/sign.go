package gemini

import (
	"bytes"
	std "encoding/base64"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// A thoughtSignature is bytes, written in base64, and clients decode and encode it on the way. Signatures of other vendors
// are mostly base64 too and pass as they are. What is not, and what else a vendor wants back, is put into base64 behind
// one of these words.
const (
	sealSignature = "sallyport signature:"
	sealRedacted  = "sallyport redacted:"
)

// seal is the thoughtSignature for a signature of any vendor, without quotes.
func seal(signature string) string {
	if _, err := std.StdEncoding.Strict().DecodeString(signature); err == nil {
		return signature
	}
	return std.StdEncoding.EncodeToString([]byte(sealSignature + signature))
}

// sealData is the thoughtSignature for a block whose thoughts are not to be read.
func sealData(data string) string { return std.StdEncoding.EncodeToString([]byte(sealRedacted + data)) }

// unseal takes a thoughtSignature apart. Clients may have written it in the other alphabet of base64.
func unseal(raw []byte) (signature, redacted string) {
	if dialect.Blank(raw) {
		return "", ""
	}
	s := base64(raw[1 : len(raw)-1])
	b, err := std.StdEncoding.DecodeString(string(s))
	if err != nil {
		return plain(raw), ""
	}
	if v, ok := bytes.CutPrefix(b, []byte(sealSignature)); ok {
		return string(v), ""
	}
	if v, ok := bytes.CutPrefix(b, []byte(sealRedacted)); ok {
		return "", string(v)
	}
	return string(s), ""
}

// appendBlocks appends the thinking blocks (https://docs.litellm.ai/docs/reasoning_content) for the thoughts of a turn,
// and returns all that was thought, as the inside of a JSON string. A stream leaves thoughts in pieces, of which the last
// has the signature: they are put together again.
func appendBlocks(dst []byte, list [][]byte) (_, said []byte) {
	var open []byte // pieces without a signature so far
	some, first := false, true
	begin := func() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
	}
	dst = append(dst, '[')
	for _, raw := range list {
		var p Part
		ScanPart(raw, &p)
		if len(p.Text) > 2 {
			open = append(open, p.Text[1:len(p.Text)-1]...)
			said = append(said, p.Text[1:len(p.Text)-1]...)
		}
		some = true
		if dialect.Blank(p.Signature) {
			continue
		}
		signature, redacted := unseal(p.Signature)
		begin()
		if redacted != "" {
			dst = append(llm.AppendQuoted(append(dst, `{"type":"redacted_thinking","data":`...), redacted), '}')
			continue
		}
		dst = append(append(dst, `{"type":"thinking","thinking":"`...), open...)
		dst = append(llm.AppendQuoted(append(dst, `","signature":`...), signature), '}')
		open, some = nil, false
	}
	if some && len(open) > 0 {
		begin()
		dst = append(append(append(dst, `{"type":"thinking","thinking":"`...), open...), `"}`...)
	}
	return append(dst, ']'), said
}

// appendThoughts appends thinking blocks as parts.
func appendThoughts(dst, blocks []byte, start int) []byte {
	for c := dialect.Array(blocks); c.Next(); {
		b := c.Value()
		if string(dialect.Get(b, "type")) == `"redacted_thinking"` {
			dst = append(comma(dst, start), `{"text":"","thought":true,"thoughtSignature":`...)
			dst = append(llm.AppendQuoted(dst, sealData(plain(dialect.Get(b, "data")))), '}')
			continue
		}
		said, signature := dialect.Get(b, "thinking"), dialect.Get(b, "signature")
		if dialect.Blank(said) && dialect.Blank(signature) {
			continue
		}
		if dialect.Blank(said) {
			said = []byte(`""`)
		}
		dst = append(append(append(comma(dst, start), `{"text":`...), said...), `,"thought":true`...)
		if !dialect.Blank(signature) {
			dst = llm.AppendQuoted(append(dst, `,"thoughtSignature":`...), seal(plain(signature)))
		}
		dst = append(dst, '}')
	}
	return dst
}

// comma separates what is appended to a list whose items begin at start.
func comma(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ',')
	}
	return dst
}
