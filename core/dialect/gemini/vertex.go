package gemini

import "strings"

// VertexVersion is the version of Vertex AI's API in paths: the one that Google's own clients use, as it has what is new
// in the Gemini API as well.
const VertexVersion = "v1beta1"

// Location is where a deployment's models run. Without a word of the operator's it is the reference's us-central1
// (litellm/llms/vertex_ai/vertex_llm_base.py, get_vertex_region).
func Location(setting func(name string) string) string {
	for _, name := range [...]string{"vertex_location", "region_name"} {
		if s := strings.TrimSpace(setting(name)); s != "" {
			return s
		}
	}
	return "us-central1"
}

// VertexBase is the address of Vertex AI for a location: a region, a continent such as us or eu, or global. It is "" for
// anything that cannot be one. The hosts are those of
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations.
func VertexBase(location string) string {
	if location == "" || strings.Trim(location, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	switch {
	case location == "global":
		return "https://aiplatform.googleapis.com"
	case !strings.Contains(location, "-"):
		return "https://aiplatform." + location + ".rep.googleapis.com"
	}
	return "https://" + location + "-aiplatform.googleapis.com"
}

// VertexModel is the address of a publisher's models in a project, up to the model. problem says what is wrong with the
// setting.
func VertexModel(setting func(name string) string, project, publisher string) (base, wrong, problem string) {
	location := Location(setting)
	host := VertexBase(location)
	if host == "" {
		return "", "vertex_location", NotLocation
	}
	if project == "" {
		return "", "vertex_project", NoProject
	}
	path, problem := VertexPath(project, location)
	if problem != "" {
		return "", "vertex_project", problem
	}
	if publisher != "" {
		publisher = "/publishers/" + publisher + "/models/"
	}
	return host + "/v1" + path + publisher, "", ""
}

// What is wrong with settings.
const (
	NotLocation = "must be a location such as us-central1, or global, us or eu"
	NoProject   = "is missing: name the Google Cloud project, here or as VERTEXAI_PROJECT or GOOGLE_CLOUD_PROJECT"
)

// VertexPath is the path of a location of a project. problem says what is wrong with the project.
func VertexPath(project, location string) (path, problem string) {
	// Projects of organizations that predate Google Cloud are written like example.com:name.
	if strings.Trim(project, "abcdefghijklmnopqrstuvwxyz0123456789-.:_ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", "must be the id of a Google Cloud project"
	}
	return "/projects/" + project + "/locations/" + location, ""
}
