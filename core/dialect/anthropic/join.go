package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Joiner makes one whole answer of the events of a streamed one, for an answer that is streamed although nobody asked.
// It decodes, so it is not for the usual path. The zero value is ready.
type Joiner struct {
	message map[string]any
	blocks  []map[string]any
	partial []bytes.Buffer // the pieces of each block's input
}

// maxBlocks is how many content blocks are joined.
const maxBlocks = 4096

// Add takes the next event, which must be data that ScanEvent took.
func (j *Joiner) Add(e *Event) error {
	switch e.Kind {
	case MessageStart:
		return decode(e.Value, &j.message)
	case BlockStart:
		return j.start(e)
	case BlockDelta:
		return j.delta(e)
	case MessageDelta:
		return j.end(e)
	}
	return nil
}

func (j *Joiner) start(e *Event) error {
	if len(j.blocks) == maxBlocks {
		return errors.New("it has too many content blocks")
	}
	var block map[string]any
	if err := decode(e.Value, &block); err != nil {
		return err
	}
	j.blocks, j.partial = append(j.blocks, block), append(j.partial, bytes.Buffer{})
	return nil
}

func (j *Joiner) delta(e *Event) error {
	if e.Index >= int64(len(j.blocks)) {
		return errors.New("a delta belongs to no content block")
	}
	block := j.blocks[e.Index]
	switch e.Delta {
	case TextDelta:
		return add(block, "text", e.Text)
	case ThinkingDelta:
		return add(block, "thinking", e.Text)
	case SignatureDelta:
		return add(block, "signature", e.Text)
	case InputDelta:
		s, ok := llm.Text(e.Text)
		if !ok {
			return errors.New("a piece of an input is not a string")
		}
		j.partial[e.Index].Write(s)
	case CitationsDelta:
		var citation any
		if err := decode(e.Text, &citation); err != nil {
			return err
		}
		list, _ := block["citations"].([]any)
		block["citations"] = append(list, citation)
	}
	return nil
}

func add(block map[string]any, key string, piece []byte) error {
	s, ok := llm.Text(piece)
	if !ok {
		return errors.New("a piece of a " + key + " is not a string")
	}
	was, _ := block[key].(string)
	block[key] = was + string(s)
	return nil
}

// end takes what a message_delta says about the message. The counts of its usage are cumulative.
func (j *Joiner) end(e *Event) error {
	if j.message == nil {
		return errors.New("it has no message_start")
	}
	var delta, counts map[string]any
	if err := decode(e.Value, &delta); err != nil {
		return err
	}
	for k, v := range delta {
		j.message[k] = v
	}
	if e.Usage == nil {
		return nil
	}
	if err := decode(e.Usage, &counts); err != nil {
		return err
	}
	usage, _ := j.message["usage"].(map[string]any)
	if usage == nil {
		usage = map[string]any{}
		j.message["usage"] = usage
	}
	for k, v := range counts {
		if v != nil {
			usage[k] = v
		}
	}
	return nil
}

// Append appends the whole answer to dst.
func (j *Joiner) Append(dst []byte) ([]byte, error) {
	if j.message == nil {
		return dst, errors.New("it has no message_start")
	}
	content := make([]any, len(j.blocks))
	for i, b := range j.blocks {
		if j.partial[i].Len() > 0 {
			if !json.Valid(j.partial[i].Bytes()) {
				return dst, errors.New("the input of a tool is not JSON")
			}
			b["input"] = json.RawMessage(j.partial[i].Bytes())
		}
		content[i] = b
	}
	j.message["content"] = content
	out, err := json.Marshal(j.message)
	return append(dst, out...), err
}

func decode(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return errors.New("an event is not JSON")
	}
	return nil
}
