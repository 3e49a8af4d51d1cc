package wasm

import (
	"context"
	"errors"
	"math"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// RouteFilter presents the plugin's route hook as a filter of the router. A plugin that names a deployment it was not
// given, or one twice, has failed. When it failed, the router chooses without it, if Settings.OnError is FailOpen; else
// the request is refused with an error of kind llm.KindInternal that says nothing but the name.
func (p *Plugin) RouteFilter() router.Filter { return &routeFilter{p, p.manifest.needs()} }

type routeFilter struct {
	p     *Plugin
	needs needs
}

// Filter implements router.Filter.
func (f *routeFilter) Filter(ctx context.Context, x *llm.Exchange, list []router.Candidate) (keep []int, ordered bool, err error) {
	err = f.p.use(ctx, func(in *instance) error {
		if in.view, err = f.view(in.view[:0], x, list); err != nil {
			return err
		}
		if len(in.view) > f.p.limits.maxView() {
			return ErrSize
		}
		out, err := in.call(abi.HookRoute, in.view, x)
		if out == nil || err != nil {
			return err
		}
		keep, ordered, err = readRoute(out, list)
		return err
	})
	if err == nil {
		return keep, ordered, nil
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil, false, llm.AsError(err)
	}
	if f.p.onError == FailOpen {
		f.p.log.Warn("the route hook failed and the deployment was chosen without it (on_error is fail_open)", "error", err)
		return nil, false, nil
	}
	return nil, false, f.p.internal("wasm.RouteFilter", "Plugin "+f.p.name+" failed, so no deployment was chosen.", err)
}

func (f *routeFilter) view(dst []byte, x *llm.Exchange, list []router.Candidate) (_ []byte, err error) {
	if dst, err = appendRequest(dst, x, &f.needs); err != nil {
		return dst, err
	}
	if x.Retries > 0 {
		dst = abi.AppendNumber(dst, abi.TagRetries, uint64(x.Retries))
	}
	for _, t := range openai.Tags(x) {
		dst = appendText(dst, abi.TagTag, t)
	}
	for i := range list {
		dst = appendDeployment(dst, &list[i])
	}
	return dst, nil
}

func appendDeployment(dst []byte, c *router.Candidate) []byte {
	dst, mark := abi.Open(dst, abi.TagDeployment)
	dst = abi.AppendText(dst, abi.TagDeploymentID, c.ID)
	dst = appendText(dst, abi.TagModel, c.Group)
	dst = appendText(dst, abi.TagVendorModel, c.Model)
	dst = appendText(dst, abi.TagProvider, c.Provider)
	dst = appendText(dst, abi.TagBase, c.Base)
	for _, t := range c.Tags {
		dst = appendText(dst, abi.TagTag, t)
	}
	double := func(tag abi.Tag, f float64) {
		if f != 0 {
			dst = abi.AppendNumber(dst, tag, math.Float64bits(f))
		}
	}
	double(abi.TagWeight, c.Weight)
	double(abi.TagRPM, c.RPM)
	double(abi.TagTPM, c.TPM)
	if n := c.Counts.InFlight; n > 0 {
		dst = abi.AppendNumber(dst, abi.TagInFlight, uint64(n))
	}
	if len(c.Info) > 0 {
		dst = appendTree(dst, abi.TagInfo, c.Info)
	}
	return abi.Close(dst, mark)
}

// readRoute reads the places of the deployments that the plugin named.
func readRoute(out []byte, list []router.Candidate) (keep []int, ordered bool, err error) {
	h := head{}
	keep = []int{}
	seen := make([]bool, len(list))
	r := abi.Reader{Rest: out}
	for r.Next() {
		switch r.Tag {
		case abi.TagOrdered:
			ordered = r.Number() == 1
		case abi.TagDeploymentID:
			at := place(list, r.Value)
			if at < 0 || seen[at] {
				return nil, false, broken("the route hook names the deployment %q, which it was not given or has named before", clean(r.Value))
			}
			seen[at] = true
			keep = append(keep, at)
		default:
			h.read(&r)
		}
	}
	verdict, err := h.end(&r)
	switch {
	case err != nil:
		return nil, false, err
	case verdict == abi.VerdictContinue:
		return nil, false, nil
	case verdict != abi.VerdictEdit:
		return nil, false, broken("verdict %d of the route hook", verdict)
	}
	return keep, ordered, nil
}

func place(list []router.Candidate, id []byte) int {
	for i := range list {
		if list[i].ID == string(id) {
			return i
		}
	}
	return -1
}
