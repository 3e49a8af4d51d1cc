package wasm

import (
	"errors"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// StreamAsk is how much of a streamed answer the plugin wants to be shown at a time. The operator's settings count more.
type StreamAsk struct {
	WindowChars *int `json:"window_chars"` // characters; absent is every chunk
	WindowMS    *int `json:"window_ms"`    // or when the oldest of them is this old; absent is never
	Holdback    *int `json:"holdback"`     // characters kept back; absent is 64
}

// Bounds of what a plugin or the operator can ask for.
const (
	defaultHoldback = 64
	maxHoldback     = 8 << 10
	maxWindow       = 64 << 10
)

func (s *StreamAsk) check(hooks []string) error {
	if s == nil {
		return nil
	}
	streams := func(h string) bool { return h == abi.HookStreamChunk.String() || h == abi.HookResponse.String() }
	if !slices.ContainsFunc(hooks, streams) {
		return errors.New(`manifest: "stream" is for the hooks stream_chunk and response, which the plugin does not have`)
	}
	w := WindowSettings{Chars: s.WindowChars, WaitMS: s.WindowMS, Holdback: s.Holdback}
	if err := w.Check(); err != nil {
		return errors.New("manifest: stream." + err.Error())
	}
	return nil
}

// Check refuses settings that cannot be meant.
func (w WindowSettings) Check() error {
	outside := func(v *int, most int) bool { return v != nil && (*v < 0 || *v > most) }
	switch {
	case outside(w.Chars, maxWindow):
		return errors.New("window_chars must be between 0 and 65536")
	case outside(w.WaitMS, 60_000):
		return errors.New("window_ms must be between 0 and 60000")
	case outside(w.Holdback, maxHoldback):
		return errors.New("holdback must be between 0 and 8192 characters")
	}
	return nil
}

// windows are the settings in force.
func (s *StreamAsk) windows(given WindowSettings) openai.WindowSettings {
	if s == nil {
		s = &StreamAsk{}
	}
	pick := func(given, asked *int, other int) int {
		switch {
		case given != nil:
			return *given
		case asked != nil:
			return *asked
		}
		return other
	}
	return openai.WindowSettings{
		Chars:    pick(given.Chars, s.WindowChars, 0),
		Wait:     time.Duration(pick(given.WaitMS, s.WindowMS, 0)) * time.Millisecond,
		Holdback: pick(given.Holdback, s.Holdback, defaultHoldback),
	}
}

// guardHooks are the hooks of guardrails.
func guardHooks() []abi.Hook {
	return []abi.Hook{
		abi.HookRequest, abi.HookModeration, abi.HookResponse, abi.HookStreamChunk, abi.HookStreamEnd, abi.HookFailure,
	}
}
