package app

import (
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Ask answers an exchange that did not come over HTTP; see gateway.Gateway.Serve. The model that the operator chose for
// requests of its kind takes the place of the one it names, or of none.
func (a *App) Ask(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	edge := a.gateway.Edge()
	if forced := edge.ForceModel[x.Op]; forced != "" && (x.Model == "" || x.Op == llm.OpEmbedding) {
		x.Model = forced
	}
	if x.Model == "" {
		x.Model = edge.DefaultModel[x.Op]
	}
	return a.gateway.Serve(ctx, x)
}

// MasterKey is the administrator's key; empty if there is none.
func (a *App) MasterKey() string { return a.settings().GeneralSettings.MasterKey.Reveal() }
