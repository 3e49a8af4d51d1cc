package plugintool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Report is what a module's bytes tell about it.
type Report struct {
	File     string              `json:"file"`
	Size     int                 `json:"size"` // bytes
	SHA256   string              `json:"sha256"`
	Manifest json.RawMessage     `json:"manifest,omitempty"`
	Imports  map[string][]string `json:"imports"` // functions with their types, by module
	Exports  []string            `json:"exports"`
	Memory   Memory              `json:"memory"`
	Problem  string              `json:"problem,omitempty"` // why this gateway would not load it

	manifest wasm.Manifest
}

// Memory is what the module declares.
type Memory struct {
	StartBytes int64 `json:"start_bytes"`
	MaxBytes   int64 `json:"max_bytes,omitempty"` // 0 is unlimited
}

// Inspect reads a module without running it. A module that the gateway would not load is no error: Problem says why.
func Inspect(file string) (*Report, error) {
	module, err := readModule(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(module)
	r := &Report{File: file, Size: len(module), SHA256: hex.EncodeToString(sum[:]), Imports: map[string][]string{}}
	if err := r.sections(module); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if r.manifest, err = wasm.ReadManifest(module); err == nil {
		if r.Manifest, err = compact(r.manifest); err != nil {
			return nil, err
		}
	}
	if err := wasm.Check(module); err != nil {
		r.Problem = err.Error()
	}
	return r, nil
}

func (r *Report) sections(module []byte) error {
	imports, err := meter.Imports(module)
	if err != nil {
		return err
	}
	for _, im := range imports {
		what := im.Name + " " + im.Kind.String()
		if im.Kind == meter.KindFunc {
			what = im.Name + im.Type.String()
		}
		r.Imports[im.Module] = append(r.Imports[im.Module], what)
	}
	exports, err := meter.Exports(module)
	if err != nil {
		return err
	}
	const page = 64 << 10
	for _, ex := range exports {
		switch ex.Kind {
		case meter.KindFunc:
			r.Exports = append(r.Exports, ex.Name+ex.Type.String())
		case meter.KindMemory:
			r.Exports = append(r.Exports, ex.Name+" memory")
			r.Memory.StartBytes = int64(ex.Memory.Min) * page
			if ex.Memory.HasMax {
				r.Memory.MaxBytes = int64(ex.Memory.Max) * page
			}
		default:
			r.Exports = append(r.Exports, ex.Name+" "+ex.Kind.String())
		}
	}
	return nil
}

// compact writes the manifest as JSON without the members that are empty.
func compact(m wasm.Manifest) (json.RawMessage, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	prune(v)
	return json.Marshal(v)
}

// prune removes empty members and reports whether nothing is left. The version of an interface may be zero.
func prune(v any) (empty bool) {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		for key, member := range v {
			if prune(member) && key != "min_minor" {
				delete(v, key)
			}
		}
		return len(v) == 0
	}
	return false
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// Write writes the report for people.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-13s%s\n", name, value) }
	line("file", fmt.Sprintf("%s, %d bytes", r.File, r.Size))
	line("sha256", r.SHA256)
	if r.Manifest != nil {
		if err := r.writeManifest(line); err != nil {
			return err
		}
	}
	most := "no limit declared"
	if r.Memory.MaxBytes > 0 {
		most = fmt.Sprintf("at most %.1f MB declared", float64(r.Memory.MaxBytes)/(1<<20))
	}
	line("memory", fmt.Sprintf("%.1f MB at start, %s", float64(r.Memory.StartBytes)/(1<<20), most))
	for _, module := range sortedKeys(r.Imports) {
		line("imports", module+": "+strings.Join(names(r.Imports[module]), ", "))
	}
	line("exports", strings.Join(names(r.Exports), ", "))
	if r.Problem != "" {
		line("problem", r.Problem)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) writeManifest(line func(name, value string)) error {
	m := &r.manifest
	line("plugin", strings.TrimSpace(m.Name+" "+m.Version))
	if m.Description != "" {
		line("", m.Description)
	}
	line("abi", fmt.Sprintf("%d.%d; this gateway has %d.%d", m.ABI.Major, m.ABI.MinMinor, abi.Major, abi.Minor))
	line("hooks", strings.Join(m.Hooks, ", "))
	var members map[string]any
	if err := json.Unmarshal(r.Manifest, &members); err != nil {
		return err
	}
	for _, known := range []string{abi.ManifestKey, "name", "version", "description", "abi", "hooks"} {
		delete(members, known)
	}
	labels := map[string]string{"caps": "capabilities", "optional_caps": "if granted"}
	for _, key := range sortedKeys(members) {
		label := labels[key]
		if label == "" {
			label = key
		}
		line(label, plain(members[key]))
	}
	if members["caps"] == nil && members["optional_caps"] == nil {
		line("capabilities", "none asked for")
	}
	return nil
}

// plain writes a JSON value without quotes and outer brackets.
func plain(v any) string {
	switch v := v.(type) {
	case []any:
		var list []string
		for _, item := range v {
			list = append(list, plain(item))
		}
		return strings.Join(list, ", ")
	case map[string]any:
		var list []string
		for _, key := range sortedKeys(v) {
			if v[key] == true {
				list = append(list, key)
				continue
			}
			list = append(list, key+" "+plain(v[key]))
		}
		return strings.Join(list, "; ")
	}
	return fmt.Sprint(v)
}

// names cuts the types off.
func names(list []string) []string {
	var short []string
	for _, s := range list {
		s, _, _ = strings.Cut(s, "(")
		if !slices.Contains(short, s) {
			short = append(short, s)
		}
	}
	return short
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
