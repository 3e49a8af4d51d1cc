package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/joho/godotenv"
)

// newEnv reads the environment and, unless LITELLM_MODE is PRODUCTION, the
// .env file, whose values never replace a variable that is set. The mode
// itself cannot be set in .env, since it decides whether that is read.
func newEnv(o Options, rep *Report) *Env {
	pairs := o.Environ
	if pairs == nil {
		pairs = os.Environ()
	}
	e := &Env{base: make(map[string]string, len(pairs)), overlay: map[string]string{}}
	for _, pair := range pairs {
		// A leading "=" belongs to the name: Windows keeps drives that way.
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			e.base[name] = value
		}
	}
	if strings.EqualFold(e.base["LITELLM_MODE"], "PRODUCTION") {
		return e
	}
	path := filepath.Join(o.Dir, ".env")
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return e
	}
	if err == nil && len(data) > maxFileBytes {
		err = errors.New("it is too large")
	}
	if err != nil {
		rep.fail(Position{File: path}, "", readError(path, err), "set LITELLM_MODE=PRODUCTION to leave .env unread")
		return e
	}
	e.addDotEnv(path, data, rep)
	return e
}

// addDotEnv parses a .env file. What the parser says is not shown: it quotes
// the line, which may hold a secret.
func (e *Env) addDotEnv(path string, data []byte, rep *Report) {
	vars, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		rep.fail(Position{File: path}, "", "a line is not of the form NAME=value",
			"correct the file, or set LITELLM_MODE=PRODUCTION to leave it unread")
		return
	}
	for name, value := range vars {
		if _, set := e.base[name]; !set && validName(name) {
			e.overlay[name] = value
		}
	}
}

func validName(name string) bool {
	return name != "" && !strings.ContainsAny(name, "=\x00")
}

// referencePrefix begins a value that stands for an environment variable.
const referencePrefix = "os.environ/"

// reference returns the variable that a value stands for.
func (n *node) reference() (string, bool) {
	s, ok := n.scalar.(string)
	if !ok || n.kind != scalarKind {
		return "", false
	}
	return strings.CutPrefix(s, referencePrefix)
}

// applyVariables puts environment_variables over the environment, in the
// file's order, before any other section is looked at.
func (l *loader) applyVariables(section *node) {
	if section == nil || section.kind != mapKind {
		return
	}
	for _, e := range section.entries {
		path := "environment_variables." + e.key
		if !validName(e.key) || strings.Contains(e.val.text, "\x00") {
			l.rep.fail(e.pos, path, "not a name and value that an environment variable can have", "")
			continue
		}
		if e.val.kind != scalarKind || e.val.scalar == nil {
			continue
		}
		value := e.val.text
		if name, ok := e.val.reference(); ok {
			e.val.variable = name
			if value, ok = l.env.Lookup(name); !ok {
				e.val.missing = true
				continue
			}
			e.val.scalar, e.val.text = value, value
		}
		l.env.overlay[e.key] = value
	}
}

// resolve replaces every os.environ/ reference below n, in maps and in lists.
func (l *loader) resolve(n *node) {
	for _, item := range n.items {
		l.resolve(item)
	}
	for _, e := range n.entries {
		l.resolve(e.val)
	}
	name, ok := n.reference()
	if !ok || n.variable != "" {
		return
	}
	n.variable = name
	value, set := l.env.Lookup(name)
	if !set {
		n.missing = true
		return
	}
	n.scalar, n.text = value, value
}

// resolveHeaders replaces references at the end of the headers of
// pass_through_endpoints, written as "Bearer os.environ/NAME". LiteLLM takes
// the rest of the value as the name.
func (l *loader) resolveHeaders(root *node) {
	endpoints := root.get("general_settings").get("pass_through_endpoints")
	if endpoints == nil {
		return
	}
	for _, item := range endpoints.items {
		headers := item.get("headers")
		if headers == nil {
			continue
		}
		for _, e := range headers.entries {
			text, _ := e.val.scalar.(string)
			start, name, found := strings.Cut(text, referencePrefix)
			if !found || start == "" || e.val.variable != "" {
				continue
			}
			value, set := l.env.Lookup(name)
			e.val.variable, e.val.missing = name, !set
			e.val.scalar, e.val.text = start+value, start+value
		}
	}
}

// parseBool reads a boolean as environment variables hold it.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("expected true or false")
}
