package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/vectorstore"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/google"
)

// stores makes a deployment of each entry of vector_store_registry, by the id that requests name.
func (b *builder) stores() map[string]*llm.Deployment {
	out := map[string]*llm.Deployment{}
	for i := range b.cfg.VectorStores {
		d, err := b.store(&b.cfg.VectorStores[i])
		if err != nil {
			b.mistake(fmt.Sprintf("vector_store_registry[%d].litellm_params", i), err)
			continue
		}
		out[d.Model] = d
	}
	return out
}

func (b *builder) store(s *config.VectorStore) (*llm.Deployment, error) {
	p, err := b.withCredential(config.LiteLLMParams{
		APIKey: s.LiteLLMParams.APIKey, APIBase: s.LiteLLMParams.APIBase, APIVersion: s.LiteLLMParams.APIVersion,
		CredentialName: s.LiteLLMParams.CredentialName, Other: s.LiteLLMParams.Other,
	})
	if err != nil {
		return nil, err
	}
	settings, err := settingPairs(p.Other)
	if err != nil {
		return nil, err
	}
	vendor := s.LiteLLMParams.CustomLLMProvider
	d := &llm.Deployment{
		ID: resourceID + "vector_stores:" + s.LiteLLMParams.ID, Group: s.Name, Model: s.LiteLLMParams.ID, Written: vendor, Retries: -1,
		APIKey: p.APIKey.Reveal(), Base: strings.TrimRight(p.APIBase, "/"), APIVersion: p.APIVersion, Settings: settings,
	}
	if d.Group == "" {
		d.Group = d.Model
	}
	name := vendor
	if vendor == gemini.SearchAPI {
		name, d.Info = gemini.Vertex, map[string]any{"base_model": gemini.SearchAPI} // for its price
	}
	v, ok := compat.Lookup(name)
	if !ok {
		d.Provider = vendor
		return d, b.refuse(d, noStores(vendor))
	}
	d.Provider = v.Name
	if err := b.bindStore(d, v, vendor, &s.LiteLLMParams); err != nil {
		return nil, err
	}
	return d, b.setPrice(d)
}

func noStores(vendor string) *llm.Error {
	return &llm.Error{Kind: llm.KindBadRequest, Provider: vendor, Message: "Vector stores of " + vendor + " are not searched: " +
		"those of bedrock, vertex_ai, vertex_ai/search_api, azure_ai, and of vendors with OpenAI's API for them are"}
}

// bindStore prepares the calls of a store. What the environment says is taken where it means the service of stores too.
func (b *builder) bindStore(d *llm.Deployment, v compat.Vendor, vendor string, s *config.VectorStoreParams) error {
	most := bytesOf(b.cfg.GeneralSettings.MaxResponseSizeMB)
	switch vendor {
	case bedrock.Name:
		b.fill(d, v, "")
		return b.mocked(d, bedrock.Stores(bedrock.Settings{Account: b.awsAccount, MaxResponse: most}))
	case gemini.Vertex:
		b.fill(d, v, "")
		return b.mocked(d, gemini.Corpora(b.storeIdentity(most)))
	case gemini.SearchAPI:
		location := d.Setting("vertex_location")
		b.fill(d, v, "")
		if location == "" { // that of models is a region, and there are none here
			d.Settings = slices.DeleteFunc(slices.Clone(d.Settings), func(p llm.Pair) bool { return p.Name == "vertex_location" })
		}
		return b.mocked(d, gemini.DataStores(b.storeIdentity(most)))
	case azure.NameAI:
		err := b.mocked(d, azure.Indexes(azure.OwnSettings{Identity: b.searchIdentity, MaxResponse: most}))
		if err != nil || s.EmbeddingModel == "" {
			return err
		}
		return b.embedsFirst(d, s)
	}
	if !slices.Contains(v.Offers, llm.OpResource) {
		return b.refuse(d, noStores(vendor))
	}
	b.fill(d, v, "")
	return b.bindTo(d, v, "")
}

// storeIdentity is who searches at Google.
func (b *builder) storeIdentity(most int64) gemini.Settings {
	source := google.New(google.Settings{Env: b.cfg.Env().Get, Client: b.clouds.wire.client()})
	return gemini.Settings{
		MaxResponse: most,
		Sign:        func(d *llm.Deployment) (llm.Signer, error) { return source.Signer(d.Setting("vertex_credentials")) },
		Project:     func(d *llm.Deployment) string { return source.Project(d.Setting("vertex_credentials")) },
	}
}

// searchIdentity signs searches at Azure without a key. A token for models is none for searches.
func (b *builder) searchIdentity(d *llm.Deployment) (llm.Signer, error) {
	if d.Setting("azure_scope") == "" {
		own := *d
		own.Settings = append(slices.Clone(d.Settings), llm.Pair{Name: "azure_scope", Value: azure.SearchScope})
		d = &own
	}
	return b.azureIdentity(d)
}

// embedsFirst has a model make the vector of each query before the index is asked, as the reference does.
func (b *builder) embedsFirst(d *llm.Deployment, s *config.VectorStoreParams) error {
	endpoint, ok := d.Bound.(provider.Endpoint)
	if !ok {
		return nil
	}
	e := &embedFirst{Endpoint: endpoint, a: b.App, model: s.EmbeddingModel}
	group := slices.ContainsFunc(b.cfg.ModelList, func(m config.Model) bool { return m.ModelName == s.EmbeddingModel })
	if !group || len(s.EmbeddingConfig) > 0 {
		m := &config.Model{ModelName: s.EmbeddingModel, LiteLLMParams: config.LiteLLMParams{Model: s.EmbeddingModel, Other: maps.Clone(s.EmbeddingConfig)}}
		p := &m.LiteLLMParams
		text := func(name string) string {
			value, _ := p.Other[name].(string)
			delete(p.Other, name)
			return value
		}
		p.APIKey, p.APIBase, p.APIVersion = config.Secret(text("api_key")), text("api_base"), text("api_version")
		own, err := b.deployment(m, "")
		if err != nil {
			return fmt.Errorf("litellm_embedding_model: %w", err)
		}
		e.own = own
	}
	d.Bound = e
	return nil
}

// embedFirst is a store that is searched by vectors which a model makes.
type embedFirst struct {
	provider.Endpoint
	a     *App
	model string          // a model group, if own is nil
	own   *llm.Deployment // a model that only this store has
}

// Encode implements provider.Endpoint.
func (e *embedFirst) Encode(x *llm.Exchange, c *llm.Call) error {
	if err := e.Endpoint.Encode(x, c); err != nil || x.Body.Get(azure.QueryVector) != nil {
		return err
	}
	s, _, problem := vectorstore.Read(x.Body.Get)
	if problem != "" {
		return nil // the endpoint has refused it, or takes it nevertheless
	}
	c.Local = func(ctx context.Context, a *llm.Answer) error {
		vector, err := e.vector(ctx, x, s.Query)
		if err != nil {
			return err
		}
		return e.search(ctx, x, c, a, vector)
	}
	return nil
}

// search asks the index with the vector.
func (e *embedFirst) search(ctx context.Context, x *llm.Exchange, c *llm.Call, a *llm.Answer, vector []byte) error {
	body, err := dialect.Set(nil, x.Body.Raw(), azure.QueryVector, vector)
	if err != nil {
		return err
	}
	own := x.Body
	defer func() { x.Body = own }()
	x.Body = llm.Object{}
	if err := x.Body.Parse(body); err != nil {
		return err
	}
	further := &llm.Call{Timeout: c.Timeout, FirstByte: c.FirstByte, Idle: c.Idle}
	if err := e.Endpoint.Encode(x, further); err != nil {
		return err
	}
	further.Header = append(further.Header, c.Header...)
	return e.a.upstream.Do(ctx, further, a)
}

// vector has a model make the vector of a query. The operator has said which: whether the caller may use it is not asked.
func (e *embedFirst) vector(ctx context.Context, from *llm.Exchange, query string) (vector []byte, err error) {
	list := []*llm.Deployment{e.own}
	if e.own == nil {
		list = e.a.gateway.Members(e.model)
	}
	err = &llm.Error{Op: "app.embedFirst", Kind: llm.KindUnavailable, Message: "There is no model " + e.model + " that makes the vector of the query."}
	for _, d := range list {
		if vector, err = e.ask(ctx, d, from, query); err == nil {
			return vector, nil
		}
	}
	return nil, err
}

func (e *embedFirst) ask(ctx context.Context, d *llm.Deployment, from *llm.Exchange, query string) (vector []byte, err error) {
	b := dialect.Build(nil)
	b.Open('{').Key("model").Quote(e.model).Key("input").Open('[').Quote(query).Close(']').Close('}')
	x := new(llm.Exchange)
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Method, x.Path, x.Principal, x.Pinned = llm.OpEmbedding, "POST", "/v1/embeddings", from.Principal, d
	x.NameModel([]byte(e.model))
	if err := x.Body.Parse(b.Bytes()); err != nil {
		return nil, err
	}
	var numbers []float32
	err = e.a.gateway.Repeat(ctx, x, func(r *llm.Reply) error {
		numbers, err = firstVector(r.First.Data)
		return err
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(numbers)
}
