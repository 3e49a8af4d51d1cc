package guardrail

import (
	"bytes"
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
)

// pictures reports whether an answer goes out as the vendor sent it and holds pictures that were asked for as such.
func pictures(x *llm.Exchange, r *llm.Reply) bool {
	return r.Verbatim && r.Status < 400 && (x.Op == llm.OpImage || x.Op == llm.OpImageEdit || x.Op == llm.OpImageVariation)
}

// pictures collects such an answer and shows it to the hook, which can refuse it and not change it: there are no texts in
// it. A stream is not sent before it has ended.
func (g *Guardrail) pictures(ctx context.Context, x *llm.Exchange, r *llm.Reply, inner pipeline.After) error {
	if err := collect(r); err != nil {
		return err
	}
	data, ok := r.First.Data, true
	kind, _, _ := bytes.Cut(bytes.ToLower(r.Header.Get("Content-Type")), []byte(";"))
	if string(bytes.TrimSpace(kind)) == "text/event-stream" {
		data, ok = eventList(data)
	}
	if packed := r.Header.Get("Content-Encoding"); !ok || len(packed) > 0 && !bytes.EqualFold(packed, []byte("identity")) || !object(data) {
		if g.PassHidden {
			return nil
		}
		return g.refuses(x, PostCall, "this answer", "answer was withheld")
	}
	whole := llm.Reply{Status: r.Status, Deployment: r.Deployment, Usage: r.Usage, Finish: r.Finish, First: llm.Part{Data: data}}
	return inner.After(ctx, x, &whole)
}

func object(b []byte) bool {
	var o llm.Object
	return o.Parse(b) == nil
}

// eventList is an answer whose data are those of the events of a stream.
func eventList(raw []byte) ([]byte, bool) {
	b := []byte(`{"data":[`)
	for line := range bytes.Lines(raw) {
		data, is := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("data:"))
		data = bytes.TrimSpace(data)
		if !is || len(data) == 0 || string(data) == "[DONE]" {
			continue
		}
		if !object(data) {
			return nil, false
		}
		if len(b) > len(`{"data":[`) {
			b = append(b, ',')
		}
		b = append(b, data...)
	}
	return append(b, `]}`...), true
}
