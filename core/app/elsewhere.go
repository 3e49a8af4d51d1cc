package app

import (
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

// elsewhere makes the provider of a vendor that speaks OpenAI's API under addresses that the model, or several settings,
// are part of. It is nil for others. most is the limit of an answer, in bytes.
func (b *builder) elsewhere(v compat.Vendor, most int64) provider.Provider {
	switch v.Name {
	case "bedrock_mantle":
		return b.placed(v, most, b.mantle)
	case "datarobot":
		return b.placed(v, most, datarobot)
	case "recraft":
		return b.placed(v, most, recraft)
	case "ragflow":
		return provider.Moved(b.compatible(v, most), ragflow)
	case "gdc":
		return provider.Moved(b.compatible(v, most), distributed)
	}
	return nil
}

// mantle is where Amazon's engine for models with OpenAI's API is. Calls without a key are signed. Some models are under a
// path of their own (https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html).
func (b *builder) mantle(d *llm.Deployment) (*provider.Place, error) {
	const unless = "us-east-1" // as with the reference (litellm/llms/bedrock_mantle/common_utils.py)
	named := ""
	if d.Setting("aws_region_name") == "" && b.amazon().Options(d.Setting).Region == "" {
		named = unless
	}
	region, signer, err := b.awsAccount(d, "bedrock-mantle", named)
	if err != nil {
		return nil, err
	}
	p := &provider.Place{Base: d.Base}
	if p.Base == "" {
		p.Base = "https://bedrock-mantle." + region + ".api.aws/v1"
		if name := strings.ToLower(d.Model); strings.Contains(name, "gpt-5") || strings.Contains(name, "gemma-4") {
			p.Base = "https://bedrock-mantle." + region + ".api.aws/openai/v1"
		}
	}
	if d.APIKey == "" {
		p.Signer = signer
	}
	return p, nil
}

// datarobot is where the gateway of DataRobot is. Its path ends with a slash, as in the reference
// (litellm/llms/datarobot/chat/transformation.py).
func datarobot(d *llm.Deployment) (*provider.Place, error) {
	base := strings.TrimRight(d.Base, "/")
	base = strings.TrimSuffix(base, "/api/v2")
	base, whole := strings.CutSuffix(base, "/chat/completions")
	return &provider.Place{Base: base, Path: func(op llm.Operation) string {
		switch {
		case op != llm.OpChat:
			return ""
		case whole:
			return "/chat/completions/"
		}
		return "/api/v2/genai/llmgw/chat/completions/"
	}}, nil
}

// recraft has another name for edits (https://www.recraft.ai/docs/api-reference/endpoints#image-to-image).
func recraft(*llm.Deployment) (*provider.Place, error) {
	return &provider.Place{Path: func(op llm.Operation) string {
		switch op {
		case llm.OpImage:
			return "/images/generations"
		case llm.OpImageEdit:
			return "/images/imageToImage"
		}
		return ""
	}}, nil
}

// ragflow moves a deployment to the chat or the agent that its model names: chat/<id>/<model> or agent/<id>/<model>, as in
// the reference (litellm/llms/ragflow/chat/transformation.py;
// https://ragflow.io/docs/dev/http_api_reference#openai-compatible-api).
func ragflow(d *llm.Deployment) error {
	kind, rest, _ := strings.Cut(d.Model, "/")
	id, model, ok := strings.Cut(rest, "/")
	if kind != "chat" && kind != "agent" || !ok || id == "" || model == "" {
		return &provider.SettingError{Group: d.Group, Setting: "model", Problem: "must be ragflow/chat/<id>/<model> or ragflow/agent/<id>/<model>"}
	}
	if d.Base == "" {
		return nil // whoever binds the deployment says that the address is missing
	}
	base := strings.TrimSuffix(strings.TrimSuffix(d.Base, "/v1"), "/api")
	d.Base, d.Model = base+"/api/v1/"+kind+"s_openai/"+url.PathEscape(id), model
	return nil
}

// distributed moves a deployment of Google Distributed Cloud to its project and location, as the reference does
// (litellm/llms/gdc/chat/transformation.py).
func distributed(d *llm.Deployment) error {
	project, location := d.Setting("vertex_project"), d.Setting("vertex_location")
	switch {
	case d.Base == "" || strings.Contains(d.Base, "/v1/projects/"):
	case project == "":
		return &provider.SettingError{Group: d.Group, Setting: "vertex_project", Problem: "is missing"}
	case location == "":
		return &provider.SettingError{Group: d.Group, Setting: "vertex_location", Problem: "is missing"}
	default:
		if !strings.Contains(d.Base, "://") {
			d.Base = "https://" + d.Base
		}
		d.Base += "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(location)
	}
	d.Base = strings.TrimSuffix(d.Base, "/chat/completions")
	if project != "" {
		h := llm.Pair{Name: "x-goog-user-project", Value: "projects/" + project}
		d.ExtraHeaders = append(d.ExtraHeaders[:len(d.ExtraHeaders):len(d.ExtraHeaders)], h)
	}
	return nil
}
