package wasm

import (
	"context"
	"maps"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// KeyGenerate asks the plugin's key_generate hook whether a virtual key may be made. x is the request for it, with its
// principal; params are what /key/generate was sent. It returns the parameters to make the key with: params itself, or
// a copy with the plugin's changes. A refusal is an *llm.Error of kind llm.KindAuth with status 403 and the plugin's
// message (custom_key_generate of litellm/proxy/management_endpoints/key_management_endpoints.py). When the plugin
// failed, no key is made, unless Settings.OnError is FailOpen.
func (p *Plugin) KeyGenerate(ctx context.Context, x *llm.Exchange, params map[string]any) (map[string]any, error) {
	changed := params
	err := p.use(ctx, func(in *instance) (err error) {
		in.view = appendExchange(in.view[:0], x)
		if x.Principal != nil {
			in.view = appendCaller(in.view, x.Principal)
		}
		if in.view, err = abi.AppendMap(in.view, abi.TagParams, params); err != nil {
			return invalid(err.Error())
		}
		if len(in.view) > p.limits.maxView() {
			return ErrSize
		}
		out, err := in.call(abi.HookKeyGenerate, in.view, x)
		if out == nil || err != nil {
			return err
		}
		changed, err = readKey(out, params)
		return err
	})
	if err == nil {
		return changed, nil
	}
	if isRefusal(err) {
		return nil, err
	}
	if p.onError == FailOpen {
		p.log.Warn("the key_generate hook failed and the key was made all the same (on_error is fail_open)", "error", err)
		return params, nil
	}
	return nil, p.internal("wasm.KeyGenerate", "Plugin "+p.name+" failed, so no key was made.", err)
}

// isRefusal reports whether an error is meant for the caller.
func isRefusal(err error) bool {
	_, ok := err.(*llm.Error) //nolint:errorlint // the functions of this package return it bare
	return ok
}

func readKey(out []byte, params map[string]any) (map[string]any, error) {
	var h head
	var changes map[string]any
	r := abi.Reader{Rest: out}
	for r.Next() {
		if r.Tag != abi.TagParams {
			h.read(&r)
			continue
		}
		m, err := abi.Map(r.Value)
		if err != nil {
			return nil, broken("parameters: %v", err)
		}
		changes = m
	}
	verdict, err := h.end(&r)
	if err != nil {
		return nil, err
	}
	switch verdict {
	case abi.VerdictContinue:
		return params, nil
	case abi.VerdictEdit:
		edited := maps.Clone(params)
		if edited == nil {
			edited = map[string]any{}
		}
		maps.Copy(edited, changes)
		return edited, nil
	case abi.VerdictReject:
		return nil, &llm.Error{
			Op: "wasm.KeyGenerate", Kind: llm.KindAuth, Status: 403,
			Message: otherwise(h.reason, "The key was refused by a plugin."),
		}
	}
	return nil, broken("verdict %d of the key_generate hook", verdict)
}
