package gemini

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// locate returns the address of Vertex AI for the location of a deployment.
func locate(site *provider.Site) (string, error) {
	d := site.Deployment
	if d.Base != "" {
		return d.Base, nil
	}
	location := gemini.Location(d.Setting)
	base := gemini.VertexBase(location)
	if base == "" {
		return "", site.Problem("vertex_location", gemini.NotLocation)
	}
	return base, nil
}

// bindVertex prepares a deployment on Vertex AI. A base of the operator's own may be that of the service, or of the whole
// model, as in the reference (litellm/llms/vertex_ai/vertex_llm_base.py, _check_custom_proxy). A model whose name is a
// number is a tuned one behind an endpoint of its own.
func bindVertex(site *provider.Site, o *own, s Settings) error {
	d := site.Deployment
	o.model = strings.TrimPrefix(strings.TrimPrefix(o.model, "gemini/"), "google/")
	o.whole = strings.Contains(site.Root, "/models/") || strings.Contains(site.Root, "/endpoints/")
	if d.APIKey == "" {
		if s.Sign == nil {
			return site.Problem("vertex_credentials", "cannot be used here")
		}
		signer, err := s.Sign(d)
		if err != nil {
			return site.Problem("vertex_credentials", "cannot be used: "+err.Error())
		}
		site.Signer, site.Keyless = signer, true
	}
	if o.whole {
		return nil
	}
	if site.Root == "" {
		site.Root = "/" + gemini.VertexVersion
	}
	project := d.Setting("vertex_project")
	if project == "" && s.Project != nil {
		project = s.Project(d)
	}
	switch {
	case project != "":
		path, problem := gemini.VertexPath(project, gemini.Location(d.Setting))
		if problem != "" {
			return site.Problem("vertex_project", problem)
		}
		site.Root += path
		if err := o.bindBeside(site, project); err != nil {
			return err
		}
	case d.APIKey == "":
		return site.Problem("vertex_project", gemini.NoProject)
	}
	o.resource = "/publishers/google/models/"
	if number(o.model) {
		o.resource = "/endpoints/"
	}
	return nil
}

func number(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
