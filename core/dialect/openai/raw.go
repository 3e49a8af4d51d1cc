package openai

import (
	"io"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// RawReply is a reply of the gateway's own that was given as a whole answer in JSON. Its model becomes x.Model. If
// x.Streamed asks for a stream, the answer is split into one. Bytes that are not an answer are an *llm.Error of kind
// llm.KindInvalid.
func RawReply(x *llm.Exchange, whole []byte) (*llm.Reply, error) {
	s, ok := Scan(whole)
	if !ok {
		return nil, notAnAnswer("it is not a JSON object")
	}
	whole = SetModel(nil, whole, s.Model, x.Model)
	r := &llm.Reply{Status: 200, Began: time.Now(), Usage: s.Usage, Finish: s.Finish}
	if !x.Streamed || !x.Op.Streams() {
		r.First, r.Rest = llm.Part{Data: whole}, nothing{}
		return r, nil
	}
	chunks, err := Split(whole, x.WantUsage)
	if err != nil {
		return nil, notAnAnswer(err.Error())
	}
	rest := parts(chunks)
	r.Streamed, r.Rest = true, &rest
	return r, rest.Next(&r.First)
}

func notAnAnswer(why string) error {
	return &llm.Error{
		Op: "openai.RawReply", Kind: llm.KindInvalid, Message: "The answer that was given cannot be used: " + why + ".",
	}
}

// parts is a stream of parts that are all there.
type parts [][]byte

// Next implements llm.Stream.
func (l *parts) Next(p *llm.Part) error {
	if len(*l) == 0 {
		return io.EOF
	}
	*p = llm.Part{Data: (*l)[0], More: len(*l) > 1}
	*l = (*l)[1:]
	return nil
}

// Close implements llm.Stream.
func (l *parts) Close() error { return nil }
