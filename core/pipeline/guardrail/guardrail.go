// Package guardrail decides which guardrails look at an exchange, and when: those that are on by default, those that the
// caller's key or team has, and those that the request names in its "guardrails" member or in metadata.guardrails.
package guardrail

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
)

// The modes, as the reference's configuration names them.
const (
	PreCall     = "pre_call"
	DuringCall  = "during_call"
	PostCall    = "post_call"
	LoggingOnly = "logging_only"
)

// Modes say when a guardrail looks. With Tags, the modes of the tags that a request has count, and those of Default if it
// has none of them; without, those of Always.
type Modes struct {
	Always  []string
	Tags    map[string][]string
	Default []string
}

// Has reports whether there are requests for which the mode counts.
func (m *Modes) Has(mode string) bool {
	for _, list := range m.Tags {
		if slices.Contains(list, mode) {
			return true
		}
	}
	return slices.Contains(m.Always, mode) || slices.Contains(m.Default, mode)
}

func (m *Modes) on(x *llm.Exchange, mode string) bool {
	if len(m.Tags) == 0 {
		return slices.Contains(m.Always, mode) || slices.Contains(m.Default, mode)
	}
	known := false
	for _, tag := range openai.Tags(x) {
		if list, ok := m.Tags[tag]; ok {
			if known = true; slices.Contains(list, mode) {
				return true
			}
		}
	}
	return !known && slices.Contains(m.Default, mode)
}

// Guardrail is one guardrail of the configuration.
type Guardrail struct {
	Name      string
	DefaultOn bool
	Modes     Modes

	// PassHidden lets pass what the guardrail cannot look at, such as files that are no text, in requests and answers that
	// are forwarded as they are. Without it they are refused.
	PassHidden bool
}

// Parts are what a guardrail does; those it does not do are nil.
type Parts struct {
	Before  pipeline.Before
	During  pipeline.During
	After   pipeline.After
	Stream  pipeline.Stream
	Failure pipeline.Failure // in every mode
	Media   bool             // After and Stream are told of what is no text
	Again   bool             // After and Stream may have a model asked again
}

// Hooks makes hooks for a chain that run a part if the guardrail is on for the exchange and the mode counts.
func (g *Guardrail) Hooks(p Parts) []pipeline.Hook {
	var hooks []pipeline.Hook
	add := func(do any) { hooks = append(hooks, pipeline.Hook{Name: g.Name, Guard: true, Again: p.Again, Do: do}) }
	if p.Before != nil && g.Modes.Has(PreCall) {
		add(before{g, p.Before})
	}
	if p.During != nil && g.Modes.Has(DuringCall) {
		add(during{g, p.During})
	}
	if p.After != nil && g.Modes.Has(PostCall) {
		add(after{g, p.After, p.Media})
	}
	if p.Stream != nil && g.Modes.Has(PostCall) {
		add(stream{g, p.Stream, p.After, p.Media})
	}
	if p.Failure != nil {
		add(failure{g, p.Failure})
	}
	return hooks
}

// On reports whether the guardrail looks at the exchange in a mode; the empty mode stands for any. The one error there is
// says that the request's guardrails are no list.
//
// A request can add a guardrail, never take one away. An administrator can, as in the reference: with
// disable_global_guardrails or opted_out_global_guardrails in the metadata of a key or, less strong, a team, and with the
// guardrail's name among a key's permissions, which takes it away if it is false and gives it if it is true.
func (g *Guardrail) On(x *llm.Exchange, mode string) (bool, error) {
	if mode != "" && !g.Modes.on(x, mode) {
		return false, nil
	}
	if g.DefaultOn && !optedOut(x.Principal, g.Name) || given(x.Principal, g.Name) {
		return true, nil
	}
	names, err := Named(x)
	return slices.Contains(names, g.Name), err
}

// optedOut reports whether the caller is spared a guardrail that is on by default.
func optedOut(p *llm.Principal, name string) bool {
	if p == nil {
		return false
	}
	if yes, said := p.Permits(name); said {
		return !yes
	}
	const all, some = "disable_global_guardrails", "opted_out_global_guardrails"
	off, _ := setting(p, all).(bool)
	return off || holds(setting(p, some), name)
}

// setting is what the key says, or else its team.
func setting(p *llm.Principal, key string) any {
	if v, ok := p.Metadata[key]; ok {
		return v
	}
	return p.TeamMetadata[key]
}

// given reports whether the caller's key or team has the guardrail.
func given(p *llm.Principal, name string) bool {
	if yes, _ := p.Permits(name); yes {
		return true
	}
	return p != nil && (holds(p.Metadata["guardrails"], name) || holds(p.TeamMetadata["guardrails"], name))
}

func holds(list any, name string) bool {
	switch list := list.(type) {
	case []any:
		return slices.Contains(list, any(name))
	case []string:
		return slices.Contains(list, name)
	}
	return false
}

// Named lists the guardrails a request asks for. As in the reference an item is a name, or an object whose one key is
// the name and whose value holds settings for it.
func Named(x *llm.Exchange) ([]string, error) {
	raw := openai.Guardrails(x)
	if raw == nil {
		return nil, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, mistake()
	}
	names := make([]string, 0, len(items))
	for _, item := range items {
		var name string
		if json.Unmarshal(item, &name) == nil {
			names = append(names, name)
			continue
		}
		var settings map[string]json.RawMessage
		if json.Unmarshal(item, &settings) != nil {
			return nil, mistake()
		}
		for name := range settings {
			names = append(names, name)
		}
	}
	return names, nil
}

func mistake() error {
	return &llm.Error{
		Op: "guardrail.Named", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "guardrails",
		Message: `guardrails must be a list of names, such as ["my-guard"]`,
	}
}

type before struct {
	g     *Guardrail
	inner pipeline.Before
}

// Before implements pipeline.Before.
func (h before) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	if on, err := h.g.On(x, PreCall); !on {
		return nil, err
	}
	if forwarded(x) {
		return h.forwarded(ctx, x)
	}
	return h.inner.Before(ctx, x)
}

type during struct {
	g     *Guardrail
	inner pipeline.During
}

// During implements pipeline.During.
func (h during) During(ctx context.Context, x *llm.Exchange) (bool, error) {
	if on, err := h.g.On(x, DuringCall); !on {
		return false, err
	}
	if forwarded(x) {
		return h.forwarded(ctx, x)
	}
	return h.inner.During(ctx, x)
}

type after struct {
	g     *Guardrail
	inner pipeline.After
	media bool
}

// After implements pipeline.After. What is said over a socket is looked at message by message.
func (h after) After(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	if on, err := h.g.On(x, PostCall); !on || r.Socket != nil { // what is said there is looked at as it comes
		return err
	}
	if relayed(x, r) {
		return h.g.answer(ctx, x, r, h.inner)
	}
	if h.media && pictures(x, r) {
		return h.g.pictures(ctx, x, r, h.inner)
	}
	return h.inner.After(ctx, x, r)
}

// Wants implements pipeline.Choosy.
func (h after) Wants(x *llm.Exchange) bool {
	on, err := h.g.On(x, PostCall)
	return on || err != nil
}

type stream struct {
	g     *Guardrail
	inner pipeline.Stream
	whole pipeline.After // may be nil
	media bool
}

// Stream implements pipeline.Stream.
func (h stream) Stream(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	if on, err := h.g.On(x, PostCall); !on || r.Socket != nil { // what is said there is looked at as it comes
		return err
	}
	if relayed(x, r) && h.whole != nil {
		return h.g.answer(ctx, x, r, h.whole)
	}
	if h.media && pictures(x, r) && h.whole != nil {
		return h.g.pictures(ctx, x, r, h.whole)
	}
	return h.inner.Stream(ctx, x, r)
}

type failure struct {
	g     *Guardrail
	inner pipeline.Failure
}

// Failure implements pipeline.Failure. A request whose guardrails are no list was refused for that.
func (h failure) Failure(ctx context.Context, x *llm.Exchange, e *llm.Error) *llm.Error {
	if on, err := h.g.On(x, ""); !on || err != nil {
		return e
	}
	return h.inner.Failure(ctx, x, e)
}
