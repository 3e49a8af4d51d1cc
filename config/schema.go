package config

import (
	"slices"
	"strings"
)

// Type is the set of YAML types a setting accepts.
type Type uint16

// The types, which can be or-ed together.
const (
	TypeString Type = 1 << iota
	TypeBool
	TypeInt
	// TypeNumber is any number, TypeSeconds a number of seconds.
	TypeNumber
	TypeSeconds
	TypeStrings
	TypeList
	TypeObjects
	TypeObject
	TypeAny
	// TypeText is a string, number or boolean taken as text.
	TypeText
)

// String returns the type in words, such as "string or list of strings".
func (t Type) String() string {
	names := []string{
		"string", "boolean", "integer", "number", "number of seconds",
		"list of strings", "list", "list of objects", "object", "any value", "text",
	}
	var words []string
	for i, name := range names {
		if t&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, " or ")
}

// Status says what a setting does in this release.
type Status uint8

// A Planned setting is known to LiteLLM and not yet implemented here: it is
// accepted and reported loudly. InEffect and Deprecated settings work; a
// NotNeeded one never will, for the reason in its Note. A Refused setting
// stops the start and its Note says what to write instead.
const (
	Planned Status = iota
	InEffect
	Deprecated
	NotNeeded
	Refused
)

// String returns the status as it is shown.
func (s Status) String() string {
	switch s {
	case InEffect:
		return "in effect"
	case Deprecated:
		return "deprecated"
	case NotNeeded:
		return "not needed here"
	case Refused:
		return "refused"
	}
	return "not yet in effect"
}

// Unknown says what happens to a key of an object that the schema lacks.
type Unknown uint8

const (
	// UnknownTypo stops the start when a known key is at most two letters
	// away and warns otherwise.
	UnknownTypo Unknown = iota
	// UnknownError stops the start.
	UnknownError
	// UnknownWarn warns.
	UnknownWarn
	// UnknownDefault keeps the key as a default for requests.
	UnknownDefault
	// UnknownKeep keeps the key; it needs no attention.
	UnknownKeep
)

// Setting describes one setting or environment variable.
type Setting struct {
	// Path is a key path in which "[]" stands for any index and "*" for any
	// key, or the name of an environment variable.
	Path    string
	Type    Type
	Default string
	// Allowed lists the values that are in effect, Later those that LiteLLM
	// knows and this release does not yet. Both empty means any value.
	Allowed []string
	Later   []string
	// Area is the part of the gateway concerned: auth, router, cache ...
	Area   string
	Status Status
	// Doc says in a sentence what the setting does.
	Doc string
	// Note says why a setting is not needed, or what replaces it.
	Note string
	// Hook names the plugin hook that takes the place of a Python path here.
	Hook string
	// Secret values are never shown, Required keys must be present.
	Secret   bool
	Required bool
	// Variable marks an environment variable.
	Variable bool
	// Ambient variables are commonly set by the system and not for us.
	Ambient bool
	Unknown Unknown
}

// Section returns the top-level key a setting belongs to, or "environment
// variables".
func (s *Setting) Section() string {
	if s.Variable {
		return "environment variables"
	}
	name, _, _ := strings.Cut(s.Path, ".")
	return strings.TrimSuffix(name, "[]")
}

// Settings returns every setting and variable known, in the order of the
// reference. The slice is the caller's.
func Settings() []Setting {
	return slices.Concat(
		topLevelSettings(),
		under("model_list[].", modelSettings()),
		under("model_list[].litellm_params.", deploymentSettings()),
		under("model_list[].litellm_params.", pricingSettings()),
		under("model_list[].litellm_params.", requestDefaults()),
		under("model_list[].model_info.", modelInfoSettings()),
		under("litellm_settings.", litellmSettings()),
		under("litellm_settings.", litellmTailSettings()),
		under("litellm_settings.cache_params.", cacheSettings()),
		under("general_settings.", generalSettings()),
		under("general_settings.", generalTailSettings()),
		under("router_settings.", routerSettings()),
		under("router_settings.custom_route_settings.", pluginOptions()),
		under("litellm_settings.custom_provider_map[].", pluginOptions()),
		under("general_settings.custom_auth_settings.", pluginOptions()),
		under("general_settings.custom_key_generate_settings.", pluginOptions()),
		under("general_settings.custom_sso_settings.", pluginOptions()),
		under("general_settings.custom_ui_sso_sign_in_handler_settings.", pluginOptions()),
		guardrailSettings(),
		under("guardrails[].litellm_params.", pluginOptions()),
		otherSectionSettings(),
		under("files_settings[].", resourceSettings()),
		under("finetune_settings[].", append(resourceSettings(), googleAccount()...)),
		under("assistant_settings.litellm_params.", resourceSettings()[1:]),
		vertexSettings(),
		storeSettings(),
		under("callback_settings.*.", pluginOptions()),
		promptSettings(),
		under("prompts[].litellm_params.", pluginOptions()),
		variables(variablesAToF()),
		variables(variablesGToL()),
		variables(variablesMToZ()),
		variables(furtherVariables()),
	)
}

// under puts a prefix before the path of each setting.
func under(prefix string, list []Setting) []Setting {
	for i := range list {
		list[i].Path = prefix + list[i].Path
	}
	return list
}

func variables(list []Setting) []Setting {
	for i := range list {
		list[i].Variable = true
	}
	return list
}

// schema is the settings as a tree, for walking beside a file.
type schema struct {
	root *schemaNode
	vars map[string]*Setting
	all  []Setting
}

// schemaNode is one step of a path. item follows "[]", each follows "*".
type schemaNode struct {
	setting *Setting
	keys    map[string]*schemaNode
	names   []string
	item    *schemaNode
	each    *schemaNode
}

func newSchema() *schema {
	s := &schema{root: &schemaNode{}, vars: map[string]*Setting{}, all: Settings()}
	s.root.setting = &Setting{Type: TypeObject, Unknown: UnknownError, Status: InEffect}
	for i := range s.all {
		set := &s.all[i]
		if set.Variable {
			s.vars[set.Path] = set
			continue
		}
		at := s.root
		for _, step := range pathSteps(set.Path) {
			at = at.step(step)
		}
		at.setting = set
	}
	return s
}

// pathSteps splits "a[].b" into "a", "[]", "b".
func pathSteps(path string) []string {
	return strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
}

func (n *schemaNode) step(name string) *schemaNode {
	next := &n.item
	switch name {
	case "[]":
	case "*":
		next = &n.each
	default:
		if n.keys == nil {
			n.keys = map[string]*schemaNode{}
		}
		if n.keys[name] == nil {
			n.keys[name] = &schemaNode{}
			n.names = append(n.names, name)
		}
		return n.keys[name]
	}
	if *next == nil {
		*next = &schemaNode{}
	}
	return *next
}

// open reports whether nothing is declared below this setting.
func (n *schemaNode) open() bool {
	return n == nil || n.keys == nil && n.item == nil && n.each == nil
}
