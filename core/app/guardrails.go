package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/pipeline/guardrail"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// guardrails loads the plugins of the guardrails section, in its order.
func (b *builder) guardrails(ctx context.Context, out *loaded) []pipeline.Hook {
	var hooks []pipeline.Hook
	for i, g := range b.cfg.Guardrails {
		setting := fmt.Sprintf("guardrails[%d].litellm_params", i)
		entry := &guardrail.Guardrail{Name: g.Name, DefaultOn: g.Params.DefaultOn, Modes: modes(g.Params.Mode), PassHidden: g.Params.OnUnreadable == "pass"}
		used := usedModes(&entry.Modes)
		if len(used) == 0 {
			b.mistake(setting+".mode", fmt.Errorf("no mode is named: write pre_call, during_call or post_call"))
			continue
		}
		if err := b.firstParty(&g.Params, entry); err != nil {
			b.mistake(setting+".guardrail", err)
			continue
		}
		p, err := b.load(ctx, out, g.Name, g.Params.Guardrail, "guardrail "+g.Name+", "+strings.Join(used, ", "), g.Params.PluginOptions)
		if err != nil {
			b.mistake(setting+".guardrail", err)
			continue
		}
		settings, err := guardSettings(p, entry, g.Params)
		if err != nil {
			b.mistake(setting+".mode", err)
			continue
		}
		if err := settings.Windows.Check(); err != nil {
			b.mistake(setting, err)
			continue
		}
		if entry.Modes.Has(guardrail.LoggingOnly) {
			b.sinks.loggingOnly(entry, p)
		}
		all := parts(p, p.Guardrail(settings))
		all.Again = settings.Retries > 0
		hooks = append(hooks, entry.Hooks(all)...)
	}
	if len(b.sinks.guards) > 0 {
		hooks = append(hooks, pipeline.Hook{Name: guardrail.LoggingOnly, Do: asChat{}})
	}
	return hooks
}

func modes(m config.GuardrailMode) guardrail.Modes {
	return guardrail.Modes{Always: m.Always, Tags: m.Tags, Default: m.Default}
}

// usedModes are the modes that count for some request, in the order of a request's way.
func usedModes(m *guardrail.Modes) []string {
	var used []string
	for _, mode := range []string{guardrail.PreCall, guardrail.DuringCall, guardrail.PostCall, guardrail.LoggingOnly} {
		if m.Has(mode) {
			used = append(used, mode)
		}
	}
	return used
}

// guardSettings checks that the plugin can do what its modes ask of it.
func guardSettings(p *wasm.Plugin, g *guardrail.Guardrail, params config.GuardrailParams) (wasm.GuardSettings, error) {
	s := wasm.GuardSettings{
		Name: g.Name, Respond: openai.FinishedReply, Buffer: params.Stream == "buffer",
		Windows: wasm.WindowSettings{Chars: params.WindowChars, WaitMS: params.WindowMS, Holdback: params.Holdback},
	}
	needs := []struct {
		mode  string
		hooks []abi.Hook // one of them
	}{
		{guardrail.PreCall, []abi.Hook{abi.HookRequest}},
		{guardrail.DuringCall, []abi.Hook{abi.HookModeration}},
		{guardrail.PostCall, []abi.Hook{abi.HookResponse, abi.HookStreamChunk}},
		{guardrail.LoggingOnly, []abi.Hook{abi.HookLog, abi.HookRequest}},
	}
	for _, n := range needs {
		if g.Modes.Has(n.mode) && !hasOne(p, n.hooks) {
			return s, fmt.Errorf("mode %s needs a plugin with the hook %s, which %s does not have", n.mode, hookList(n.hooks), p.Name())
		}
	}
	if s.Buffer && !p.Has(abi.HookResponse) {
		return s, fmt.Errorf("stream: buffer needs a plugin with the hook response, which %s does not have", p.Name())
	}
	if n := params.MaxRetries; n != nil {
		s.Retries = *n
	}
	switch {
	case s.Retries < 0 || s.Retries > 10:
		return s, fmt.Errorf("max_retries must be 0 to 10")
	case s.Retries > 0 && (!p.Has(abi.HookResponse) || !g.Modes.Has(guardrail.PostCall)):
		return s, fmt.Errorf("max_retries needs the mode post_call and a plugin with the hook response")
	}
	return s, nil
}

func hasOne(p *wasm.Plugin, hooks []abi.Hook) bool {
	for _, h := range hooks {
		if p.Has(h) {
			return true
		}
	}
	return false
}

func hookList(hooks []abi.Hook) string {
	var names []string
	for _, h := range hooks {
		names = append(names, h.String())
	}
	return strings.Join(names, " or ")
}

// parts are what the plugin can do.
func parts(p *wasm.Plugin, g *wasm.Guardrail) guardrail.Parts {
	parts := guardrail.Parts{Before: g, During: g, After: g, Stream: g, Media: p.Media()}
	if p.Has(abi.HookFailure) {
		parts.Failure = g
	}
	return parts
}
