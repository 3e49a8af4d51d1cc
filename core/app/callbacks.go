package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/pipeline/guardrail"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// sinkTimeout bounds one batch for a plugin, the attempts after failures included.
const sinkTimeout = 2 * time.Minute

// sinks collects who gets records.
type sinks struct {
	plugins []namedSink
	maskers []callback.Masker
	guards  []*guardrail.Guardrail // those with mode logging_only
	content bool                   // somebody gets what was asked and answered
}

type namedSink struct {
	name string
	sink callback.Sink
}

// callbackPlugin is one plugin of the lists of callbacks.
type callbackPlugin struct {
	setting               string
	path                  string
	success, failure, all bool
}

// callbackPlugins lists the plugins in the three lists, each once, in the order of their first appearance.
func (b *builder) callbackPlugins() []*callbackPlugin {
	lite := b.cfg.LiteLLMSettings
	var out []*callbackPlugin
	add := func(key string, list []string, mark func(*callbackPlugin)) {
		for i, path := range list {
			if !strings.HasSuffix(path, ".wasm") {
				continue
			}
			at := slices.IndexFunc(out, func(p *callbackPlugin) bool { return p.path == path })
			if at < 0 {
				at = len(out)
				out = append(out, &callbackPlugin{setting: fmt.Sprintf("litellm_settings.%s[%d]", key, i), path: path})
			}
			mark(out[at])
		}
	}
	add("callbacks", lite.Callbacks, func(p *callbackPlugin) { p.all, p.success, p.failure = true, true, true })
	add("success_callback", lite.SuccessCallback, func(p *callbackPlugin) { p.success = true })
	add("failure_callback", lite.FailureCallback, func(p *callbackPlugin) { p.failure = true })
	return out
}

// callbacks loads the plugins among the callbacks. One of litellm_settings.callbacks may have the hooks of a guardrail
// besides, or instead: it then looks at every exchange, as an instance of CustomLogger does in the reference.
func (b *builder) callbacks(ctx context.Context, out *loaded) (hooks []pipeline.Hook) {
	for _, c := range b.callbackPlugins() {
		name := strings.TrimSuffix(c.path[strings.LastIndexByte(c.path, '/')+1:], ".wasm")
		o := b.cfg.CallbackOptions(c.path)
		p, err := b.load(ctx, out, name, c.path, "callback", o)
		if err != nil {
			b.mistake(c.setting, err)
			continue
		}
		guards := c.all && hasOne(p, guardHooks())
		if !p.Has(abi.HookLog) && !guards {
			b.mistake(c.setting, errors.New("the plugin has no log hook, so it cannot be a callback"))
			continue
		}
		if p.Has(abi.HookLog) {
			b.sinks.add(name, p, wasm.SinkOptions{Success: c.success, Failure: c.failure})
		}
		if guards {
			hooks = append(hooks, everyHook(name, p)...)
		}
	}
	return hooks
}

func guardHooks() []abi.Hook {
	return []abi.Hook{abi.HookRequest, abi.HookModeration, abi.HookResponse, abi.HookStreamChunk, abi.HookFailure}
}

// everyHook makes a guardrail of a plugin that looks at every exchange, with all hooks that it has.
func everyHook(name string, p *wasm.Plugin) []pipeline.Hook {
	g := &guardrail.Guardrail{Name: name, DefaultOn: true}
	mode := func(mode string, hooks ...abi.Hook) {
		if hasOne(p, hooks) {
			g.Modes.Always = append(g.Modes.Always, mode)
		}
	}
	mode(guardrail.PreCall, abi.HookRequest)
	mode(guardrail.DuringCall, abi.HookModeration)
	mode(guardrail.PostCall, abi.HookResponse, abi.HookStreamChunk)
	return g.Hooks(parts(p, p.Guardrail(wasm.GuardSettings{Name: name, Respond: openai.FinishedReply})))
}

func (s *sinks) add(name string, p *wasm.Plugin, o wasm.SinkOptions) {
	s.content = s.content || p.Content()
	s.plugins = append(s.plugins, namedSink{name, p.Sink(o)})
}

// loggingOnly has a guardrail see records: those of exchanges it is on for, as a sink, if it has the log hook, and as
// what masks them for all sinks, if it has the request hook.
func (s *sinks) loggingOnly(g *guardrail.Guardrail, p *wasm.Plugin) {
	s.guards = append(s.guards, g)
	if p.Has(abi.HookLog) {
		s.add(g.Name, p, wasm.SinkOptions{Wants: func(rec *callback.Record) bool { return slices.Contains(rec.LoggingOnly, g.Name) }})
	}
	if p.Has(abi.HookRequest) {
		s.maskers = append(s.maskers, p.Masker(g.Name))
	}
}

// asChat keeps requests and answers in the form of the OpenAI API for guardrails that see them in records only: these
// do not know what other dialects say where.
type asChat struct{}

// Before implements pipeline.Before.
func (asChat) Before(context.Context, *llm.Exchange) (*llm.Reply, error) { return nil, nil }

// After implements pipeline.After.
func (asChat) After(context.Context, *llm.Exchange, *llm.Reply) error { return nil }

// Stream implements pipeline.Stream.
func (asChat) Stream(context.Context, *llm.Exchange, *llm.Reply) error { return nil }

// mark notes which guardrails in mode logging_only are on for an exchange.
func (s *sinks) mark(x *llm.Exchange, rec *callback.Record) {
	for _, g := range s.guards {
		if on, err := g.On(x, guardrail.LoggingOnly); on && err == nil {
			rec.LoggingOnly = append(rec.LoggingOnly, g.Name)
		}
	}
}

// keep is how much of an answer is kept for records.
func (s *sinks) keep() int {
	if s.content {
		return callback.MaxContent
	}
	return 0
}

// queues starts the queues of the sinks. front are those that records are put into, all are to be closed in their order.
func (s *sinks) queues(log *slog.Logger) (front, all []*callback.Queue) {
	start := func(name string, sink callback.Sink) *callback.Queue {
		return callback.NewQueue(callback.Settings{Name: name, Sink: sink, Logger: log, Timeout: sinkTimeout, Age: time.Second})
	}
	for _, p := range s.plugins {
		all = append(all, start(p.name, p.sink))
	}
	if !s.content || len(s.maskers) == 0 {
		return all, all
	}
	masked := &callback.Masked{Maskers: s.maskers, Queues: all, Failed: func(err error) {
		log.Warn("a guardrail in mode logging_only did not pass what a record says, so it was left out", "error", err)
	}}
	first := start("logging_only", masked)
	return []*callback.Queue{first}, append([]*callback.Queue{first}, all...)
}
