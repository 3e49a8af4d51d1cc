package virtualkey

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// matches reports whether a path is among patterns; a star at a pattern's end stands for anything.
func matches(patterns []string, path string) bool {
	for _, p := range patterns {
		if p == path {
			return true
		}
		if head, star := strings.CutSuffix(p, "*"); star && strings.HasPrefix(path, head) {
			return true
		}
	}
	return false
}

// routeAllowed reports whether a key that has a list of routes may call the exchange's path. An entry is a path, what
// lies below it, a pattern with a star, or the name of a group of paths
// (litellm/proxy/auth/route_checks.py, is_virtual_key_allowed_to_call_route).
func (g *Gate) routeAllowed(x *llm.Exchange, list []string) bool {
	for _, r := range list {
		if routeMatches(r, x.Path) {
			return true
		}
		if r == "llm_api_routes" && g.callsModel(x) {
			return true
		}
		if group := routeGroup(r); group != nil && slices.ContainsFunc(group, func(p string) bool { return pathMatches(p, x.Path) }) {
			return true
		}
	}
	return false
}

// passThrough refuses to pass a request on that the caller may not have passed on: also one that is a conversation.
func (g *Gate) passThrough(x *llm.Exchange, p *llm.Principal) error {
	if x.Op != llm.OpPassThrough && (x.Op != llm.OpRealtime || x.Pinned == nil) {
		return nil
	}
	if !g.passAllowed(x, p) {
		return forbidden("Virtual key is not allowed to call this route. Only allowed to call pass-through routes: " +
			pythonList(p.PassRoutes) + ". Tried to call route: " + x.Path)
	}
	if p.Role == llm.RoleProxyAdmin {
		return nil
	}
	for _, entry := range p.DeniedRoutes {
		if denies(entry, x.Path) {
			return forbidden("Virtual key is not allowed to call this route. Matched `" + entry + "` in `denied_passthrough_routes`. " +
				"Tried to call route: " + x.Path)
		}
	}
	return nil
}

// denies reports whether a path is the one of an entry or lies below it, or begins as an entry says that ends in a star: as it
// was sent, and as a server may read it that decodes it, and takes what follows an encoded ? or # for no part of it.
func denies(entry, path string) bool {
	head, star := strings.CutSuffix(entry, "*")
	below := strings.TrimSuffix(head, "/")
	if !star && below == "" {
		return entry == "/" // all paths
	}
	hit := func(path string) bool {
		return star && strings.HasPrefix(path, head) || !star && (path == below || strings.HasPrefix(path, below+"/"))
	}
	if hit(path) {
		return true
	}
	if !strings.Contains(path, "%") {
		return false
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return true // what cannot be read is not let past an entry
	}
	short, _, _ := strings.Cut(plain, "?")
	short, _, _ = strings.Cut(short, "#")
	return hit(plain) || hit(short)
}

// passAllowed reports whether a key whose metadata, or else whose team's, lists endpoints to pass requests through to may
// call the exchange's path. The list counts for endpoints of the configuration, and for keys without allowed_routes
// (allowed_passthrough_routes of /key/generate, litellm/proxy/management_endpoints/key_management_endpoints.py).
func (g *Gate) passAllowed(x *llm.Exchange, p *llm.Principal) bool {
	return len(p.PassRoutes) == 0 || len(p.AllowedRoutes) > 0 || g.policy.LLMRoute == nil || !g.policy.LLMRoute(x.Path) ||
		slices.ContainsFunc(p.PassRoutes, func(r string) bool { return routeMatches(r, x.Path) })
}

// routeMatches reports whether a path is the one of an entry, lies below it, or has the form of its pattern.
func routeMatches(entry, path string) bool {
	return entry == path || strings.HasPrefix(path, strings.TrimSuffix(entry, "/")+"/") && strings.HasPrefix(entry, "/") && entry != "/" ||
		strings.ContainsAny(entry, "*{") && pathMatches(entry, path)
}

// callsModel reports whether a path is one of llm_api_routes: it calls a model, or says which there are.
func (g *Gate) callsModel(x *llm.Exchange) bool {
	if x.Op != llm.OpNone {
		return true
	}
	for _, p := range []string{
		"/models", "/models/{id}", "/v1/models", "/v1/models/{id}", "/utils/token_counter", "/utils/transform_request",
	} {
		if pathMatches(p, x.Path) {
			return true
		}
	}
	return g.policy.LLMRoute != nil && g.policy.LLMRoute(x.Path)
}

// pathMatches reports whether a path has the form of a pattern: {name} stands for one part of it, a star at the end for
// all that follows.
func pathMatches(pattern, path string) bool {
	for {
		part, rest, more := strings.Cut(pattern, "/")
		if part == "*" && !more {
			return true
		}
		seg, tail, further := strings.Cut(path, "/")
		switch {
		case strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}"):
			if seg == "" {
				return false
			}
		case !more && strings.HasSuffix(part, "*"):
			return strings.HasPrefix(path, part[:len(part)-1])
		case part != seg:
			return false
		}
		if more != further {
			return false
		}
		if !more {
			return true
		}
		pattern, path = rest, tail
	}
}

// routeGroup returns the paths behind a name that allowed_routes may hold; nil for other names
// (LiteLLMRoutes in litellm/proxy/_types.py).
func routeGroup(name string) []string {
	keys := []string{
		"/key/generate", "/key/update", "/key/delete", "/key/info", "/key/regenerate", "/key/service-account/generate",
		"/key/{key}/regenerate", "/key/list", "/key/block", "/key/unblock", "/key/bulk_update",
	}
	info := []string{
		"/key/info", "/key/health", "/team/info", "/team/list", "/v2/team/list", "/organization/list", "/team/available", "/user/info",
		"/model/info", "/v1/model/info", "/v2/model/info", "/v2/key/info", "/model_group/info", "/health", "/key/list",
		"/user/filter/ui", "/models", "/v1/models",
	}
	spend := []string{"/spend/keys", "/spend/users", "/spend/tags", "/spend/calculate", "/spend/logs", "/cost/estimate"}
	switch name {
	case "info_routes":
		return info
	case "key_management_routes":
		return keys
	case "management_routes":
		return append([]string{
			"/user/new", "/user/update", "/user/delete", "/user/info", "/user/list", "/user/daily/activity",
			"/user/daily/activity/aggregated", "/team/new", "/team/update", "/team/delete", "/team/list", "/v2/team/list", "/team/info",
			"/team/block", "/team/unblock", "/team/available", "/team/permissions_list", "/team/permissions_update",
			"/team/daily/activity", "/model/new", "/model/update", "/model/delete", "/model/info",
		}, keys...)
	case "spend_tracking_routes":
		return spend
	case "global_spend_tracking_routes":
		return []string{
			"/global/spend/logs", "/global/spend", "/global/spend/keys", "/global/spend/teams", "/global/spend/end_users",
			"/global/spend/models", "/global/predict/spend/logs", "/global/spend/report", "/global/spend/provider", "/global/spend/tags",
		}
	case "openai_routes":
		return []string{
			"/chat/completions", "/v1/chat/completions", "/engines/{model}/chat/completions", "/openai/deployments/{model}/chat/completions",
			"/cursor/chat/completions", "/completions", "/v1/completions", "/engines/{model}/completions",
			"/openai/deployments/{model}/completions", "/embeddings", "/v1/embeddings", "/engines/{model}/embeddings",
			"/openai/deployments/{model}/embeddings", "/images/generations", "/v1/images/generations", "/images/edits", "/v1/images/edits",
			"/audio/transcriptions", "/v1/audio/transcriptions", "/audio/speech", "/v1/audio/speech", "/moderations", "/v1/moderations",
			"/batches*", "/v1/batches*", "/files*", "/v1/files*", "/fine_tuning/*", "/v1/fine_tuning/*", "/assistants*", "/v1/assistants*",
			"/threads*", "/v1/threads*", "/models", "/v1/models", "/rerank", "/v1/rerank", "/v2/rerank", "/realtime", "/v1/realtime",
			"/responses*", "/v1/responses*", "/vector_stores*", "/v1/vector_stores*", "/utils/token_counter", "/utils/transform_request",
		}
	case "anthropic_routes":
		return []string{"/v1/messages", "/v1/messages/count_tokens", "/v1/skills", "/v1/skills/{skill_id}"}
	case "google_routes":
		return []string{"/v1beta/models/*", "/interactions*", "/v1beta/interactions*"}
	case "mapped_pass_through_routes":
		return []string{
			"/bedrock/*", "/vertex-ai/*", "/vertex_ai/*", "/cohere/*", "/gemini/*", "/anthropic/*", "/langfuse/*", "/azure/*", "/azure_ai/*",
			"/openai/*", "/openai_passthrough/*", "/assemblyai/*", "/eu.assemblyai/*", "/vllm/*", "/mistral/*", "/milvus/*",
		}
	case "public_routes":
		return []string{"/routes", "/", "/health/liveliness", "/health/liveness", "/health/readiness", "/test", "/metrics"}
	}
	return nil
}
