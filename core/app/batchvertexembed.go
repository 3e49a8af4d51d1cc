package app

import (
	"context"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// vertexEmbeddings are batches of Vertex AI's models for embeddings of texts
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/embeddings/batch-prediction-genai-embeddings). A line of theirs
// is one text, with no place for an id, and comes back with its vector. Which ids a text has is kept beside the lines.
type vertexEmbeddings struct{ *vertexBatches }

// embeds implements batchEmbedder.
func (vertexEmbeddings) embeds() {}

// vertexEmbeds reports whether a model has batches of embeddings. Those of Gemini have none, and those of pictures neither.
func vertexEmbeds(model string) bool {
	return strings.HasPrefix(model, "text-embedding-") || strings.HasPrefix(model, "text-multilingual-embedding-") || strings.HasPrefix(model, "textembedding-gecko")
}

const (
	maxVertexTexts = 30_000 // of one batch
	vertexIDs      = ".ids.jsonl"
)

func (m vertexEmbeddings) submit(ctx context.Context, b *batches, rows []batchRow, name string) (string, error) {
	if rows[0].path != embedPath {
		return m.vertexBatches.submit(ctx, b, rows, name)
	}
	if len(rows) > maxVertexTexts {
		return "", b.wrong("file", "The file has more than %d texts, which is the most for a batch of embeddings at vertex_ai: send several.", maxVertexTexts)
	}
	var lines, ids []byte
	as := map[string]string{} // how a text is to be embedded
	for _, r := range rows {
		one, err := vertexText(b, r)
		if err != nil {
			return "", err
		}
		content := string(dialect.Get(one, "content"))
		if before, again := as[content]; again && before != string(one) {
			return "", b.wrong("input", "The request %q of the file has the text of an earlier one and another task_type or title: results at vertex_ai do not tell them apart.", r.id)
		}
		as[content] = string(one)
		lines = append(append(lines, oneLine(one)...), '\n')
		w := dialect.Build(ids)
		w.Open('{').Key("id").Quote(r.id).Key("content").Raw([]byte(content))
		ids = append(w.Close('}').Bytes(), '\n')
	}
	folder := m.bucket.prefix + vertexFiles + m.model + "/" + name
	if err := m.bucket.put(ctx, folder+vertexIDs, ids); err != nil {
		return "", err
	}
	return m.begin(ctx, b, name, folder, lines)
}

// vertexText is the one text of a request.
func vertexText(b *batches, r batchRow) ([]byte, error) {
	list := dialect.Array(dialect.Get(r.body, "instances"))
	if !list.Next() {
		return nil, b.wrong("input", "The request %q of the file has no text.", r.id)
	}
	one := list.Value()
	if list.Next() {
		return nil, b.wrong("input", "The request %q of the file has several texts: in batches at vertex_ai each has one.", r.id)
	}
	if c := dialect.Object(dialect.Get(r.body, "parameters")); c.Next() {
		name := string(c.Key())
		if name == "outputDimensionality" {
			name = "dimensions"
		}
		return nil, b.wrong(name, "The request %q of the file has %s, which batches of embeddings at vertex_ai do not have.", r.id, name)
	}
	return one, nil
}

// results reads the vectors. Texts that several requests have come as often as they have them; whatever request of theirs a
// vector is given to, it is the same.
func (m vertexEmbeddings) results(ctx context.Context, b *batches, s *batchState, yield func(*batchResult) error) error {
	if remembered := b.remembered(ctx, s.id); remembered.path() != embedPath {
		return m.vertexBatches.results(ctx, b, s, yield)
	}
	folder, err := m.folder(b, s)
	if err != nil || folder == "" {
		return err
	}
	left, order, err := m.ids(ctx, folder)
	if err != nil {
		return err
	}
	results := func(name string) bool { return !strings.Contains(name, "error") }
	err = m.bucket.results(ctx, folder, results, func(line []byte) error {
		text, _ := llm.Text(dialect.Get(dialect.Get(line, "instance"), "content"))
		ids := left[string(text)]
		if len(ids) == 0 {
			return nil // nobody asked for it
		}
		left[string(text)] = ids[1:]
		return yield(vertexVector(ids[0], line))
	})
	if err != nil {
		return err
	}
	for _, text := range order {
		for _, id := range left[text] {
			if err := yield(&batchResult{id: id, code: "vertex_ai_error", message: "The model gave no answer."}); err != nil {
				return err
			}
		}
		left[text] = nil
	}
	return nil
}

// ids reads which requests have which text, and the texts in their order.
func (m vertexEmbeddings) ids(ctx context.Context, folder string) (of map[string][]string, order []string, err error) {
	prefix := strings.TrimSuffix(folder, "/")
	in, err := m.bucket.get(ctx, prefix[:max(strings.LastIndexByte(prefix, '/'), 0)]+vertexIDs)
	if err != nil {
		return nil, nil, err
	}
	of = map[string][]string{}
	err = eachLine(in, func(line []byte) error {
		id, _ := llm.Text(dialect.Get(line, "id"))
		raw, _ := llm.Text(dialect.Get(line, "content"))
		text := string(raw)
		if of[text] == nil {
			order = append(order, text)
		}
		of[text] = append(of[text], string(id))
		return nil
	})
	if closed := in.Close(); err == nil {
		err = closed
	}
	return of, order, err
}

// vertexVector reads a line of the output. One that failed has a status, which is a text, or an error.
func vertexVector(id string, line []byte) *batchResult {
	r := &batchResult{id: id, code: "vertex_ai_error"}
	status, _ := llm.Text(dialect.Get(line, "status"))
	problem, _ := llm.Text(dialect.Get(dialect.Get(line, "error"), "message"))
	list := dialect.Array(dialect.Get(line, "predictions"))
	switch {
	case len(status) > 0:
		r.message = string(status)
	case len(problem) > 0:
		r.message = string(problem)
	case !list.Next():
		r.message = "The model gave no answer."
	default:
		r.answer = line
	}
	return r
}
