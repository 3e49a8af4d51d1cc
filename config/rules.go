package config

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// pythonPath is module.attribute, or a file name, as LiteLLM loads them, from a bucket too
// (litellm/proxy/types_utils/utils.py, get_instance_fn).
var pythonPath = regexp.MustCompile(`^((s3|gcs)://[^/]+/)?[\pL_][\pL\pN_./-]*(\.[\pL_][\pL\pN_]*)$`)

// plugin checks a value that names code to run. LiteLLM loads Python there.
func (k *checker) plugin(n *node, set *Setting, path string, pos Position) bool {
	values := []*node{n}
	if n.kind == listKind {
		values = n.items
	}
	ok := true
	for _, v := range values {
		name, isText := v.scalar.(string)
		if !isText || strings.HasSuffix(name, ".wasm") || set.Hook == "request" && FirstParty(name) != "" {
			continue
		}
		if pythonPath.MatchString(name) {
			k.rep.fail(pos, path, fmt.Sprintf("%q is Python code, which is not run here", display(v, false)), pythonFix(set))
			ok = false
			continue
		}
		if later(name, set.Hook) {
			k.rep.warn(pos, path, fmt.Sprintf("%q is known but has no effect in this release", display(v, false)), pythonFix(set))
			continue
		}
		if set.Status == InEffect && set.Hook != "log" { // a sink may also have a name
			k.rep.fail(pos, path, notModule(name, set), moduleFix(name, set))
			ok = false
		}
	}
	return ok
}

// later reports whether a name is that of one of LiteLLM's own integrations, which come later.
func later(name, hook string) bool {
	return hook == "prompt" && slices.Contains(builtinPrompts(), name)
}

// builtinPrompts lists LiteLLM's own sources of prompts.
func builtinPrompts() []string {
	return []string{"langfuse", "humanloop", "dotprompt", "bitbucket", "gitlab", "arize_phoenix", "generic_prompt_management", "custom"}
}

func pythonFix(set *Setting) string {
	key := set.Path[strings.LastIndexByte(set.Path, '.')+1:]
	hook := set.Hook
	if strings.HasPrefix(hook, "sso_") { // there is one project for both sides of a sign-in
		hook = "sso"
	}
	name := "my-" + strings.ReplaceAll(hook, "_", "-")
	if set.Hook == "request" || set.Hook == "response" {
		name = "my-guardrail"
	}
	use := key + ": " + name + ".wasm"
	switch key {
	case "pre_call_rules":
		use = "it under guardrails with mode: pre_call"
	case "post_call_rules":
		use = "it under guardrails with mode: post_call"
	}
	return fmt.Sprintf("make a WebAssembly plugin with the %s hook (sallyport plugin new %s --hook %s) and write %s", set.Hook, name, hook, use)
}

func notModule(name string, set *Setting) string {
	if set.Hook == "request" && slices.Contains(builtinGuardrails(), name) {
		return fmt.Sprintf("LiteLLM's guardrail %q has no plugin here", name)
	}
	return fmt.Sprintf("%q is not the path of a WebAssembly module, ending in .wasm", name)
}

// moduleFix says what to write in place of a name that is no module.
func moduleFix(name string, set *Setting) string {
	if set.Hook != "request" || !slices.Contains(builtinGuardrails(), name) {
		return pythonFix(set)
	}
	const hook = "a plugin of your own with the request or response hook (sallyport plugin new NAME makes one)"
	switch name {
	case "azure/prompt_shield", "grayswan", "javelin":
		return "plugins/prompt-injection.wasm and guardrail: lakera_v2 look for the same; or put a service that speaks LiteLLM's Generic Guardrail API before " +
			name + " and write guardrail: generic_guardrail_api"
	case "azure/text_moderations":
		return "guardrail: openai_moderation and plugins/llama-guard.wasm judge by categories as well; or put a service that speaks LiteLLM's Generic Guardrail API before " +
			name + " and write guardrail: generic_guardrail_api"
	case "ibm_guardrails":
		return "plugins/llama-guard.wasm asks a model that judges, such as Granite Guardian; or write guardrail: generic_guardrail_api for a service that speaks LiteLLM's Generic Guardrail API"
	case "litellm_content_filter":
		return "plugins/keywords.wasm, plugins/pii.wasm and plugins/secrets.wasm do the same work, each with settings of its own: see their READMEs"
	case "model_armor":
		return "plugins/prompt-injection.wasm, plugins/pii.wasm and guardrail: bedrock look for the same; or put a service that speaks LiteLLM's Generic Guardrail API before " +
			name + " and write guardrail: generic_guardrail_api"
	case "pangea", "panw_prisma_airs":
		return "plugins/prompt-injection.wasm, plugins/pii.wasm and plugins/secrets.wasm look for the same; or put a service that speaks LiteLLM's Generic Guardrail API before " +
			name + " and write guardrail: generic_guardrail_api"
	case "tool_permission", "custom_code":
		return "write " + hook + ": it reads tools and arguments with Value and JSON, and edits them"
	}
	return "put a service that speaks LiteLLM's Generic Guardrail API before " + name + " and write guardrail: generic_guardrail_api, or write " + hook + " that asks it over HTTP"
}

// FirstParty is the plugin of this project that does what a guardrail of
// LiteLLM does, or "".
func FirstParty(guardrail string) string {
	switch guardrail {
	case "presidio":
		return "presidio"
	case "lakera", "lakera_v2":
		return "lakera"
	case "openai_moderation":
		return "openai-moderation"
	case "bedrock":
		return "bedrock-guardrails"
	case "generic_guardrail_api":
		return "generic-guardrail-api"
	case "hide-secrets":
		return "secrets"
	}
	return ""
}

// builtinGuardrails lists LiteLLM's own guardrails.
func builtinGuardrails() []string {
	return []string{
		"aporia", "bedrock", "guardrails_ai", "lakera", "lakera_v2", "presidio", "hide-secrets", "hiddenlayer",
		"aim", "pangea", "lasso", "pillar", "grayswan", "panw_prisma_airs", "azure/prompt_shield",
		"azure/text_moderations", "model_armor", "openai_moderation", "noma", "tool_permission",
		"zscaler_ai_guard", "javelin", "enkryptai", "ibm_guardrails", "litellm_content_filter", "onyx",
		"prompt_security", "generic_guardrail_api", "qualifire", "custom_code",
	}
}

// unchecked warns of a setting that is safer here than where the file comes from.
func (k *checker) unchecked(root *node) {
	n := root.get("litellm_settings").get("cache_params").get("ssl_cert_reqs")
	if n != nil && n.isNull() && !n.missing {
		k.rep.warn(n.pos, "litellm_settings.cache_params.ssl_cert_reqs", "the certificate of Redis is checked here, which LiteLLM leaves out for null",
			"name its authority with ssl_ca_certs, or write none to leave it out")
	}
}

// rules checks what one setting alone cannot show.
func (k *checker) rules(root *node) {
	general := root.get("general_settings")
	k.masterKey(general)
	k.addresses(general)
	k.passThrough(general)
	credentials := k.unique(root, "credential_list", "credential_name")
	k.unique(root, "guardrails", "guardrail_name")
	k.unchecked(root)
	k.models(root.get("model_list"), credentials)
	k.stores(root.get("vector_store_registry"), credentials)
	k.guardrails(root.get("guardrails"))
	for _, name := range []string{"custom_auth_settings", "custom_key_generate_settings", "custom_sso_settings", "custom_ui_sso_sign_in_handler_settings"} {
		k.pin(general.get(name), "general_settings."+name)
	}
	k.pins(root)
	k.unique(root, "prompts", "prompt_id")
	groups := modelGroups(root)
	for _, section := range []string{"litellm_settings", "router_settings"} {
		s := root.get(section)
		for _, list := range []string{"fallbacks", "context_window_fallbacks", "content_policy_fallbacks"} {
			k.fallbacks(s.get(list), section+"."+list, groups)
		}
		k.targets(s.get("default_fallbacks"), section+".default_fallbacks", groups)
	}
	k.callbackSettings(root)
	k.callbacks(root)
}

// masterKey says when the gateway would serve everyone.
func (k *checker) masterKey(general *node) {
	const path = "general_settings.master_key"
	key := general.get("master_key")
	if key != nil && key.scalar == "" {
		k.rep.fail(k.where[path], path, "the master key is empty: every caller would be an administrator", "write a key, or remove the line if that is meant")
		return
	}
	set := key != nil && (key.missing || !key.isNull()) || k.env.Get("LITELLM_MASTER_KEY") != "" || k.env.Get("PROXY_MASTER_KEY") != ""
	if custom := general.get("custom_auth"); set || custom != nil && !custom.isNull() {
		return
	}
	k.rep.warn(Position{}, path, "no master key is set: every caller is an administrator", "set general_settings.master_key or LITELLM_MASTER_KEY")
}

func (k *checker) addresses(general *node) {
	list := general.get("allowed_ips")
	if list == nil || list.kind != listKind {
		return
	}
	for i, item := range list.items {
		text, _ := item.scalar.(string)
		_, addrErr := netip.ParseAddr(text)
		_, rangeErr := netip.ParsePrefix(text)
		if addrErr != nil && rangeErr != nil {
			k.rep.fail(item.pos, fmt.Sprintf("general_settings.allowed_ips[%d]", i),
				fmt.Sprintf("%q is neither an address nor a range", display(item, false)), "write it as 10.0.0.1 or 10.0.0.0/8")
		}
	}
}

func (k *checker) passThrough(general *node) {
	list := general.get("pass_through_endpoints")
	if list == nil || list.kind != listKind {
		return
	}
	for i, item := range list.items {
		path := fmt.Sprintf("general_settings.pass_through_endpoints[%d]", i)
		if p := item.get("path"); p != nil && !strings.HasPrefix(p.text, "/") {
			k.rep.fail(p.pos, path+".path", "a path begins with a slash", "")
		}
		k.address(item.get("target"), path+".target")
		if auth := item.get("auth"); auth == nil || auth.scalar != true {
			k.rep.warn(item.pos, path, "this path is open to every caller", "add auth: true to ask for a key")
		}
	}
}

// address checks that a value is an absolute HTTP address.
func (k *checker) address(n *node, path string) {
	if n == nil || n.isNull() {
		return
	}
	u, err := url.Parse(n.text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		k.rep.fail(n.pos, path, "expected an address that begins with http:// or https://", "")
	}
}

// unique reports a name used twice in a list and returns all names.
func (k *checker) unique(root *node, section, key string) map[string]bool {
	names := map[string]bool{}
	list := root.get(section)
	if list == nil {
		return names
	}
	for i, item := range list.items {
		n := item.get(key)
		if n == nil || n.isNull() {
			continue
		}
		if names[n.text] {
			k.rep.fail(n.pos, fmt.Sprintf("%s[%d].%s", section, i, key), fmt.Sprintf("the name %q is used twice", display(n, false)), "give each entry its own name")
		}
		names[n.text] = true
	}
	return names
}

func (k *checker) models(list *node, credentials map[string]bool) {
	if list == nil || len(list.items) == 0 {
		k.rep.warn(Position{}, "model_list", "no models are listed: every request for one will be refused", "add entries to model_list")
		return
	}
	ids := map[string]bool{}
	for i, item := range list.items {
		path := fmt.Sprintf("model_list[%d]", i)
		k.reached(item.get("litellm_params"), path+".litellm_params", credentials)
		id := item.get("model_info").get("id")
		if id == nil || id.isNull() {
			continue
		}
		if ids[id.text] {
			k.rep.fail(id.pos, path+".model_info.id", fmt.Sprintf("the id %q is used twice", display(id, false)), "give each deployment its own id, or none")
		}
		ids[id.text] = true
	}
}

func (k *checker) guardrails(list *node) {
	if list == nil {
		return
	}
	for i, item := range list.items {
		k.pin(item.get("litellm_params"), fmt.Sprintf("guardrails[%d].litellm_params", i))
	}
}

// pins checks the hashes of the plugins that are neither guardrails nor authentication.
func (k *checker) pins(root *node) {
	k.pin(root.get("router_settings").get("custom_route_settings"), "router_settings.custom_route_settings")
	each := func(list *node, path, inner string) {
		if list == nil {
			return
		}
		for i, item := range list.items {
			at := fmt.Sprintf("%s[%d]", path, i)
			if inner != "" {
				item, at = item.get(inner), at+"."+inner
			}
			k.pin(item, at)
		}
	}
	each(root.get("litellm_settings").get("custom_provider_map"), "litellm_settings.custom_provider_map", "")
	each(root.get("prompts"), "prompts", "litellm_params")
	if s := root.get("callback_settings"); s != nil {
		for _, e := range s.entries {
			k.pin(e.val, "callback_settings."+e.key)
		}
	}
}

// pin checks the hash that a plugin's options may hold.
func (k *checker) pin(options *node, path string) {
	sum := options.get("sha256")
	if sum == nil || sum.isNull() {
		return
	}
	if raw, err := hex.DecodeString(sum.text); err != nil || len(raw) != 32 {
		k.rep.fail(sum.pos, path+".sha256", "expected 64 hexadecimal digits", "sha256sum FILE prints them")
	}
}

// callbacks reports names of sinks that this release does not have. A list
// may hold sinks that are there as well, so that is not an error.
func (k *checker) callbacks(root *node) {
	for _, key := range []string{"callbacks", "success_callback", "failure_callback"} {
		list := root.get("litellm_settings").get(key)
		if list == nil {
			continue
		}
		items := list.items
		if list.kind == scalarKind {
			items = []*node{list}
		}
		for i, item := range items {
			if item.text == "" || item.text == "prometheus" || pythonPath.MatchString(item.text) || strings.HasSuffix(item.text, ".wasm") || key == "callbacks" && dynamicLimiter(item.text) {
				continue
			}
			path := fmt.Sprintf("litellm_settings.%s[%d]", key, i)
			k.rep.warn(item.pos, path, fmt.Sprintf("the callback %q is not served in this release", item.text), "remove it, or see config/REFERENCE.md for those that are")
		}
	}
}

// dynamicLimiter reports names of callbacks that are a limit and no sink.
func dynamicLimiter(name string) bool {
	return name == "dynamic_rate_limiter" || name == "dynamic_rate_limiter_v3"
}

// callbackSettings reports options for callbacks that are not switched on.
func (k *checker) callbackSettings(root *node) {
	section := root.get("callback_settings")
	if section == nil {
		return
	}
	active := map[string]bool{}
	for _, key := range []string{"callbacks", "success_callback", "failure_callback", "service_callbacks", "service_callback"} {
		if list := root.get("litellm_settings").get(key); list != nil {
			for _, item := range append([]*node{list}, list.items...) {
				for _, name := range callbackNames(item.text) {
					active[name] = true
				}
			}
		}
	}
	for _, e := range section.entries {
		if !active[e.key] {
			k.rep.warn(e.pos, "callback_settings."+e.key, "no callback of this name is switched on", "add it to litellm_settings.callbacks, or remove this")
		}
	}
}

// reached checks how a deployment or a store is reached.
func (k *checker) reached(params *node, path string, credentials map[string]bool) {
	k.address(params.get("api_base"), path+".api_base")
	name := params.get("litellm_credential_name")
	if name == nil || name.isNull() || credentials[name.text] {
		return
	}
	fix := "add it to credential_list"
	if near := nearest(name.text, slices.Collect(keys(credentials)), 2); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	k.rep.fail(name.pos, path+".litellm_credential_name", fmt.Sprintf("credential_list has no entry named %q", display(name, false)), fix)
}

// stores checks vector_store_registry. An id names one store.
func (k *checker) stores(list *node, credentials map[string]bool) {
	if list == nil {
		return
	}
	ids := map[string]bool{}
	for i, item := range list.items {
		path := fmt.Sprintf("vector_store_registry[%d].litellm_params", i)
		params := item.get("litellm_params")
		k.reached(params, path, credentials)
		id := params.get("vector_store_id")
		if id == nil || id.isNull() {
			continue
		}
		if ids[id.text] {
			k.rep.fail(id.pos, path+".vector_store_id", fmt.Sprintf("the id %q is used twice", display(id, false)), "requests name a store by its id: list each once")
		}
		ids[id.text] = true
	}
}
