package sallyport

import (
	"slices"
	"strconv"
	"strings"
)

// Config is the plugin's config block. Each getter names a setting and its default. Mistakes are collected: after the
// constructor returned, a setting of the wrong type and a setting that no getter asked for stop the start, so a plugin
// neither checks types nor rejects typing errors itself.
type Config struct {
	name   string // of the plugin in the gateway's configuration
	path   string // of this block inside the whole one, with a dot at its end
	values map[string]any
	asked  []string
	inner  []*Config
	err    error
}

// NewConfig makes a block for tests. Values are what decoding YAML or JSON gives.
func NewConfig(values map[string]any) *Config { return &Config{values: values} }

// Build runs a constructor as the gateway does, with all checks of the config block. It is for tests.
func Build(values map[string]any, construct func(*Config) (Hooks, error)) (Hooks, error) {
	return build(NewConfig(values), construct)
}

func build(c *Config, construct func(*Config) (Hooks, error)) (Hooks, error) {
	hooks, err := construct(c)
	// A setting of the wrong type comes first: its default may have led the constructor astray. Unknown settings come
	// last: a constructor that failed may not have asked for all of its own.
	if wrong := c.wrongType(); wrong != nil {
		return Hooks{}, wrong
	}
	if err != nil {
		return Hooks{}, err
	}
	return hooks, c.unknown()
}

func (c *Config) wrongType() error {
	if c.err != nil {
		return c.err
	}
	for _, inner := range c.inner {
		if err := inner.wrongType(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) unknown() error {
	keys := make([]string, 0, len(c.values))
	for key := range c.values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if !slices.Contains(c.asked, key) {
			return errorString("unknown setting " + strconv.Quote(c.path+key) + ": the settings are " + strings.Join(c.asked, ", "))
		}
	}
	for _, inner := range c.inner {
		if err := inner.unknown(); err != nil {
			return err
		}
	}
	return nil
}

// Name is the plugin's name in the gateway's configuration, such as the guardrail's name.
func (c *Config) Name() string { return c.name }

// Has reports whether the setting is present and not null.
func (c *Config) Has(key string) bool { return c.get(key) != nil }

// Path is the full name of a setting in this block, for messages.
func (c *Config) Path(key string) string { return c.path + key }

// String returns a text.
func (c *Config) String(key, otherwise string) string { return value(c, key, "text", otherwise) }

// Bool returns a boolean.
func (c *Config) Bool(key string, otherwise bool) bool {
	return value(c, key, "true or false", otherwise)
}

// Int returns a whole number.
func (c *Config) Int(key string, otherwise int) int {
	switch v := c.get(key).(type) {
	case nil:
		return otherwise
	case int:
		return v
	case int64:
		return int(v)
	case float64:
		if v == float64(int(v)) {
			return int(v)
		}
	}
	c.wrong(key, "a whole number")
	return otherwise
}

// Float returns a number.
func (c *Config) Float(key string, otherwise float64) float64 {
	switch v := c.get(key).(type) {
	case nil:
		return otherwise
	case float64:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	}
	c.wrong(key, "a number")
	return otherwise
}

// Maps returns a list of objects as they are, or nil. Their members need not be asked for.
func (c *Config) Maps(key string) []map[string]any {
	items, ok := c.get(key).([]any)
	if !ok && c.get(key) != nil {
		c.wrong(key, "a list of objects")
	}
	var list []map[string]any
	for i, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			c.wrong(key+"["+strconv.Itoa(i)+"]", "an object")
			return nil
		}
		list = append(list, m)
	}
	return list
}

// Strings returns a list of texts. A single text is a list of one.
func (c *Config) Strings(key string, otherwise ...string) []string {
	switch v := c.get(key).(type) {
	case nil:
		return otherwise
	case string:
		return []string{v}
	case []string:
		return v
	case []any:
		list := make([]string, 0, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				c.wrong(key+"["+strconv.Itoa(i)+"]", "text")
				return otherwise
			}
			list = append(list, s)
		}
		return list
	}
	c.wrong(key, "a list of texts")
	return otherwise
}

// Map returns an object as it is, or nil. Its members need not be asked for.
func (c *Config) Map(key string) map[string]any {
	return value[map[string]any](c, key, "an object", nil)
}

// Blocks returns a list of objects, each as a config block of its own.
func (c *Config) Blocks(key string) []*Config {
	items, ok := c.get(key).([]any)
	if !ok {
		if c.get(key) != nil {
			c.wrong(key, "a list of objects")
		}
		return nil
	}
	var list []*Config
	for i, item := range items {
		place := key + "[" + strconv.Itoa(i) + "]"
		values, ok := item.(map[string]any)
		if !ok {
			c.wrong(place, "an object")
			return nil
		}
		inner := &Config{name: c.name, path: c.path + place + ".", values: values}
		c.inner = append(c.inner, inner)
		list = append(list, inner)
	}
	return list
}

func value[T any](c *Config, key, kind string, otherwise T) T {
	switch v := c.get(key).(type) {
	case nil:
		return otherwise
	case T:
		return v
	}
	c.wrong(key, kind)
	return otherwise
}

func (c *Config) get(key string) any {
	if !slices.Contains(c.asked, key) {
		c.asked = append(c.asked, key)
	}
	return c.values[key]
}

func (c *Config) wrong(key, kind string) {
	if c.err == nil {
		c.err = errorString("setting " + strconv.Quote(c.path+key) + " must be " + kind)
	}
}
