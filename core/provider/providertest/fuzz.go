package providertest

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Fuzz tries a provider with requests and answers that nobody would write, beginning with those of the scripts in files.
// A request that is taken must become JSON, and an answer must become JSON or an error of the gateway's own type, with
// its body closed.
func Fuzz(f *testing.F, p provider.Provider, d *llm.Deployment, files fs.FS) {
	f.Helper()
	e, err := p.Bind(d)
	if err != nil {
		f.Fatal(err)
	}
	names, err := fs.Glob(files, "*.txtar")
	if err != nil || len(names) == 0 {
		f.Fatalf("no scripts (*.txtar) in testdata: begin with those of a vendor that is like this one, change the answers, and run with -update (%v)", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, path.Clean(name))
		if err != nil {
			f.Fatal(err)
		}
		a := txtar.Parse(text)
		var op string
		var request, head, answer []byte
		for _, file := range a.Files {
			switch file.Name {
			case "request":
				first, rest, _ := bytes.Cut(file.Data, []byte("\n"))
				op, request = string(first), rest
			case "answer":
				head, answer, _ = bytes.Cut(file.Data, []byte("\n\n"))
			}
		}
		kind := "application/json"
		for line := range strings.Lines(string(head)) {
			if value, ok := strings.CutPrefix(line, "Content-Type: "); ok {
				kind = strings.TrimSpace(value)
			}
		}
		f.Add(op, request, answer, kind, bytes.HasPrefix(head, []byte("200")))
	}
	f.Fuzz(func(t *testing.T, op string, request, answer []byte, kind string, good bool) {
		x := new(llm.Exchange)
		x.Reset()
		var s script
		x.Op, x.Start = operationNamed(s.place(op)), time.Now()
		s.about(x)
		copy(x.ID[:], "00000000-0000-0000-0000-000000000000")
		if x.Op == llm.OpNone || !json.Valid(request) || x.Body.Parse(request) != nil || openai.Decode(x) != nil {
			return
		}
		var c llm.Call
		if err := e.Encode(x, &c); err != nil {
			if _, ok := err.(*llm.Error); !ok { //nolint:errorlint // the promise is the type itself
				t.Fatalf("%s: %v is a %T", request, err, err)
			}
			return
		}
		if sent := bytes.Join(c.Body, nil); plain(&c) && len(c.Body) > 0 && !json.Valid(sent) {
			t.Fatalf("%s becomes %s", request, sent)
		}
		fuzzAnswer(t, e, x, answer, kind, good)
	})
}

// plain reports whether a call has no content type of its own, and so is JSON.
func plain(c *llm.Call) bool { return len(c.Header.Get("content-type")) == 0 }

func fuzzAnswer(t *testing.T, e provider.Endpoint, x *llm.Exchange, answer []byte, kind string, good bool) {
	t.Helper()
	body := NewBody(answer, nil)
	a := &llm.Answer{
		Status: 400, Size: -1, Body: body, FirstByte: time.Now(), Streamed: strings.HasPrefix(kind, "text/event-stream"),
		Header: llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}},
	}
	if good {
		a.Status = 200
	}
	var r llm.Reply
	err := e.Decode(x, a, &r)
	if err == nil {
		for p := r.First; err == nil; err = r.Rest.Next(&p) {
			if x.Op != llm.OpSpeech && !r.Verbatim && !json.Valid(p.Data) && json.Valid(answer) {
				t.Fatalf("%s becomes %s", answer, p.Data)
			}
		}
		if err := r.Rest.Close(); err != nil {
			t.Fatal(err)
		}
		if err == io.EOF { //nolint:errorlint // the end is io.EOF itself
			err = nil
		}
	}
	if _, ok := err.(*llm.Error); err != nil && !ok { //nolint:errorlint // the promise is the type itself
		t.Fatalf("%s: %v is a %T", answer, err, err)
	}
	if body.Closed != 1 {
		t.Fatalf("the body was closed %d times", body.Closed)
	}
}
