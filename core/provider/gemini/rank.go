package gemini

import (
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// bindBeside prepares where documents are ranked, what is said is heard, and texts are spoken, which are services of their
// own (https://docs.cloud.google.com/generative-ai-app-builder/docs/ranking,
// https://docs.cloud.google.com/speech-to-text/docs/reference/rest/v2/projects.locations.recognizers/recognize,
// https://docs.cloud.google.com/text-to-speech/docs/reference/rest/v1/text/synthesize).
func (o *own) bindBeside(site *provider.Site, project string) error {
	// As in the reference (litellm/llms/vertex_ai/audio_transcription/transformation.py).
	location, listens := "us", "us-speech"
	for _, name := range [...]string{"vertex_location", "region_name"} {
		if site.Deployment.Setting(name) != "" {
			location = gemini.Location(site.Deployment.Setting)
			listens = location + "-speech"
		}
	}
	if location == "global" {
		listens = "speech"
	}
	o.rankPath = "/v1/projects/" + project + "/locations/global/rankingConfigs/default_ranking_config:rank"
	o.hearPath = "/v2/projects/" + project + "/locations/" + location + "/recognizers/_:recognize"
	o.project = project
	if err := beside(site, "discoveryengine", &o.ranking); err != nil {
		return err
	}
	if err := beside(site, "texttospeech", &o.speaking); err != nil {
		return err
	}
	return beside(site, listens, &o.hearing)
}

// beside is where another service of Google's is. An address of the operator's own serves them all if it is not Vertex AI's.
func beside(site *provider.Site, service string, t *llm.Target) error {
	base := "https://" + service + ".googleapis.com"
	if host := site.Target.Host; site.Deployment.Base != "" && !strings.HasSuffix(host, "aiplatform.googleapis.com") && !strings.HasSuffix(host, ".rep.googleapis.com") {
		base = site.Target.Scheme + "://" + host
	}
	if _, _, problem := provider.Target(base, t); problem != "" {
		return site.Problem("api_base", problem)
	}
	t.Trust = provider.Trust(site.Deployment)
	return nil
}

// ranking is rank of the ranking API (https://docs.cloud.google.com/generative-ai-app-builder/docs/reference/rest/v1/projects.locations.rankingConfigs/rank).
func ranking() *provider.Form {
	return &provider.Form{
		Route: func(t *provider.Turn, dst []byte) []byte {
			t.Call.Target = &ownOf(t).ranking
			return append(dst[:0], ownOf(t).rankPath...)
		},
		Params: []string{"top_n", "return_documents"}, Request: rank, Answer: ranked,
	}
}

// rank writes the request. Records need no title; a document that is an object may have one. Documents that are wanted in the
// answer are taken from the request, so that they need not come back.
func rank(t *provider.Turn, dst []byte) ([]byte, error) {
	o := ownOf(t)
	if o.rankPath == "" {
		return nil, t.Refuse("model", "is ranked with in a project only: set vertex_project, and no address of a model")
	}
	r, err := t.Rerank()
	if err != nil {
		return nil, err
	}
	t.Params.Get("return_documents")
	b := dialect.Build(dst)
	b.Open('{').Key("model").Quote(o.model).Member("query", r.Query).Key("records").Open('[')
	for i, doc := range r.Documents {
		b.Open('{').Key("id").Quote(strconv.Itoa(i))
		b.Key("content").Raw(rerank.Text(doc))
		if doc[0] == '{' {
			b.Member("title", dialect.Given(dialect.Get(doc, "title")))
		}
		b.Close('}')
	}
	b.Close(']').Member("topN", r.TopN).Key("ignoreRecordDetailsInResponse").Bool(true)
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// perQuery is how many documents a query has that is paid for (https://cloud.google.com/generative-ai-app-builder/pricing).
const perQuery = 100

// ranked reads the answer, in which the best record comes first.
func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	var results []rerank.Result
	c := dialect.Array(dialect.Get(body, "records"))
	for c.Next() {
		id, _ := llm.Text(dialect.Get(c.Value(), "id"))
		index, err := strconv.Atoi(string(id))
		score := dialect.Get(c.Value(), "score")
		if err != nil || index < 0 || len(score) == 0 || score[0] == '"' {
			return nil, t.Garbled("holds a record without id and score")
		}
		results = append(results, rerank.Result{Index: int64(index), Score: score})
	}
	if c.Broken() || len(results) == 0 {
		return nil, t.Garbled("holds no records")
	}
	documents := 0
	for list := dialect.Array(t.Exchange.Body.Get("documents")); list.Next(); {
		documents++
	}
	t.Usage.Searches = int64((documents + perQuery - 1) / perQuery)
	return t.Ranked(dst, t.Exchange.ID.String(), results), nil
}
