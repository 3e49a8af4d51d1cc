package shared

import "github.com/sallyport-ai/sallyport/core/llm"

// Keys are where a scope is counted with the default prefix.
func Keys(s *llm.Scope) []string {
	c := Counts{s: Settings{Prefix: defaultPrefix}}
	return c.keys(s)
}

// Told reports whether Redis was told all that there is to tell.
func (c *Counts) Told() bool {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending)+len(c.owed) == 0
}
