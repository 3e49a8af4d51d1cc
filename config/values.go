package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Seconds is a length of time as LiteLLM writes it: a number of seconds,
// whole or not.
type Seconds float64

// Duration converts s; a value too large for a time.Duration becomes the
// largest one.
func (s Seconds) Duration() time.Duration {
	d := float64(s) * float64(time.Second)
	if d >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(d)
}

// mask stands for a secret wherever a value is shown.
const mask = "****"

// Secret is a string that does not show itself when printed or encoded.
type Secret string

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String returns a mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format writes the mask for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText returns the mask, so that no encoder writes the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Position is a place in a file.
type Position struct {
	// File is the path as it was opened; it is empty for a value that came
	// from no file.
	File string
	// Line counts from 1; 0 means unknown.
	Line int
}

// String returns "file:line".
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Where returns the place, as "file:line", at which the setting at a key path
// such as "guardrails[0].litellm_params.guardrail" was written. For a path
// that is not in the file it returns the place of the nearest parent that is,
// and "" when there is none.
func (c *Config) Where(path string) string { return c.position(path).String() }

func (c *Config) position(path string) Position {
	for path != "" {
		if p, ok := c.where[path]; ok {
			return p
		}
		path = parentPath(path)
	}
	return Position{}
}

// parentPath cuts the last step, a key or an index, off a key path.
func parentPath(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}

// Env is the environment as the configuration sees it. It is read-only and
// safe for concurrent use.
type Env struct {
	base    map[string]string
	overlay map[string]string
}

// Lookup returns the value of a variable and whether it is set.
func (e *Env) Lookup(name string) (string, bool) {
	if v, ok := e.overlay[name]; ok {
		return v, true
	}
	v, ok := e.base[name]
	return v, ok
}

// Get returns the value of a variable, or "" when it is not set.
func (e *Env) Get(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Names returns the names of all variables, sorted.
func (e *Env) Names() []string {
	all := maps.Clone(e.base)
	maps.Copy(all, e.overlay)
	return slices.Sorted(maps.Keys(all))
}

// Apply calls set, usually os.Setenv, for each variable of .env and
// environment_variables in the order of their names, so that libraries which
// read the process's environment see them. It stops at the first error.
func (e *Env) Apply(set func(name, value string) error) error {
	for _, name := range slices.Sorted(maps.Keys(e.overlay)) {
		if err := set(name, e.overlay[name]); err != nil {
			return fmt.Errorf("environment variable %s: %w", name, err)
		}
	}
	return nil
}

// String names no variable, since their values are secrets.
func (e *Env) String() string { return fmt.Sprintf("%d variables", len(e.Names())) }

// GoString does what String does.
func (e *Env) GoString() string { return e.String() }
