package shared

import "github.com/sallyport-ai/sallyport/core/llm"

// Keys are where a scope is counted with the default prefix.
func Keys(s *llm.Scope) []string {
	c := Counts{s: Settings{Prefix: defaultPrefix}}
	return c.keys(s)
}
