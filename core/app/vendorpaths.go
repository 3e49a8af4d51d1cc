package app

import "fmt"

// vendorPath is a path of the gateway that stands for a part of a vendor's API.
type vendorPath struct {
	vendorPass
	under string // the path at the vendor
}

// vendorPaths are the routes of the reference that only one vendor's API has: Anthropic's skills
// (https://platform.claude.com/docs/en/api/beta/skills), Google's interactions
// (https://ai.google.dev/api/interactions-api).
func vendorPaths() []vendorPath {
	byName := map[string]vendorPass{}
	for _, v := range vendorPasses() {
		byName[v.paths[0]] = v
	}
	at := func(of, under string, paths ...string) vendorPath {
		v := byName[of]
		v.paths = paths
		return vendorPath{v, under}
	}
	return []vendorPath{
		at("/anthropic", "/v1/skills", "/v1/skills"),
		at("/gemini", "/v1beta/interactions", "/interactions", "/v1beta/interactions"),
	}
}

// vertexLive is the path below Vertex AI's of conversations over WebSockets; a location may follow it.
const vertexLive = "/live"

// vertexLiveAt is where such a conversation is held
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/live-api).
func vertexLiveAt(location, base string) (server, path string, err error) {
	const service = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
	switch {
	case !locationName(location):
		return "", "", fmt.Errorf("%q cannot be a location: set default_vertex_config.vertex_location, or vertex_location in the query", location)
	case base != "":
		return "", service, nil
	case location == "global":
		return "https://aiplatform.googleapis.com", service, nil
	}
	return "https://" + location + "-aiplatform.googleapis.com", service, nil
}
