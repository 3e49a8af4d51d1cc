package listener

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// guarded shows the guardrails of a pass-through endpoint the texts of the request, as the input of an embedding would
// be. What they change is put back into the request when it is sent.
func (c *session) guarded(g *gateway.Guards) error {
	x := &c.x
	body := append([]byte(`{"guardrails":`), g.Names...)
	body = append(body, `,"input":[`...)
	if len(x.Raw) > 0 {
		places, ok := dialect.Strings(x.Raw, g.Fields)
		if !ok {
			return &llm.Error{
				Op: "listener.guarded", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "request_body",
				Message: "The body cannot be looked at by the guardrails of this path: it must be JSON, and hold a reasonable number of texts.",
			}
		}
		for i, p := range places {
			if i > 0 {
				body = append(body, ',')
			}
			body = append(body, x.Raw[p.Start:p.End]...)
		}
	}
	body = append(body, `]}`...)
	if err := x.Body.Parse(body); err != nil {
		return invalidJSON(err)
	}
	x.Controls.Guardrails, x.Controls.Given = g.Names, true
	return nil
}
