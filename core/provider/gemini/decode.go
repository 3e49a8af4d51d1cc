package gemini

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// whole reads a whole answer (https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse).
func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	d := decoder{t: t}
	return d.read(body, s, true)
}

// events makes a reader for a stream, whose events have the form of whole answers.
func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	d := &decoder{t: t}
	return func(e *provider.Event, s *openai.Said) error { return d.read(e.Data, s, false) }
}

// decoder reads one answer.
type decoder struct {
	t     *provider.Turn
	usage gemini.Usage
	calls map[int64]int // functions called so far, by candidate

	images, searches, maps int64 // made so far
	extra                  extra
}

// extra are the lists that the reference adds to answers, one entry for each candidate
// (litellm/llms/vertex_ai/gemini/vertex_and_google_ai_studio_gemini.py).
type extra struct{ grounding, urls, safety, citations []byte }

func (d *decoder) read(body []byte, s *openai.Said, all bool) error {
	var a gemini.Answer
	if !gemini.ScanAnswer(body, &a) {
		return d.t.Garbled("is not a JSON object")
	}
	if a.Error != nil {
		return d.t.Fail(int(dialect.Int(dialect.Get(a.Error, "code"))), body)
	}
	if a.Counts != nil {
		d.usage.Scan(a.Counts)
		s.Usage = d.usage.Tokens()
	}
	if reason := a.Block(); reason != nil && len(a.Candidates) <= 2 {
		d.blocked(reason, a.Feedback, s)
		return nil
	}
	if len(a.Candidates) <= 2 {
		if all {
			return d.t.Garbled("has no candidates")
		}
		return nil
	}
	d.extra = extra{}
	n := 0
	for c := dialect.Array(a.Candidates); c.Next(); n++ {
		var g gemini.Candidate
		gemini.ScanCandidate(c.Value(), &g)
		if !g.Indexed {
			g.Index = int64(n)
		}
		if n == 0 {
			d.candidate(&g, s, s)
			continue
		}
		var more openai.Said
		d.candidate(&g, &more, s)
		s.More = append(s.More, more)
	}
	d.extra.put(s)
	return nil
}

// blocked tells that the prompt was refused. As in the reference, that is an answer whose finish reason says so.
func (d *decoder) blocked(reason, feedback []byte, s *openai.Said) {
	s.Finish = "content_filter"
	s.Refusal = "The prompt was blocked: " + d.t.Text(reason) + "."
	if why := d.t.Text(dialect.Get(feedback, "blockReasonMessage")); why != "" {
		s.Refusal = why
	}
	b := dialect.Build(nil)
	b.Open('{')
	switch string(reason) {
	case `"SAFETY"`, `"OTHER"`, `"BLOCKLIST"`, `"PROHIBITED_CONTENT"`, `"IMAGE_SAFETY"`: // finish reasons have the same names
		b.Key("native_finish_reason").Raw(reason)
	}
	b.Key("prompt_feedback").Raw(feedback).Close('}')
	s.Specific = b.Bytes()
}

// spoken is what the parts of a candidate add up to.
type spoken struct {
	text, thought joined
	marks, parts  dialect.Builder
}

// joined is a text of pieces: one is borrowed, several are copied.
type joined struct {
	one string
	all *strings.Builder
}

func (j *joined) add(s string) {
	switch {
	case s == "":
	case j.all != nil:
		j.all.WriteString(s)
	case j.one == "":
		j.one = s
	default:
		j.all = new(strings.Builder)
		j.all.WriteString(j.one)
		j.all.WriteString(s)
	}
}

func (j *joined) String() string {
	if j.all != nil {
		return j.all.String()
	}
	return j.one
}

// candidate reads a candidate into s. What is counted, and what stands beside the choices, goes to first.
func (d *decoder) candidate(g *gemini.Candidate, s, first *openai.Said) {
	s.Index = int(min(g.Index, 1<<20))
	w := spoken{marks: dialect.Build(nil), parts: dialect.Build(nil)}
	for c := dialect.Array(g.Parts); c.Next(); {
		var p gemini.Part
		gemini.ScanPart(c.Value(), &p)
		d.part(g, &p, s, first, &w)
	}
	s.Text, s.Reasoning = w.text.String(), w.thought.String()
	s.Finish = gemini.Finish(g.Finish)
	if w.marks.Len() > 0 || w.parts.Len() > 0 || g.Message != nil || !gemini.Plain(g.Finish) {
		s.Specific = w.specific(g)
	}
	if g.Logprobs != nil {
		s.Logprobs = logprobs(g.Logprobs)
	}
	if g.Grounding != nil {
		s.Annotations = annotations(g.Grounding)
		web, maps := gemini.Asked(g.Grounding)
		d.searches, d.maps = d.searches+web, max(d.maps, maps)
		first.Usage.Searches, first.Usage.Maps = d.searches, d.maps
	}
	d.extra.add(g)
}

// specific is what provider_specific_fields say about a candidate.
func (w *spoken) specific(g *gemini.Candidate) []byte {
	b := dialect.Build(nil)
	b.Open('{')
	if w.marks.Len() > 0 {
		b.Key("thought_signatures").Open('[').Raw(w.marks.Bytes()).Close(']')
	}
	if w.parts.Len() > 0 {
		b.Key("google_parts").Open('[').Raw(w.parts.Bytes()).Close(']')
	}
	if !gemini.Plain(g.Finish) {
		b.Key("native_finish_reason").Raw(g.Finish)
	}
	if g.Message != nil {
		b.Key("finish_message").Raw(g.Message)
	}
	b.Close('}')
	return b.Bytes()
}

// part reads a part. A signature is listed whatever it is of, and stands beside the thought or the call that it belongs to.
func (d *decoder) part(g *gemini.Candidate, p *gemini.Part, s, first *openai.Said, w *spoken) {
	signed := len(p.Signature) > 2
	if signed {
		w.marks.Raw(p.Signature)
	}
	switch p.Kind {
	case gemini.TextPart:
		text := d.t.Text(p.Text)
		if !p.Thought {
			w.text.add(text)
			return
		}
		w.thought.add(text)
		d.thinking(p, s)
	case gemini.FunctionCall:
		d.call(g, p, s)
	case gemini.InlineData:
		d.media(p, s, first, w)
	case gemini.FileData, gemini.OtherPart, gemini.FunctionResponse:
		w.parts.Raw(p.Raw)
	}
}

// thinking adds a thought to the thinking blocks (https://docs.litellm.ai/docs/reasoning_content).
func (d *decoder) thinking(p *gemini.Part, s *openai.Said) {
	b := dialect.Build(nil)
	b.Open('{').Key("type").Lit(`"thinking"`).Key("thinking")
	if p.Text == nil {
		b.Lit(`""`)
	} else {
		b.Raw(p.Text)
	}
	b.Member("signature", p.Signature).Close('}')
	if len(s.Thinking) > 0 {
		s.Thinking = append(s.Thinking, ',')
	}
	s.Thinking = append(s.Thinking, b.Bytes()...)
}

// call adds the call of a function. Gemini's calls mostly have no id, so they get one. The signature goes with the id as
// well, in the alphabet of base64 that ids may be written in, because most clients send nothing else back.
func (d *decoder) call(g *gemini.Candidate, p *gemini.Part, s *openai.Said) {
	var c gemini.Call
	gemini.ScanCall(p.Value, &c)
	if d.calls == nil {
		d.calls = map[int64]int{}
	}
	n := d.calls[g.Index]
	d.calls[g.Index]++
	id := d.t.Text(c.ID)
	if id == "" {
		id = "call_" + strings.ReplaceAll(d.t.Exchange.ID.String(), "-", "")[:24] + strconv.Itoa(int(g.Index)) + "_" + strconv.Itoa(n)
	}
	call := openai.SaidCall{Index: n, ID: id, Name: d.t.Text(c.Name), Arguments: "{}"}
	if c.Args != nil {
		call.Arguments = string(c.Args)
	}
	if len(p.Signature) > 2 {
		sign := bytes.TrimRight(p.Signature[1:len(p.Signature)-1], "=")
		call.ID += gemini.SignatureMark + strings.NewReplacer("+", "-", "/", "_", `\`, "").Replace(string(sign))
		b := dialect.Build(nil)
		b.Open('{').Key("thought_signature").Raw(p.Signature).Close('}')
		call.Specific = b.Bytes()
	}
	s.Calls = append(s.Calls, call)
}

// media adds an image or a sound. Another kind of data is kept as it came.
func (d *decoder) media(p *gemini.Part, s, first *openai.Said, w *spoken) {
	var blob gemini.Blob
	gemini.ScanBlob(p.Value, &blob)
	kind, data := d.t.Text(blob.Type), blob.Data
	switch {
	case data == nil:
	case strings.HasPrefix(kind, "image/"):
		b := dialect.Build(nil)
		b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{').Key("url")
		b.Lit(`"data:` + string(blob.Type[1:len(blob.Type)-1]) + ";base64," + string(data[1:]))
		b.Key("detail").Lit(`"auto"`).Close('}').Key("index").Int(d.images).Close('}')
		if len(s.Images) > 0 {
			s.Images = append(s.Images, ',')
		}
		s.Images = append(s.Images, b.Bytes()...)
		d.images++
		first.Usage.Images = d.images
		return
	case strings.HasPrefix(kind, "audio/"):
		b := dialect.Build(nil)
		b.Open('{').Key("id").Quote("audio_" + d.t.Exchange.ID.String()).Key("data").Raw(data)
		b.Key("expires_at").Int(ownOf(d.t).now().Unix() + 24*60*60).Key("transcript").Lit(`""`).Key("mime_type").Raw(blob.Type).Close('}')
		s.Audio = b.Bytes()
		return
	}
	w.parts.Raw(p.Raw)
}

// add notes what stands beside the choices.
func (e *extra) add(g *gemini.Candidate) {
	for _, m := range []struct {
		list *[]byte
		v    []byte
	}{{&e.grounding, g.Grounding}, {&e.urls, g.URLs}, {&e.safety, g.Safety}, {&e.citations, g.Citations}} {
		if len(m.v) <= 2 {
			continue
		}
		if len(*m.list) > 0 {
			*m.list = append(*m.list, ',')
		}
		*m.list = append(*m.list, m.v...)
	}
}

func (e *extra) put(s *openai.Said) {
	for _, m := range []struct {
		name string
		v    []byte
	}{
		{"vertex_ai_grounding_metadata", e.grounding}, {"vertex_ai_url_context_metadata", e.urls},
		{"vertex_ai_safety_results", e.safety}, {"vertex_ai_citation_metadata", e.citations},
	} {
		if len(m.v) > 0 {
			s.Extra = append(s.Extra, llm.Pair{Name: m.name, Value: "[" + string(m.v) + "]"})
		}
	}
}

// logprobs is OpenAI's logprobs for a logprobsResult (https://ai.google.dev/api/generate-content#LogprobsResult).
func logprobs(raw []byte) []byte {
	chosen, top := dialect.Get(raw, "chosenCandidates"), dialect.Array(dialect.Get(raw, "topCandidates"))
	if len(chosen) <= 2 {
		return nil
	}
	b := dialect.Build(nil)
	token := func(v []byte) {
		b.Key("token").Raw(or(dialect.Get(v, "token"), `""`)).Key("logprob").Raw(or(dialect.Get(v, "logProbability"), "0")).
			Key("bytes").Lit("null")
	}
	b.Open('{').Key("content").Open('[')
	for c := dialect.Array(chosen); c.Next(); {
		b.Open('{')
		token(c.Value())
		b.Key("top_logprobs").Open('[')
		if top.Next() {
			for t := dialect.Array(dialect.Get(top.Value(), "candidates")); t.Next(); {
				b.Open('{')
				token(t.Value())
				b.Close('}')
			}
		}
		b.Close(']').Close('}')
	}
	b.Close(']').Key("refusal").Lit("null").Close('}')
	return b.Bytes()
}

func or(v []byte, other string) []byte {
	if dialect.Null(v) {
		return []byte(other)
	}
	return v
}

// annotations are OpenAI's for the sources of a text, as the reference makes them
// (_convert_grounding_metadata_to_annotations). Google counts bytes in the places that it names.
func annotations(grounding []byte) []byte {
	chunks := dialect.Get(grounding, "groundingChunks")
	b := dialect.Build(nil)
	for c := dialect.Array(dialect.Get(grounding, "groundingSupports")); c.Next(); {
		segment := dialect.Get(c.Value(), "segment")
		which := dialect.Array(dialect.Get(c.Value(), "groundingChunkIndices"))
		end := dialect.Get(segment, "endIndex")
		if end == nil || !which.Next() {
			continue
		}
		web := dialect.Get(at(chunks, dialect.Int(which.Value())), "web")
		if uri := dialect.Get(web, "uri"); len(uri) > 2 {
			b.Open('{').Key("type").Lit(`"url_citation"`).Key("url_citation").Open('{')
			b.Key("start_index").Raw(or(dialect.Get(segment, "startIndex"), "0")).Key("end_index").Raw(end)
			b.Key("url").Raw(uri).Key("title").Raw(or(dialect.Get(web, "title"), `""`)).Close('}').Close('}')
		}
	}
	return b.Bytes()
}

func at(list []byte, i int64) []byte {
	for c := dialect.Array(list); c.Next(); i-- {
		if i == 0 {
			return c.Value()
		}
	}
	return nil
}
