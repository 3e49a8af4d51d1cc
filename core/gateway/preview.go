package gateway

import (
	"context"
	"errors"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Preview makes the call for an exchange as Serve would, up to the point where it is sent, and shows it instead. No hook
// looks at the exchange, and nothing is recorded. The call is valid until show returns.
func (g *Gateway) Preview(ctx context.Context, x *llm.Exchange, show func(d *llm.Deployment, c *llm.Call)) (err error) {
	t := begin(ctx, g, x)
	t.quiet = true
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
		if err != nil {
			err = llm.AsError(err)
		}
		t.finish(nil, nil)
	}()
	if err := t.authenticate(ctx); err != nil {
		return err
	}
	if err := t.Router.Plan(x, &t.plan); err != nil {
		return err
	}
	t.routed = true
	d, err := t.plan.Next(ctx, nil)
	if err != nil {
		return err
	}
	endpoint, ok := d.Bound.(provider.Endpoint)
	if !ok {
		return &llm.Error{Op: "gateway.Preview", Kind: llm.KindInternal, Err: errors.New("the deployment is not bound")}
	}
	t.call.Reset()
	if err := endpoint.Encode(x, &t.call); err != nil {
		return err
	}
	t.Forward.add(x, d, &t.call)
	show(d, &t.call)
	return nil
}
