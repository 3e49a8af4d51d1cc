package app

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/passthrough"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/google"
)

// vendorPass is a vendor whose own API is served below a path of the gateway, with the gateway's credentials. The paths
// and variables are those of the reference (litellm/proxy/pass_through_endpoints/llm_passthrough_endpoints.py).
type vendorPass struct {
	paths    []string
	vendor   string   // who deployments for the path are of, and whose prices count
	base     string   // where the API is; "" must be in baseVars
	baseVars []string // variables of the address, the first that is set counts
	version  string   // a path that the address may end with although callers write it too
	keyVars  []string // variables of the key
	header   string   // of the key
	prefix   string   // in front of the key
	optional bool     // works without a key
}

// vendorPasses are the vendors with a key in a header. Amazon's and Google's sign or fetch tokens; see bedrockPass and
// vertexPass.
func vendorPasses() []vendorPass {
	const bearer = "Bearer "
	return []vendorPass{
		{[]string{"/openai", "/openai_passthrough"}, "openai", "https://api.openai.com", []string{"OPENAI_BASE_URL", "OPENAI_API_BASE"}, "/v1", []string{"OPENAI_API_KEY"}, "Authorization", bearer, false},
		{[]string{"/anthropic"}, "anthropic", "https://api.anthropic.com", []string{"ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"}, "/v1", []string{"ANTHROPIC_API_KEY"}, "x-api-key", "", false},
		{[]string{"/gemini"}, "gemini", "https://generativelanguage.googleapis.com", []string{"GEMINI_API_BASE"}, "/v1beta", []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"}, "x-goog-api-key", "", false},
		{[]string{"/cohere"}, "cohere", "https://api.cohere.com", []string{"COHERE_API_BASE"}, "/v1", []string{"COHERE_API_KEY", "CO_API_KEY"}, "Authorization", bearer, false},
		{[]string{"/mistral"}, "mistral", "https://api.mistral.ai", []string{"MISTRAL_API_BASE"}, "/v1", []string{"MISTRAL_API_KEY"}, "Authorization", bearer, false},
		{[]string{"/vllm"}, "hosted_vllm", "", []string{"VLLM_API_BASE", "HOSTED_VLLM_API_BASE"}, "/v1", []string{"VLLM_API_KEY", "HOSTED_VLLM_API_KEY"}, "Authorization", bearer, true},
		{[]string{"/assemblyai"}, "assemblyai", "https://api.assemblyai.com", nil, "", []string{"ASSEMBLYAI_API_KEY"}, "Authorization", "", false},
		{[]string{"/eu.assemblyai"}, "assemblyai", "https://api.eu.assemblyai.com", nil, "", []string{"ASSEMBLYAI_API_KEY"}, "Authorization", "", false},
		{[]string{"/milvus"}, "milvus", "", []string{"MILVUS_API_BASE"}, "", []string{"MILVUS_API_KEY"}, "Authorization", bearer, true},
		{[]string{"/azure", "/azure_ai"}, "azure", "", []string{"AZURE_API_BASE"}, "", []string{"AZURE_API_KEY"}, "api-key", "", false},
	}
}

// passes collects the endpoints of vendors.
type passes struct {
	b      *builder
	out    []gateway.Pass
	priced sync.Map // of *llm.Deployment by vendor and model
	kept   int
	mu     sync.Mutex
	client bool
	aws    *aws.Source
	google *google.Source
}

// vendorEndpoints makes the endpoints below which vendors' own APIs are served. deployments that are marked
// use_in_pass_through lend their credentials; others are found by the model that a request names.
func (b *builder) vendorEndpoints(deployments []*llm.Deployment) []gateway.Pass {
	env := func(name string) string { return b.cfg.Env().Get(name) }
	p := &passes{
		b: b, client: b.cfg.GeneralSettings.UseClientCredentials,
		aws: b.amazon(), google: google.New(google.Settings{Env: env, Client: b.clouds.wire.client()}),
	}
	for _, v := range vendorPasses() {
		p.keyed(v, deployments, "")
	}
	for _, v := range vendorPaths() {
		p.keyed(v.vendorPass, deployments, v.under)
	}
	p.langfuse()
	p.bedrock(deployments)
	p.vertex(deployments)
	return p.out
}

// settings are what the endpoints of all vendors have in common.
func (p *passes) settings(vendor string) passthrough.Settings {
	return passthrough.Settings{
		Forward: true, MaxResponse: bytesOf(p.b.cfg.GeneralSettings.MaxResponseSizeMB), Hide: p.b.keyHeaders(), Client: p.client,
		Priced: func(model string) *llm.Deployment { return p.price(vendor, model) },
	}
}

// add serves an endpoint under the paths.
func (p *passes) add(paths []string, vendor string, d *llm.Deployment, byModel map[string]*llm.Deployment) {
	for _, path := range paths {
		p.out = append(p.out, gateway.Pass{Path: path, Subpaths: true, Deployment: d, Vendor: vendor, ByModel: byModel})
	}
}

// endpoint binds one endpoint.
func (p *passes) endpoint(name, vendor string, s passthrough.Settings) *llm.Deployment {
	d := &llm.Deployment{
		ID: "pass-through:" + name, Group: vendor, Provider: vendor, Base: s.Target, Retries: -1, Open: p.client,
	}
	e, err := passthrough.New(s)
	if err != nil {
		return p.refuse(d, vendor+" cannot be reached: "+err.Error())
	}
	d.Bound = e
	return d
}

// refuse makes an endpoint say what it lacks. Most gateways never use most vendors, so the log says nothing.
func (p *passes) refuse(d *llm.Deployment, why string) *llm.Deployment {
	d.Bound, _ = provider.Refuse(&llm.Error{Op: "app.pass", Kind: llm.KindAuthentication, Provider: d.Provider, Message: why}).Bind(d)
	return d
}

// keyed serves a vendor that wants a key in a header.
func (p *passes) keyed(v vendorPass, deployments []*llm.Deployment, under string) {
	env := p.b.cfg.Env()
	base, key := firstSet(env, v.baseVars), firstSet(env, v.keyVars)
	if base == "" {
		base = v.base
	}
	byModel := map[string]*llm.Deployment{}
	lender := &llm.Deployment{Provider: v.vendor}
	for _, d := range deployments {
		if d.Provider != v.vendor || strings.Contains(d.Model, "*") || strings.Contains(d.Group, "*") {
			continue
		}
		if lends(d) {
			key, lender = d.APIKey, d
			if d.Base != "" {
				base = d.Base
			}
		}
		if byModel[d.Group] == nil && d.Base != "" {
			byModel[d.Group] = p.deployed(v, d, under)
		}
	}
	p.add(v.paths, v.vendor, p.reach(v, reached{v.paths[0], base, key, under, lender}, nil), byModel)
}

// lends reports whether a deployment lends its credentials to the vendor's path.
func lends(d *llm.Deployment) bool {
	return strings.EqualFold(d.Setting("use_in_pass_through"), "true")
}

// deployed is the endpoint for requests that name a deployment's model group.
func (p *passes) deployed(v vendorPass, d *llm.Deployment, under string) *llm.Deployment {
	e := p.reach(v, reached{v.paths[0] + ":" + d.ID, d.Base, d.APIKey, under, d}, d)
	e.ID, e.Group, e.Model, e.Price = d.ID, d.Group, d.Model, d.Price
	return e
}

// reached says where one endpoint of a vendor is, and as whom it is called.
type reached struct {
	name, base, key string
	under           string          // the path at the vendor that the endpoint's stands for; "" for all of the vendor
	as              *llm.Deployment // whose identity counts without a key
}

func (p *passes) reach(v vendorPass, at reached, of *llm.Deployment) *llm.Deployment {
	name, base, key := at.name, at.base, at.key
	d := &llm.Deployment{ID: "pass-through:" + name, Group: v.vendor, Provider: v.vendor, Retries: -1, Open: p.client}
	if base == "" {
		return p.refuse(d, fmt.Sprintf("there is no address of %s: set %s", v.vendor, or2(v.baseVars)))
	}
	s := p.settings(v.vendor)
	if key == "" && v.vendor == azure.Name {
		var err error
		if s.Signer, err = p.b.azureIdentity(at.as); err != nil {
			return p.refuse(d, err.Error())
		}
	}
	if key == "" && !v.optional && !p.client && s.Signer == nil {
		return p.refuse(d, fmt.Sprintf("there is no API key for %s: set %s", v.vendor, or2(v.keyVars)))
	}
	s.Target = strings.TrimSuffix(strings.TrimRight(base, "/"), v.version)
	if key != "" {
		s.Headers = []llm.Pair{{Name: v.header, Value: v.prefix + key}}
	}
	switch v.vendor {
	case "gemini":
		s.DropQuery = []string{"key"}
	case "openai":
		s.Place = withVersion
	}
	if at.under != "" {
		s.Place = func(tail string) (server, path string, err error) { return "", at.under + tail, nil }
	}
	if of != nil {
		s.Group, s.Model = of.Group, of.Model
		s.Priced = func(string) *llm.Deployment { return of }
	}
	d = p.endpoint(name, v.vendor, s)
	if e, ok := d.Bound.(provider.Endpoint); ok && v.vendor == anthropic.Name {
		home := ""
		if base := p.b.cfg.Variables.ProxyBaseURL; base != "" {
			home = strings.TrimRight(base, "/") + p.b.cfg.Variables.ServerRootPath + v.paths[0]
		}
		d.Bound = linked(e, home)
	}
	return d
}

func or2(names []string) string { return strings.Join(names, " or ") }

// withVersion puts OpenAI's /v1 in front of a path that lacks it, as the reference does.
func withVersion(tail string) (server, path string, err error) {
	if tail == "/v1" || strings.HasPrefix(tail, "/v1/") {
		return "", tail, nil
	}
	return "", "/v1" + tail, nil
}

// langfuse serves Langfuse, whose key is a pair.
func (p *passes) langfuse() {
	env := p.b.cfg.Env()
	s := p.settings("langfuse")
	s.Priced = nil
	if s.Target = firstSet(env, []string{"LANGFUSE_HOST"}); s.Target == "" {
		s.Target = "https://cloud.langfuse.com"
	}
	public, secret := env.Get("LANGFUSE_PUBLIC_KEY"), env.Get("LANGFUSE_SECRET_KEY")
	if public == "" || secret == "" {
		d := &llm.Deployment{ID: "pass-through:/langfuse", Group: "langfuse", Provider: "langfuse", Open: p.client}
		if !p.client {
			p.add([]string{"/langfuse"}, "langfuse", p.refuse(d, "there is no key for langfuse: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"), nil)
			return
		}
	} else {
		s.Headers = []llm.Pair{{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(public+":"+secret))}}
	}
	p.add([]string{"/langfuse"}, "langfuse", p.endpoint("/langfuse", "langfuse", s), nil)
}

// bedrock serves Amazon Bedrock's runtime, and the runtime of its agents for the paths that belong to it
// (litellm/constants.py, BEDROCK_AGENT_RUNTIME_PASS_THROUGH_ROUTES). Calls are signed.
func (p *passes) bedrock(deployments []*llm.Deployment) {
	none := func(string) string { return "" }
	usual := aws.Options{}
	o := p.aws.Options(none)
	byModel := map[string]*llm.Deployment{}
	var lender *llm.Deployment
	for _, d := range deployments {
		if d.Provider != "bedrock" || strings.Contains(d.Model+d.Group, "*") {
			continue
		}
		if lends(d) && lender == nil {
			lender = d
		}
		if byModel[d.Group] == nil {
			s := p.signed(p.aws.Options(d.Setting), d.Setting("aws_bedrock_runtime_endpoint"))
			s.Group, s.Model = d.Group, bareBedrock(d.Model)
			s.Priced = func(string) *llm.Deployment { return d }
			e := p.endpoint("/bedrock:"+d.ID, "bedrock", s)
			e.ID, e.Group, e.Model, e.Price = d.ID, d.Group, d.Model, d.Price
			byModel[d.Group] = e
		}
	}
	server := p.b.cfg.Env().Get("AWS_BEDROCK_RUNTIME_ENDPOINT")
	if lender != nil {
		o, server = p.aws.Options(lender.Setting), lender.Setting("aws_bedrock_runtime_endpoint")
	}
	d := &llm.Deployment{ID: "pass-through:/bedrock", Group: "bedrock", Provider: "bedrock", Open: p.client}
	switch setting, problem := o.Check(); {
	case o == usual, o.Region == "":
		d = p.refuse(d, "there is no region for bedrock: set AWS_REGION_NAME")
	case problem != "":
		d = p.refuse(d, setting+" "+problem)
	default:
		d = p.endpoint("/bedrock", "bedrock", p.signed(o, server))
	}
	p.add([]string{"/bedrock"}, "bedrock", d, byModel)
}

// bareBedrock is a model without the part of its name that says which API of Bedrock is meant.
func bareBedrock(model string) string {
	for _, api := range []string{"converse/", "invoke/", "converse_like/"} {
		model = strings.TrimPrefix(model, api)
	}
	return model
}

func (p *passes) signed(o aws.Options, server string) passthrough.Settings {
	s := p.settings("bedrock")
	runtime, agents := server, "https://bedrock-agent-runtime."+o.Region+".amazonaws.com"
	if runtime == "" {
		runtime = "https://bedrock-runtime." + o.Region + ".amazonaws.com"
	}
	s.Target, s.Signer = runtime, p.aws.Signer(o, "bedrock")
	s.Place = func(tail string) (string, string, error) {
		for _, route := range []string{"/agents/", "/knowledgebases/", "/flows/", "/retrieveAndGenerate", "/rerank", "/generateQuery", "/optimize-prompt"} {
			if strings.HasPrefix(tail, route) && server == "" {
				return agents, tail, nil
			}
		}
		return "", tail, nil
	}
	return s
}

// vertex serves Vertex AI and its Discovery Engine, with tokens of the credentials in default_vertex_config, of a
// deployment that is marked use_in_pass_through, or of the environment.
func (p *passes) vertex(deployments []*llm.Deployment) {
	env := p.b.cfg.Env()
	v := p.b.cfg.DefaultVertexConfig
	credentials := vertexCredentials(v)
	project, location := v.Project, v.Location
	if credentials == "" {
		credentials = env.Get("DEFAULT_GOOGLE_APPLICATION_CREDENTIALS")
	}
	for _, d := range deployments {
		if d.Provider == "vertex_ai" && lends(d) {
			credentials, project, location = d.Setting("vertex_credentials"), d.Setting("vertex_project"), d.Setting("vertex_location")
		}
	}
	if project == "" {
		project = firstSet(env, []string{"DEFAULT_VERTEXAI_PROJECT", "VERTEXAI_PROJECT", "VERTEX_PROJECT"})
	}
	if location == "" {
		location = firstSet(env, []string{"DEFAULT_VERTEXAI_LOCATION", "VERTEXAI_LOCATION", "VERTEX_LOCATION"})
	}
	signer, err := p.google.Signer(credentials)
	if err != nil {
		p.b.mistake("default_vertex_config.vertex_credentials", err)
		return
	}
	base := env.Get("VERTEXAI_API_BASE")
	s := p.settings("vertex_ai")
	s.Target, s.Signer, s.DropQuery = "https://aiplatform.googleapis.com", signer, []string{"key"}
	if base != "" {
		s.Target = strings.TrimRight(base, "/")
	}
	if project == "" {
		project = p.google.Project(credentials)
	}
	s.Place = func(tail string) (string, string, error) { return vertexPlace(tail, base, project, location) }
	discovery := p.settings("vertex_ai")
	discovery.Target, discovery.Signer, discovery.DropQuery = "https://discoveryengine.googleapis.com", signer, []string{"key"}
	if base != "" {
		discovery.Target = s.Target
	}
	p.add([]string{"/vertex_ai/discovery"}, "vertex_ai", p.endpoint("/vertex_ai/discovery", "vertex_ai", discovery), nil)
	p.add([]string{"/vertex_ai", "/vertex-ai"}, "vertex_ai", p.endpoint("/vertex_ai", "vertex_ai", s), nil)
}

func vertexCredentials(v config.VertexConfig) string {
	pairs, err := settingPairs(map[string]any{"c": v.Credentials})
	if err != nil || len(pairs) == 0 {
		return ""
	}
	return pairs[0].Value
}

// locationName is what a location can be, since it becomes a part of a host name.
func locationName(s string) bool { return regexp.MustCompile(`^[a-z0-9-]{1,32}$`).MatchString(s) }

// vertexPlace is where a request to Vertex AI goes: the server of the location that its path names. A path without
// project and location gets those of the configuration.
func vertexPlace(tail, base, project, location string) (server, path string, err error) {
	if named, ok := strings.CutPrefix(tail, vertexLive); ok {
		if named = strings.TrimPrefix(named, "/"); named == "" {
			named = location
		}
		return vertexLiveAt(named, base)
	}
	_, after, named := strings.Cut(tail, "/locations/")
	if named {
		location, _, _ = strings.Cut(after, "/")
	} else {
		if project == "" || location == "" {
			return "", "", errors.New("the path names no project and location, and default_vertex_config sets none")
		}
		version := "v1"
		rest := strings.TrimPrefix(tail, "/")
		if first, more, ok := strings.Cut(rest, "/"); ok && (first == "v1" || first == "v1beta1") {
			version, rest = first, more
		} else if strings.Contains(rest, "cachedContent") {
			version = "v1beta1"
		}
		tail = "/" + version + "/projects/" + project + "/locations/" + location + "/" + rest
	}
	if !locationName(location) {
		return "", "", fmt.Errorf("%q cannot be a location", location)
	}
	if base != "" || location == "global" {
		return "", tail, nil
	}
	return "https://" + location + "-aiplatform.googleapis.com", tail, nil
}

// maxPriced is how many models of pass-through requests are kept with their price.
const maxPriced = 1024

// price is the deployment that an answer of a vendor's model is accounted to.
func (p *passes) price(vendor, model string) *llm.Deployment {
	key := vendor + "/" + model
	if d, ok := p.priced.Load(key); ok {
		return d.(*llm.Deployment)
	}
	d := &llm.Deployment{ID: "pass-through:" + vendor, Group: model, Provider: vendor, Model: model, Retries: -1}
	if p.b.setPrice(d) != nil {
		d.Price = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept < maxPriced {
		p.kept++
		p.priced.Store(key, d)
	}
	return d
}
