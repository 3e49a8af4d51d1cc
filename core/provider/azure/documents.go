package azure

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

const (
	// documentsPrefix is what the reference has before a model of Document Intelligence:
	// azure_ai/doc-intelligence/prebuilt-layout.
	documentsPrefix  = "doc-intelligence/"
	documentsVersion = "2024-11-30"

	documentsWait     = 2 * time.Second   // between looks, if the vendor says nothing; as in the reference
	documentsLongest  = 30 * time.Second  // between looks, whatever the vendor says
	documentsPatience = 120 * time.Second // in all, as in the reference (AZURE_OPERATION_POLLING_TIMEOUT)
	documentsLooks    = 600

	dotsPerInch = 96 // as in the reference (AZURE_DOCUMENT_INTELLIGENCE_DEFAULT_DPI)
)

// ReadsDocuments reports whether a deployment is of Document Intelligence, which Documents speaks.
func ReadsDocuments(d *llm.Deployment) bool { return strings.HasPrefix(d.Model, documentsPrefix) }

// DocumentVars are the environment variables of a deployment of Document Intelligence: its key and its address.
func DocumentVars() (key, base string) {
	return "AZURE_DOCUMENT_INTELLIGENCE_API_KEY", "AZURE_DOCUMENT_INTELLIGENCE_ENDPOINT"
}

// Documents makes the provider of Document Intelligence behind Mistral's API for documents
// (https://learn.microsoft.com/en-us/rest/api/aiservices/document-models/analyze-document). A document is analyzed while
// the caller waits: the vendor is asked for the result until it is there.
func Documents(s OwnSettings) *provider.Translated {
	key, base := DocumentVars()
	return provider.Translate(provider.Translation{
		Name: NameAI, KeyHeader: "Ocp-Apim-Subscription-Key", KeyVars: []string{key}, BaseVars: []string{base}, MaxResponse: s.MaxResponse,
		Locate: func(site *provider.Site) (string, error) {
			base, _, _ := strings.Cut(strings.TrimSpace(site.Deployment.Base), "?")
			return strings.TrimSuffix(strings.TrimRight(base, "/"), "/documentintelligence"), nil
		},
		Bind: func(site *provider.Site) (err error) {
			version := site.Deployment.APIVersion
			if version == "" {
				version = documentsVersion
			}
			if strings.ContainsAny(version, "&?#/ ") {
				return site.Problem("api_version", "must be a date such as "+documentsVersion)
			}
			site.Own = version
			if site.Deployment.APIKey == "" && s.Identity != nil {
				site.Signer, err = s.Identity(site.Deployment)
				site.Keyless = site.Signer != nil
			}
			return err
		},
		Classify: func(_ *provider.Site, e *llm.Error, body []byte) {
			if why := provider.Excerpt(dialect.Get(dialect.Get(dialect.Get(body, "error"), "innererror"), "message")); why != "" {
				e.Message += " (" + why + ")"
			}
		},
		Forms: map[llm.Operation]*provider.Form{llm.OpResource: {
			Route: func(t *provider.Turn, dst []byte) []byte {
				model := strings.TrimPrefix(t.Site.Deployment.Model, documentsPrefix)
				dst = append(append(dst, "/documentintelligence/documentModels/"...), url.PathEscape(model)...)
				return append(append(dst, ":analyze?api-version="...), t.Site.Own.(string)...)
			},
			Request: analyze, Answer: analyzed,
		}},
	})
}

// analyze writes the request.
func analyze(t *provider.Turn, dst []byte) ([]byte, error) {
	if t.Exchange.Call != "aocr" {
		return nil, t.Refuse("model", "is one that reads documents: ask it by /v1/ocr")
	}
	document := t.Params.Get("document")
	var source []byte
	for _, name := range [...]string{"document_url", "image_url"} {
		v := dialect.Get(document, name)
		if len(v) > 0 && v[0] == '{' {
			v = dialect.Get(v, "url")
		}
		if source == nil && !dialect.Blank(v) {
			source = v
		}
	}
	if source == nil {
		return nil, t.Refuse("document", "must be an object with a document_url or an image_url")
	}
	pages, problem := pagesOf(t.Params.Get("pages"))
	if problem != "" {
		return nil, t.Refuse("pages", problem)
	}
	if pages != "" {
		t.Call.Path = append(append(t.Call.Path, "&pages="...), url.QueryEscape(pages)...)
	}
	b := dialect.Build(dst)
	b.Open('{')
	if s, _ := llm.Text(source); strings.HasPrefix(string(s), "data:") {
		_, data, ok := openai.DataURL(s)
		if !ok {
			return nil, t.Refuse("document", "holds a data URL without base64")
		}
		b.Key("base64Source").QuoteBytes(data)
	} else {
		b.Key("urlSource").Raw(source)
	}
	for name, v := range t.Params.Rest {
		if own, ignored := mistralOnly(name), string(v) == "false"; own && !ignored && !t.Drop {
			return nil, t.Refuse(name, "must be left out: Document Intelligence has nothing for it")
		} else if !own {
			b.Member(name, v)
		}
	}
	t.Call.Next = analysis(t.Site)
	return b.Close('}').Bytes(), nil
}

// mistralOnly reports whether a member of a request is Mistral's (https://docs.mistral.ai/api/endpoint/ocr) and none of
// Azure's.
func mistralOnly(name string) bool {
	switch name {
	case "id", "include_image_base64", "include_blocks", "image_limit", "image_min_size", "bbox_annotation_format",
		"document_annotation_format", "document_annotation_prompt", "table_format", "extract_header", "extract_footer",
		"confidence_scores_granularity":
		return true
	}
	return false
}

// pagesOf writes which pages are wanted: Mistral counts them from 0 in a list, and Azure from 1 in a text such as 1-3,5. A
// text, or a list of texts, is Azure's.
func pagesOf(v []byte) (pages, problem string) {
	const wrong = "must be a list of pages, the first of which is 0, or a text such as 1-3,5, in which it is 1"
	if dialect.Null(v) {
		return "", ""
	}
	var words []string
	if s, ok := llm.Text(v); ok {
		words = strings.Split(strings.ReplaceAll(string(s), " ", ""), ",")
	} else {
		var list []int
		c := dialect.Array(v)
		for c.Next() {
			n, err := strconv.Atoi(string(c.Value()))
			if s, ok := llm.Text(c.Value()); ok {
				words = append(words, strings.TrimSpace(string(s)))
			} else if err != nil || n < 0 {
				return "", wrong
			} else {
				list = append(list, n+1)
			}
		}
		if c.Broken() || v[0] != '[' {
			return "", wrong
		}
		slices.Sort(list)
		for _, n := range slices.Compact(list) {
			words = append(words, strconv.Itoa(n))
		}
	}
	for _, w := range words {
		from, to, span := strings.Cut(w, "-")
		if !digits(from) || span && !digits(to) {
			return "", wrong
		}
	}
	return strings.Join(words, ","), ""
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// analysis looks at a document that is being analyzed until it has been, or for two minutes. The place of the result is the
// vendor's word, but the key goes to the deployment's own address only.
func analysis(site *provider.Site) func(int, []byte, *llm.Call) (time.Duration, bool, error) {
	waited, looks := time.Duration(0), 0
	var look func(int, []byte, *llm.Call) (time.Duration, bool, error)
	look = func(status int, body []byte, c *llm.Call) (time.Duration, bool, error) {
		switch {
		case status == http.StatusAccepted && looks == 0:
			u, err := url.Parse(string(c.Seen.Get("Operation-Location")))
			if err != nil || !strings.Contains(u.Path, "/analyzeResults/") {
				return 0, false, &llm.Error{Op: "azure.Documents", Kind: llm.KindBadGateway, Provider: NameAI, Message: "The answer of azure_ai does not say where its result is."}
			}
			at := strings.Index(u.Path, "/documentintelligence/")
			c.Method, c.Path, c.Body = http.MethodGet, []byte(site.Root+u.EscapedPath()[max(at, 0):]), nil
			if u.RawQuery != "" {
				c.Path = append(append(c.Path, '?'), u.RawQuery...)
			}
		case status >= http.StatusMultipleChoices || !pending(body):
			return 0, false, nil
		}
		wait := documentsWait
		if after := c.Seen.Get("Retry-After"); len(after) > 0 {
			wait = openai.RetryAfter(c.Seen)
		} else if looks == 0 {
			wait = 0
		}
		wait = min(wait, documentsLongest)
		if looks++; waited+wait > documentsPatience || looks > documentsLooks {
			return 0, false, &llm.Error{Op: "azure.Documents", Kind: llm.KindTimeout, Provider: NameAI, Message: "The document was not analyzed within " + documentsPatience.String() + "."}
		}
		waited, c.Next = waited+wait, look
		return wait, true, nil
	}
	return look
}

func pending(body []byte) bool {
	switch s, _ := llm.Text(dialect.Get(body, "status")); string(s) {
	case "notStarted", "running":
		return true
	}
	return false
}

// analyzed writes the result as Mistral does, in the way of the reference: the lines of each page are its text
// (litellm/llms/azure_ai/ocr/document_intelligence/transformation.py).
func analyzed(t *provider.Turn, body, dst []byte) ([]byte, error) {
	status, _ := llm.Text(dialect.Get(body, "status"))
	list := dialect.Get(dialect.Get(body, "analyzeResult"), "pages")
	switch {
	case dialect.Given(dialect.Get(body, "error")) != nil:
		code, _ := llm.Text(dialect.Get(dialect.Get(body, "error"), "code"))
		if string(code) == "InternalServerError" {
			return nil, t.Fail(http.StatusInternalServerError, body)
		}
		return nil, t.Fail(http.StatusBadRequest, body)
	case string(status) != "succeeded":
		return nil, t.Garbled("holds no analysis that has succeeded")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("pages").Open('[')
	c := dialect.Array(list)
	for c.Next() {
		appendPage(&b, c.Value())
		t.Usage.Pages++
	}
	if len(list) > 0 && c.Broken() {
		return nil, t.Garbled("holds pages that are none")
	}
	b.Close(']').Key("model").Quote(t.Model()).Key("usage_info").Open('{').Key("pages_processed").Int(t.Usage.Pages)
	return b.Close('}').Key("object").Lit(`"ocr"`).Close('}').Bytes(), nil
}

func appendPage(b *dialect.Builder, page []byte) {
	var lines []string
	for c := dialect.Array(dialect.Get(page, "lines")); c.Next(); {
		s, _ := llm.Text(dialect.Get(c.Value(), "content"))
		lines = append(lines, string(s))
	}
	unit, _ := llm.Text(dialect.Get(page, "unit"))
	size := func(name string) int64 {
		n := openai.Float(dialect.Get(page, name))
		if string(unit) == "inch" {
			n *= dotsPerInch
		}
		return int64(n)
	}
	b.Open('{').Key("index").Int(max(dialect.Int(dialect.Get(page, "pageNumber"))-1, 0)).Key("markdown").Quote(strings.Join(lines, "\n"))
	b.Key("images").Lit("[]").Key("dimensions").Open('{').Key("dpi").Int(dotsPerInch).Key("height").Int(size("height")).Key("width").Int(size("width"))
	b.Close('}').Close('}')
}
