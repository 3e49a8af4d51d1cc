package wasm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Manifest is what a plugin says of itself, readable without running it. sdk/abi/README.md describes the members.
type Manifest struct {
	Schema      int        `json:"sallyport.manifest"`
	Name        string     `json:"name"`
	Version     string     `json:"version"`
	Description string     `json:"description"`
	ABI         ABI        `json:"abi"`
	Hooks       []string   `json:"hooks"`
	Needs       []string   `json:"needs"`
	Limits      Asked      `json:"limits"`
	Caps        Caps       `json:"caps"`          // without them the plugin is not loaded
	Optional    Caps       `json:"optional_caps"` // with them it can do more
	TickSeconds float64    `json:"tick_seconds"`  // between two calls of the tick hook
	Stream      *StreamAsk `json:"stream"`        // how streamed answers are shown
}

// ABI is the version of the plugin interface that a module was built for.
type ABI struct {
	Major    int `json:"major"`
	MinMinor int `json:"min_minor"`
}

// Asked are the least limits under which a plugin works. Zero asks for nothing.
type Asked struct {
	MemoryMB int `json:"memory_mb"`
	CPUMS    int `json:"cpu_ms"`
	WallMS   int `json:"wall_ms"`
}

// maxManifest is the most bytes a manifest may take.
const maxManifest = 64 << 10

// ReadManifest returns the manifest in a module: the custom section "sallyport.manifest" if there is one, and else the
// JSON object that begins with that key anywhere in the module's bytes, where a compiler left a string constant or an
// embedded file. The module is not run.
func ReadManifest(module []byte) (Manifest, error) {
	raw, err := findManifest(module)
	if err != nil {
		return Manifest{}, err
	}
	return parseManifest(raw)
}

// Pack returns a copy of module with the manifest, a JSON object, added as a custom section. It is for languages that
// cannot carry the manifest in their data.
func Pack(module, manifest []byte) ([]byte, error) {
	if _, err := parseManifest(manifest); err != nil {
		return nil, err
	}
	return meter.AppendCustomSection(module, abi.ManifestKey, manifest)
}

func findManifest(module []byte) ([]byte, error) {
	section, ok, err := meter.CustomSection(module, abi.ManifestKey)
	if err != nil || ok {
		return section, err
	}
	key := []byte(`"` + abi.ManifestKey + `"`)
	var found []byte
	for rest := module; ; {
		at := bytes.Index(rest, key)
		if at < 0 {
			break
		}
		raw, ok := objectAround(rest, at)
		rest = rest[at+len(key):]
		if !ok || bytes.Equal(raw, found) {
			continue
		}
		if found != nil {
			return nil, errors.New("the module holds two different manifests: register one plugin in a module")
		}
		found = raw
	}
	if found == nil {
		return nil, fmt.Errorf("the module has no manifest: embed a JSON object whose first key is %q (see sdk/abi/README.md), or add it as a custom section of that name", abi.ManifestKey)
	}
	return found, nil
}

// objectAround returns the JSON object whose first key starts at the place.
func objectAround(b []byte, at int) ([]byte, bool) {
	open := len(bytes.TrimRight(b[:at], " \t\r\n")) - 1
	if open < 0 || b[open] != '{' {
		return nil, false
	}
	var raw json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(b[open:min(len(b), open+maxManifest)])).Decode(&raw); err != nil {
		return nil, false
	}
	return raw, true
}

func parseManifest(raw []byte) (m Manifest, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("manifest: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, errors.New("manifest: there is something after the JSON object")
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	switch {
	case m.Schema != 1:
		return fmt.Errorf("manifest: %q is %d, this gateway reads 1", abi.ManifestKey, m.Schema)
	case m.Name == "":
		return errors.New(`manifest: "name" is missing`)
	case m.ABI.Major != abi.Major:
		return fmt.Errorf("manifest: the plugin is built for ABI %d, this gateway has ABI %d: use a build of the plugin for it", m.ABI.Major, abi.Major)
	case m.ABI.MinMinor > abi.Minor:
		return fmt.Errorf("manifest: the plugin needs ABI %d.%d, this gateway has %d.%d: update the gateway", abi.Major, m.ABI.MinMinor, abi.Major, abi.Minor)
	case len(m.Hooks) == 0:
		return errors.New(`manifest: "hooks" is empty: name at least one of ` + strings.Join(hookNames(), ", "))
	}
	for _, name := range m.Hooks {
		if !slices.Contains(hookNames(), name) {
			return fmt.Errorf("manifest: hook %q: this gateway has %s", name, strings.Join(hookNames(), ", "))
		}
	}
	if err := errors.Join(m.Caps.check("caps"), m.Optional.check("optional_caps")); err != nil {
		return err
	}
	for _, need := range m.Needs {
		if err := m.checkNeed(need); err != nil {
			return err
		}
	}
	if err := m.Stream.check(m.Hooks); err != nil {
		return err
	}
	return m.checkTick()
}

// checkNeed refuses a need that is unknown, or that no hook of the plugin would ever see.
func (m *Manifest) checkNeed(need string) error {
	hooks := needHooks(need)
	if hooks == nil {
		return fmt.Errorf("manifest: need %q: this gateway knows texts, media, metadata, request_metadata, headers, header:NAME, content, api_key", need)
	}
	var names []string
	for _, h := range hooks {
		if slices.Contains(m.Hooks, h.String()) {
			return nil
		}
		names = append(names, h.String())
	}
	return fmt.Errorf("manifest: need %q is for the hook %s, which the plugin does not have", need, strings.Join(names, " or "))
}

// needHooks are the hooks whose views a need adds to; nil if there is no such need.
func needHooks(need string) []abi.Hook {
	switch name, header := strings.CutPrefix(need, "header:"); {
	case header && name != "", need == "headers":
		return []abi.Hook{abi.HookAuth, abi.HookSSOBegin}
	}
	switch need {
	case "texts":
		return []abi.Hook{abi.HookRequest, abi.HookModeration, abi.HookResponse, abi.HookStreamChunk, abi.HookProvider, abi.HookPrompt}
	case "media":
		return []abi.Hook{abi.HookRequest, abi.HookModeration, abi.HookResponse}
	case "request_metadata":
		return guardHooks()
	case "metadata":
		return []abi.Hook{
			abi.HookRequest, abi.HookModeration, abi.HookResponse, abi.HookStreamChunk, abi.HookStreamEnd, abi.HookFailure,
			abi.HookLog, abi.HookRoute, abi.HookPrompt, abi.HookProvider,
		}
	case "content":
		return []abi.Hook{abi.HookLog}
	case "api_key":
		return []abi.Hook{abi.HookProvider}
	}
	return nil
}

// hookNames are the hooks that a manifest may name: those this gateway calls.
func hookNames() []string {
	var names []string
	for _, h := range []abi.Hook{
		abi.HookAuth, abi.HookSSOBegin, abi.HookSSOCallback, abi.HookRequest, abi.HookModeration, abi.HookResponse,
		abi.HookStreamChunk, abi.HookStreamEnd, abi.HookFailure, abi.HookLog, abi.HookTick, abi.HookRoute,
		abi.HookProvider, abi.HookPrompt, abi.HookKeyGenerate,
	} {
		names = append(names, h.String())
	}
	return names
}

func (m *Manifest) hooks() []abi.Hook {
	var list []abi.Hook
	for _, name := range m.Hooks {
		if h, ok := abi.ParseHook(name); ok {
			list = append(list, h)
		}
	}
	return list
}

// checkLimits compares what the plugin asks for with what it is given.
func (m *Manifest) checkLimits(given Limits) error {
	ask := func(setting string, asked, given int) error {
		if asked <= given {
			return nil
		}
		return fmt.Errorf("the plugin asks for %s: %d, it is given %d: set limits.%s to at least %d", setting, asked, given, setting, asked)
	}
	return errors.Join(
		ask("memory_mb", m.Limits.MemoryMB, given.MemoryMB),
		ask("cpu_ms", m.Limits.CPUMS, int(given.CPU.Milliseconds())),
		ask("wall_ms", m.Limits.WallMS, int(given.Wall.Milliseconds())),
	)
}

// needs is the part of the manifest that the hot path asks.
type needs struct {
	texts, metadata, headers bool
	media                    bool
	content, apiKey          bool
	requestMetadata          bool
	header                   []string
}

func (m *Manifest) needs() (n needs) {
	for _, need := range m.Needs {
		switch need {
		case "texts":
			n.texts = true
		case "media":
			n.media = true
		case "metadata":
			n.metadata = true
		case "headers":
			n.headers = true
		case "request_metadata":
			n.requestMetadata = true
		case "content":
			n.content = true
		case "api_key":
			n.apiKey = true
		default:
			n.header = append(n.header, strings.TrimPrefix(need, "header:"))
		}
	}
	return n
}
