package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Options says where a configuration comes from. The zero value reads
// CONFIG_FILE_PATH with the process's environment.
type Options struct {
	// Path is the file. Empty means the file named by CONFIG_FILE_PATH, or
	// none at all.
	Path string
	// Dir is where .env is looked for; empty means the working directory.
	Dir string
	// Environ holds NAME=value pairs; nil means os.Environ().
	Environ []string
	// Stored is a JSON document of settings kept in the database, laid over
	// those of the file: its lists are appended, and the members of its
	// sections replace those of the file. Empty lays nothing over.
	Stored []byte
}

// Load reads the file, what it includes and the environment, and checks all
// of it. The report is never nil and lists every setting found; the error is
// its Err, and the configuration is nil when there is one. The process's
// environment is left alone: see Env.Apply.
func Load(o Options) (*Config, *Report, error) {
	l := newLoader(o)
	path := o.Path
	if path == "" {
		path = l.env.Get("CONFIG_FILE_PATH")
	}
	root := emptyRoot(path)
	if path != "" {
		if n := l.file(path, nil, Position{}); n != nil {
			root = n
		}
	}
	l.overlay(root, o.Stored)
	return l.finish(root)
}

// storedName stands for a path in positions of what the database holds.
const storedName = "database"

// overlay lays settings from the database over those of the file.
func (l *loader) overlay(root *node, stored []byte) {
	if len(stored) == 0 {
		return
	}
	top := parse(storedName, stored, l.rep)
	if top == nil {
		return
	}
	if top.kind != mapKind {
		l.rep.fail(top.pos, "", "the settings in the database must be sections, one key each", "")
		return
	}
	for _, e := range top.entries {
		old := root.get(e.key)
		switch {
		case old != nil && old.kind == listKind && e.val.kind == listKind:
			old.items = append(old.items, e.val.items...)
		case old != nil && old.kind == mapKind && e.val.kind == mapKind:
			for _, member := range e.val.entries {
				old.set(member)
			}
		default:
			root.set(e)
		}
	}
}

// Parse does what Load does with a file already in memory; name stands for
// its path in messages and for includes.
func Parse(name string, data []byte, o Options) (*Config, *Report, error) {
	l := newLoader(o)
	root := emptyRoot(name)
	if n := l.document(name, data, nil); n != nil {
		root = n
	}
	l.overlay(root, o.Stored)
	return l.finish(root)
}

func emptyRoot(path string) *node {
	return &node{kind: mapKind, pos: Position{File: path}}
}

// ModelFlags is a configuration of one model as the command line gives it.
type ModelFlags struct {
	// Model is what litellm_params.model would be.
	Model string
	// Alias is the name clients use; empty means Model.
	Alias   string
	APIBase string
	// DropParams stands for litellm_settings.drop_params.
	DropParams bool
	// RequestTimeout stands for litellm_settings.request_timeout.
	RequestTimeout *Seconds
	// Temperature and MaxTokens are request defaults.
	Temperature *float64
	MaxTokens   *int
}

// ForModel makes the configuration of one model without a file. It promises
// what Load does; o.Path and CONFIG_FILE_PATH are not looked at.
func ForModel(m ModelFlags, o Options) (*Config, *Report, error) {
	l := newLoader(o)
	params := &node{kind: mapKind}
	add := func(n *node, key string, value any) {
		n.entries = append(n.entries, entry{key: key, val: &node{scalar: value, text: fmt.Sprint(value)}})
	}
	add(params, "model", m.Model)
	if m.APIBase != "" {
		add(params, "api_base", m.APIBase)
	}
	if m.Temperature != nil {
		add(params, "temperature", *m.Temperature)
	}
	if m.MaxTokens != nil {
		add(params, "max_tokens", *m.MaxTokens)
	}
	name := m.Alias
	if name == "" {
		name = m.Model
	}
	model, settings := &node{kind: mapKind}, &node{kind: mapKind}
	add(model, "model_name", name)
	model.entries = append(model.entries, entry{key: "litellm_params", val: params})
	if m.DropParams {
		add(settings, "drop_params", true)
	}
	if m.RequestTimeout != nil {
		add(settings, "request_timeout", float64(*m.RequestTimeout))
	}
	return l.finish(&node{kind: mapKind, entries: []entry{
		{key: "model_list", val: &node{kind: listKind, items: []*node{model}}},
		{key: "litellm_settings", val: settings},
	}})
}

// loader carries one Load.
type loader struct {
	env *Env
	rep *Report
	// unread says that a file could not be read, so that what is missing from
	// the tree is no mistake of its own.
	unread bool
}

func newLoader(o Options) *loader {
	l := &loader{rep: &Report{}}
	l.env = newEnv(o, l.rep)
	return l
}

// finish turns the merged tree into a configuration.
func (l *loader) finish(root *node) (*Config, *Report, error) {
	l.applyVariables(root.get("environment_variables"))
	l.resolve(root)
	l.resolveHeaders(root)
	defaultParams(root)
	k := &checker{schema: newSchema(), rep: l.rep, env: l.env, where: map[string]Position{}}
	k.check(root, l.unread)
	var cfg *Config
	err := l.rep.Err()
	if err == nil {
		cfg, err = decode(root, k, l.env)
	}
	l.rep.finish()
	if errors.Is(err, ErrInvalid) {
		err = l.rep.Err()
	}
	if err != nil {
		return nil, l.rep, err
	}
	return cfg, l.rep, nil
}

// Bounds on includes.
const (
	maxIncludeDepth = 10
	maxFiles        = 200
)

// file reads one file and what it includes. chain holds the files that lead
// to it, from is where it is named.
func (l *loader) file(path string, chain []string, from Position) *node {
	if from.File == "" {
		from = Position{File: path}
	}
	data, err := readBounded(path)
	if err != nil {
		l.unread = true
		l.rep.fail(from, includeKey(chain), readError(path, err), readFix(err))
		return nil
	}
	return l.document(path, data, chain)
}

func includeKey(chain []string) string {
	if len(chain) == 0 {
		return ""
	}
	return "include"
}

// readError says what went wrong without the operating system's prefix.
func readError(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("the file %s does not exist", path)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Sprintf("cannot read %s: %v", path, err)
}

func readFix(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "correct the path; an included file is looked for beside the file that includes it"
	}
	return ""
}

// readBounded reads at most one byte more than a file may have.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

// document parses one file and merges what it includes.
func (l *loader) document(path string, data []byte, chain []string) *node {
	l.rep.files = append(l.rep.files, path)
	before := l.rep.Count(Error)
	root := parse(path, data, l.rep)
	if root == nil {
		l.unread = l.unread || l.rep.Count(Error) > before
		if l.rep.Count(Error) == before {
			l.rep.warn(Position{File: path}, "", "the file is empty", "")
		}
		return nil
	}
	if root.kind != mapKind {
		l.unread = true
		l.rep.fail(root.pos, "", "the file must hold sections such as model_list, one key each", "")
		return nil
	}
	l.includes(root, path, append(chain, clean(path)))
	return root
}

func clean(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

func (l *loader) includes(root *node, path string, chain []string) {
	inc := root.get("include")
	if inc == nil || inc.kind != listKind {
		return
	}
	for _, item := range inc.items {
		name, ok := item.scalar.(string)
		if !ok || name == "" {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		if l.refuseInclude(name, chain, item.pos) {
			continue
		}
		if child := l.file(name, chain, item.pos); child != nil {
			l.merge(root, child)
		}
	}
}

func (l *loader) refuseInclude(name string, chain []string, at Position) bool {
	for i, seen := range chain {
		if seen != clean(name) {
			continue
		}
		var trail []string
		for _, f := range chain[i:] {
			trail = append(trail, filepath.Base(f))
		}
		trail = append(trail, filepath.Base(name))
		l.rep.fail(at, "include", "the files include each other: "+strings.Join(trail, " -> "), "remove one of these includes")
		return true
	}
	if len(chain) > maxIncludeDepth || len(l.rep.files) >= maxFiles {
		l.rep.fail(at, "include", fmt.Sprintf("more than %d files, or more than %d levels of them", maxFiles, maxIncludeDepth), "include fewer files")
		return true
	}
	return false
}

// merge adds an included file the way LiteLLM does: lists are appended, every
// other section of the included file replaces the one that was there.
func (l *loader) merge(root, child *node) {
	for _, e := range child.entries {
		if e.key == "include" {
			continue
		}
		old := root.get(e.key)
		switch {
		case old != nil && old.kind == listKind && e.val.kind == listKind:
			old.items = append(old.items, e.val.items...)
			continue
		case old != nil && !old.isNull():
			l.rep.warn(e.pos, e.key, fmt.Sprintf("replaces the whole section written at %s", old.pos),
				"keep the section in one file: only lists are joined")
		}
		root.set(e)
	}
}
