package gemini_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

// settings are those of a provider whose clock stands still.
func settings() gemini.Settings {
	return gemini.Settings{Now: func() time.Time { return time.Unix(1741569952, 0) }}
}

// badge is a signer whose token never changes.
type badge struct{}

func (badge) Sign(_ context.Context, c *llm.Call) error {
	c.Header = append(c.Header, llm.Field{Name: []byte("Authorization"), Value: []byte("Bearer t")})
	return nil
}

func vertex() gemini.Settings {
	s := settings()
	s.Vertex = true
	s.Sign = func(*llm.Deployment) (llm.Signer, error) { return badge{}, nil }
	return s
}

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Translates: true, Target: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "gemini", Model: "gemini-2.5-flash", APIKey: "AIza-0123456789abc"}
	providertest.Run(t, gemini.New(settings()), d, os.DirFS("testdata"), o)
}

// TestGemini3 runs what differs for Gemini 3.
func TestGemini3(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Skip: append(providertest.Cases(), providertest.FurtherCases()...)}
	if *update {
		o.Update = "testdata/three"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "gemini", Model: "gemini-3-pro-preview", APIKey: "AIza-0123456789abc"}
	providertest.Run(t, gemini.New(settings()), d, os.DirFS("testdata/three"), o)
}

// TestSpecial runs what models do that make images, hear, speak, or embed pictures.
func TestSpecial(t *testing.T) {
	t.Parallel()
	for folder, d := range map[string]*llm.Deployment{
		"drawing":    {ID: "d1", Group: "mine", Provider: "gemini", Model: "gemini-2.5-flash-image", APIKey: "AIza-0123456789abc"},
		"transcribe": {ID: "d1", Group: "mine", Provider: "gemini", Model: "gemini-3.5-transcribe", APIKey: "AIza-0123456789abc"},
		"hearing": {
			ID: "d1", Group: "mine", Provider: "vertex_ai", Model: "gemini-3.5-transcribe",
			Settings: []llm.Pair{{Name: "vertex_project", Value: "p1"}, {Name: "vertex_location", Value: "global"}},
		},
		"chirp": {ID: "d1", Group: "mine", Provider: "vertex_ai", Model: "chirp_3", Settings: []llm.Pair{{Name: "vertex_project", Value: "p1"}}},
		"multimodal": {
			ID: "d1", Group: "mine", Provider: "vertex_ai", Model: "multimodalembedding@001",
			Settings: []llm.Pair{{Name: "vertex_project", Value: "p1"}, {Name: "vertex_location", Value: "us-central1"}},
		},
		"imagen": {
			ID: "d1", Group: "mine", Provider: "vertex_ai", Model: "imagen-3.0-capability-001",
			Settings: []llm.Pair{{Name: "vertex_project", Value: "p1"}, {Name: "vertex_location", Value: "us-central1"}},
		},
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			o := providertest.Options{Only: true, Target: true}
			if *update {
				o.Update = "testdata/" + folder
			}
			s := settings()
			if d.APIKey == "" {
				s = vertex()
			}
			providertest.Run(t, gemini.New(s), d, os.DirFS("testdata/"+folder), o)
		})
	}
}

// TestVertex runs what differs on Vertex AI.
func TestVertex(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Target: true, Skip: append(providertest.Cases(), providertest.FurtherCases()...)}
	if *update {
		o.Update = "testdata/vertex"
	}
	d := &llm.Deployment{
		ID: "d1", Group: "mine", Provider: "vertex_ai", Model: "gemini-2.5-pro",
		Settings: []llm.Pair{{Name: "vertex_project", Value: "p1"}, {Name: "vertex_location", Value: "europe-west4"}},
	}
	providertest.Run(t, gemini.New(vertex()), d, os.DirFS("testdata/vertex"), o)
}

// TestStores searches corpora of the RAG Engine, and data stores and apps of Vertex AI Search; and tunes models.
func TestStores(t *testing.T) {
	t.Parallel()
	f := func(folder string, p provider.Provider, settings ...llm.Pair) {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			o := providertest.Options{Only: true, Target: true}
			if *update {
				o.Update = "testdata/" + folder
			}
			d := &llm.Deployment{ID: "d1", Group: "mine", Provider: gemini.Vertex, Model: "1234", Settings: settings}
			providertest.Run(t, p, d, os.DirFS("testdata/"+folder), o)
		})
	}
	project := llm.Pair{Name: "vertex_project", Value: "p1"}
	f("corpus", gemini.Corpora(vertex()), project, llm.Pair{Name: "vertex_location", Value: "europe-west4"})
	f("tuning", gemini.Tuning(vertex()), project, llm.Pair{Name: "vertex_location", Value: "europe-west4"})
	f("datastore", gemini.DataStores(vertex()), project)
	f("app", gemini.DataStores(vertex()), project, llm.Pair{Name: "vertex_location", Value: "eu"}, llm.Pair{Name: "vertex_app_id", Value: "my app"},
		llm.Pair{Name: "vertex_datastores", Value: `["d1","projects/p2/locations/eu/collections/c/dataStores/d2"]`})
}

// TestStoreSettings shows what a store cannot be bound with.
func TestStoreSettings(t *testing.T) {
	t.Parallel()
	f := func(p provider.Provider, want string, settings ...llm.Pair) {
		t.Helper()
		_, err := p.Bind(&llm.Deployment{ID: "d1", Group: "mine", Provider: gemini.Vertex, Model: "1234", Settings: settings})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, p := range []provider.Provider{gemini.Corpora(vertex()), gemini.DataStores(vertex()), gemini.Tuning(vertex())} {
		f(p, "vertex_project is missing")
		f(p, "must be the id of a Google Cloud project", llm.Pair{Name: "vertex_project", Value: "a/b"})
		f(p, "vertex_location must be", llm.Pair{Name: "vertex_project", Value: "p"}, llm.Pair{Name: "vertex_location", Value: "x.example/"})
	}
}

func FuzzProvider(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "gemini", Model: "gemini-3-pro-preview", APIKey: "AIza-0123456789abc"}
	providertest.Fuzz(f, gemini.New(settings()), d, os.DirFS("testdata"))
}

// FuzzNative sends requests in Google's dialect on, and has their tokens counted.
func FuzzNative(f *testing.F) {
	s := vertex()
	s.Safety = []byte(`[{"category":"C"}]`)
	e, err := gemini.New(s).Bind(deployment(func(d *llm.Deployment) { set(d, "vertex_project", "p1") }))
	if err != nil {
		f.Fatal(err)
	}
	for _, request := range []string{
		`{"contents":[{"parts":[{"text":"hi"}]}]}`, `{ "model" : "m" , "contents":[],"extra_body":{"y":2,"contents":3},"tags":[] }`, `{}`,
		`{"safety_settings":null,"stream":true}`, `{"tools":[],"generationConfig":{"a":1},"metadata":{}}`,
	} {
		f.Add([]byte(request))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		for _, call := range []string{"", provider.CountTokens} {
			x := new(llm.Exchange)
			x.Reset()
			x.Op, x.Dialect, x.AsNative, x.Call = llm.OpChat, llm.DialectGoogle, true, call
			if !json.Valid(request) || x.Native.Parse(request) != nil || openai.DecodeNative(x) != nil {
				return
			}
			var c llm.Call
			if err := e.Encode(x, &c); err != nil {
				continue
			}
			if sent := bytes.Join(c.Body, nil); !json.Valid(sent) {
				t.Fatalf("%s becomes %s", request, sent)
			}
		}
	})
}

func fuzzed(model string) *llm.Deployment {
	return &llm.Deployment{ID: "d1", Group: "mine", Provider: gemini.Vertex, Model: model, Settings: []llm.Pair{{Name: "vertex_project", Value: "p1"}}}
}

func FuzzCorpora(f *testing.F) {
	providertest.Fuzz(f, gemini.Corpora(vertex()), fuzzed("1234"), os.DirFS("testdata/corpus"))
}

func FuzzDataStores(f *testing.F) {
	providertest.Fuzz(f, gemini.DataStores(vertex()), fuzzed("1234"), os.DirFS("testdata/datastore"))
}

func FuzzTuning(f *testing.F) {
	providertest.Fuzz(f, gemini.Tuning(vertex()), fuzzed("1234"), os.DirFS("testdata/tuning"))
}

func FuzzMultimodal(f *testing.F) {
	providertest.Fuzz(f, gemini.New(vertex()), fuzzed("multimodalembedding@001"), os.DirFS("testdata/multimodal"))
}
