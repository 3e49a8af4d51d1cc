// Package providertest is the suite that every provider passes. The cases are scripts: what a caller sends, what the
// vendor answers, and what must come of it. A provider keeps them as txtar files beside its tests and hands them to Run,
// which also runs each of them under conditions that no script can list: byte by byte, cut off anywhere, given up early,
// and many at once. There is no network; answers come from memory.
package providertest

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Cases lists what every provider must show that it can do. A provider may have more.
func Cases() []string {
	return []string{
		"whole", "stream", "stream-usage", "completion", "completion-stream", "embeddings",
		"tools", "parallel-tools", "stream-tools", "json-mode", "images", "logprobs", "unknown-fields",
		"usage-details", "finish-length", "finish-content-filter",
		"error-bad-request", "error-authentication", "error-permission", "error-not-found", "error-timeout",
		"error-unprocessable", "error-rate-limit", "error-server", "error-unavailable", "error-overloaded", "error-html",
		"error-context-window", "error-content-policy", "error-with-success",
		"broken-connection", "broken-not-json", "broken-empty",
		"stream-cut", "stream-without-end", "stream-error-first", "stream-error-later", "stream-empty",
		"stream-not-json", "stream-comments", "stream-answered-whole", "whole-answered-as-stream",
	}
}

// FurtherCases lists what a provider that translates must show besides, if its vendor has it.
func FurtherCases() []string {
	return []string{
		"json-schema", "reasoning", "stream-reasoning", "image-url", "tool-choice", "tool-results", "system", "stream-parallel-tools",
		"unsupported", "stop",
	}
}

// Options say how Run treats the scripts.
type Options struct {
	// Translates asks for FurtherCases too.
	Translates bool
	// Only asks for no cases at all, for a vendor that offers no chats, or less than most.
	Only bool
	// Target has the scripts say where a call goes and with which header lines, in a file "target".
	Target bool
	// Body, if it is set, makes the body of an answer from what the script says, for a vendor whose answers are not text.
	Body func(text []byte) []byte
	// SkipCalls leaves out the comparison of what is sent, for a vendor that shares the scripts of another and wants
	// the requests in a slightly different form.
	SkipCalls bool
	// Skip names the cases that do not apply, such as those of an operation that the vendor does not offer. They need no
	// script.
	Skip []string
	// Expect, if it is set, turns the reply that a script says into the one that is wanted, for a vendor that shares the
	// scripts of another and whose name shows in errors.
	Expect func(reply string) string
	// Update, if it is set, is the folder that results are written to in place of being compared. A provider's own test
	// sets it from the -update flag.
	Update string
}

// UpdateFlag registers -update for a provider's own test. It is called from a package variable of the test.
func UpdateFlag() *bool {
	return flag.Bool("update", false, "write what the suite got into the scripts")
}

// Run runs the scripts in files, one *.txtar each, against a deployment bound to p. The deployment's Model should be
// "vendor-model", because the scripts say so.
//
// A script begins with a sentence on what it shows. Its files: "request" is what the caller sends (the operation in the
// first line, then the body), "call" the body that is sent to the vendor, "answer" the status, the header lines, a
// blank line and the body, optionally "break", the error with which reading the body ends, and "reply" the outcome: for
// each part a line, then usage, finish reason and error.
func Run(t *testing.T, p provider.Provider, d *llm.Deployment, files fs.FS, o Options) {
	endpoint, err := p.Bind(d)
	if err != nil {
		t.Fatalf("Bind: %v", err)
	}
	names, err := fs.Glob(files, "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	wanted := Cases()
	if o.Only {
		wanted = nil
	}
	if o.Translates {
		wanted = append(wanted, FurtherCases()...)
	}
	for _, want := range wanted {
		if !slices.Contains(names, want+".txtar") && !slices.Contains(o.Skip, want) {
			t.Errorf("there is no script %s.txtar", want)
		}
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			t.Parallel()
			if slices.Contains(o.Skip, strings.TrimSuffix(name, ".txtar")) {
				t.Skip("does not apply")
			}
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			s := parse(t, text, o)
			s.golden(t, endpoint, path.Base(name), o)
			if o.Update != "" {
				return
			}
			s.pieces(t, endpoint)
			s.cuts(t, endpoint)
			s.hostile(t, endpoint)
			s.givenUp(t, endpoint)
			s.together(t, endpoint)
		})
	}
}

// script is one case.
type script struct {
	archive *txtar.Archive
	op      llm.Operation
	method  string
	name    string // of the request in records
	tail    string // its path
	request []byte
	status  int
	header  llm.Header
	stream  bool
	body    []byte
	broken  error
	reply   string
	call    string
	target  string
}

func parse(t *testing.T, text []byte, o Options) *script {
	t.Helper()
	s := &script{archive: txtar.Parse(text)}
	if len(bytes.TrimSpace(s.archive.Comment)) == 0 {
		t.Error("the script does not begin with a sentence on what it shows")
	}
	for _, f := range s.archive.Files {
		data := bytes.TrimSuffix(f.Data, []byte("\n"))
		switch f.Name {
		case "request":
			first, rest, _ := bytes.Cut(data, []byte("\n"))
			s.op, s.request = s.named(t, string(first)), rest
		case "call":
			s.call = string(data)
		case "answer":
			s.answer(t, data)
		case "break":
			s.broken = &llm.Error{Op: "upstream.Read", Kind: llm.KindConnection, Err: io.ErrUnexpectedEOF, Message: string(data)}
		case "reply":
			s.reply = string(f.Data)
		case "target":
			s.target = string(f.Data)
		default:
			t.Errorf("the script holds an unknown file %q", f.Name)
		}
	}
	if o.Body != nil {
		s.body = o.Body(s.body)
	}
	return s
}

func operation(t *testing.T, name string) llm.Operation {
	t.Helper()
	op := operationNamed(name)
	if op == llm.OpNone {
		t.Fatalf("the request begins with %q, which is no operation", name)
	}
	return op
}

// named reads the first line of a request: the operation, and for one about what vendors store also its name in records,
// its method and its path: "resource acreate_file POST /files".
func (s *script) named(t *testing.T, line string) llm.Operation {
	t.Helper()
	return operation(t, s.place(line))
}

// place reads what else the line says, and returns the name of the operation.
func (s *script) place(line string) string {
	s.method = http.MethodPost
	words := strings.Fields(line)
	if len(words) != 4 {
		return line
	}
	s.name, s.method, s.tail = words[1], words[2], words[3]
	return words[0]
}

// about makes x the request that the line names.
func (s *script) about(x *llm.Exchange) {
	path, query, _ := strings.Cut(s.tail, "?")
	x.Method, x.Call, x.Tail, x.Query = s.method, s.name, path, []byte(query)
}

// operationNamed is the operation with a name, or OpNone.
func operationNamed(name string) llm.Operation {
	for op := llm.OpChat; op <= llm.OpRealtime; op++ {
		if op.String() == name {
			return op
		}
	}
	return llm.OpNone
}

func (s *script) answer(t *testing.T, data []byte) {
	t.Helper()
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	status, lines, _ := strings.Cut(string(head), "\n")
	n, err := strconv.Atoi(strings.TrimSpace(status))
	if err != nil {
		t.Fatalf("the answer begins with %q and not with a status", status)
	}
	s.status = n
	for line := range strings.Lines(lines) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			t.Fatalf("%q is no header line", line)
		}
		s.header = append(s.header, llm.Field{Name: []byte(name), Value: []byte(value)})
	}
	s.stream = strings.HasPrefix(string(s.header.Get("content-type")), "text/event-stream")
	s.body = body
	if strings.Contains(string(s.header.Get("content-type")), "ndjson") {
		s.body = append(slices.Clone(body), '\n')
	}
	if s.stream && len(body) > 0 {
		s.body = append(slices.Clone(body), "\n\n"...) // the end of the last event, which parsing the script took away
	}
}

// Body is an answer's body in memory that counts how often it is closed.
type Body struct {
	r      io.Reader
	end    error // what reading ends with; nil is io.EOF
	Closed int
}

// NewBody returns a body that reads text and ends with err, or with io.EOF if err is nil.
func NewBody(text []byte, err error) *Body { return &Body{r: bytes.NewReader(text), end: err} }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF && b.end != nil {
		err = b.end
	}
	return n, err
}

// Close implements io.Closer.
func (b *Body) Close() error {
	b.Closed++
	return nil
}

// exchange makes the exchange of a script.
func (s *script) exchange(t testing.TB) *llm.Exchange {
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.Start = s.op, time.Now()
	s.about(x)
	copy(x.ID[:], "00000000-0000-0000-0000-000000000000") // the same in each run
	body := s.request
	if bytes.HasPrefix(body, []byte("--")) {
		body = s.form(t, x)
	}
	if err := x.Body.Parse(body); err != nil {
		t.Fatalf("the request: %v", err)
	}
	if err := openai.Decode(x); err != nil {
		t.Fatalf("the request: %v", err)
	}
	return x
}

// form reads a request that is a form, and returns its text fields as JSON, as the listener does.
func (s *script) form(t testing.TB, x *llm.Exchange) []byte {
	boundary, _, _ := bytes.Cut(s.request[2:], []byte("\n"))
	raw := bytes.ReplaceAll(s.request, []byte("\n"), []byte("\r\n"))
	if err := x.Form.Parse([]byte("multipart/form-data; boundary="+string(boundary)), raw); err != nil {
		t.Fatalf("the form: %v", err)
	}
	body, err := openai.FormBody(&x.Form)
	if err != nil {
		t.Fatalf("the form: %v", err)
	}
	return body
}

// result is what came of a run.
type result struct {
	call   string
	target string
	reply  string
	err    error
}

// play makes the whole way of a call. most limits how many parts are read; below 0 all are.
func (s *script) play(t testing.TB, e provider.Endpoint, body *Body, most int) (res result) {
	x := s.exchange(t)
	var (
		c   llm.Call
		r   llm.Reply
		out strings.Builder
	)
	if err := e.Encode(x, &c); err != nil {
		return result{err: err, reply: describe(err)}
	}
	res.call = string(bytes.Join(c.Body, nil))
	res.target = target(&c)
	if c.Target == nil || c.Method != s.method && s.name == "" || len(c.Path) == 0 || c.Path[0] != '/' {
		t.Errorf("the call is incomplete: %+v", c)
	}
	a := &llm.Answer{Status: s.status, Header: s.header, Streamed: s.stream, Size: -1, Body: body, FirstByte: time.Now()}
	if res.err = e.Decode(x, a, &r); res.err != nil {
		res.reply = describe(res.err)
		s.closed(t, body)
		return res
	}
	if r.Rest == nil {
		t.Fatal("the reply has no Rest to close")
	}
	for p := r.First; res.err == nil && most != 0; res.err = r.Rest.Next(&p) {
		out.Write(p.Data)
		if !r.Verbatim { // pieces are cut anywhere
			out.WriteByte('\n')
		}
		most--
	}
	if r.Verbatim {
		out.WriteByte('\n')
	}
	if most < 0 && res.err == io.EOF {
		res.err = nil
	}
	if err := r.Rest.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	s.closed(t, body)
	fmt.Fprintf(&out, "streamed %v, usage %s, finish %q\n", r.Streamed, usage(r.Usage), r.Finish)
	if res.err != nil {
		out.WriteString(describe(res.err))
	}
	res.reply = out.String()
	return res
}

// usage writes the counts that every vendor has, and of the others those that are not 0.
func usage(u llm.Usage) string {
	text := fmt.Sprintf("{Prompt:%d Completion:%d Total:%d Cached:%d Reasoning:%d", u.Prompt, u.Completion, u.Total, u.Cached, u.Reasoning)
	for _, more := range []struct {
		name string
		n    int64
	}{
		{"CacheWrite", u.CacheWrite}, {"CacheWriteHour", u.CacheWriteHour}, {"AudioPrompt", u.AudioPrompt},
		{"AudioCompletion", u.AudioCompletion}, {"Images", u.Images}, {"Characters", u.Characters}, {"Searches", u.Searches},
		{"CachedAudio", u.CachedAudio}, {"CachedImage", u.CachedImage}, {"CachedMarked", u.CachedMarked},
		{"CacheWriteHalfDay", u.CacheWriteHalfDay}, {"ImagePrompt", u.ImagePrompt}, {"ImageCompletion", u.ImageCompletion},
		{"VideoPrompt", u.VideoPrompt}, {"VideoCompletion", u.VideoCompletion}, {"Citations", u.Citations}, {"Maps", u.Maps},
		{"FileSearches", u.FileSearches}, {"Sessions", u.Sessions}, {"Pages", u.Pages}, {"AnnotatedPages", u.AnnotatedPages},
	} {
		if more.n != 0 {
			text += fmt.Sprintf(" %s:%d", more.name, more.n)
		}
	}
	if u.Seconds != 0 {
		text += fmt.Sprintf(" Seconds:%g", u.Seconds)
	}
	if u.Cost != 0 {
		text += fmt.Sprintf(" Cost:%g", u.Cost)
	}
	return text + "}"
}

// target says where a call goes, and with which header lines.
func target(c *llm.Call) string {
	var out strings.Builder
	if c.Target == nil {
		return ""
	}
	fmt.Fprintf(&out, "%s %s://%s%s\n%s", c.Method, c.Target.Scheme, c.Target.Host, c.Path, strings.ReplaceAll(string(c.Head), "\r", ""))
	for _, h := range c.Header {
		fmt.Fprintf(&out, "%s: %s\n", h.Name, h.Value)
	}
	return out.String()
}

func (s *script) closed(t testing.TB, b *Body) {
	if b.Closed != 1 {
		t.Errorf("the body was closed %d times", b.Closed)
	}
}

// describe writes an error as the caller gets it.
func describe(err error) string {
	e := llm.AsError(err)
	text := fmt.Sprintf("error kind %d, status %d: %s\n", e.Kind, e.HTTPStatus(), openai.AppendError(nil, e))
	if e.RetryAfter > 0 {
		text += fmt.Sprintf("retry after %v\n", e.RetryAfter)
	}
	return text
}

// golden compares what came of the script with what it says, or writes it there.
func (s *script) golden(t *testing.T, e provider.Endpoint, name string, o Options) {
	got := s.play(t, e, NewBody(s.body, s.broken), -1)
	if o.Update != "" {
		s.set("call", got.call+"\n")
		s.set("reply", got.reply)
		if o.Target {
			s.set("target", got.target)
		}
		if err := os.WriteFile(path.Join(o.Update, name), txtar.Format(s.archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(s.call, got.call); diff != "" && !o.SkipCalls {
		t.Errorf("the call (-want +got):\n%s", diff)
	}
	if o.Target {
		if diff := cmp.Diff(s.target, got.target); diff != "" {
			t.Errorf("where the call goes (-want +got):\n%s", diff)
		}
	}
	want := s.reply
	if o.Expect != nil {
		want = o.Expect(want)
	}
	if diff := cmp.Diff(want, got.reply); diff != "" {
		t.Errorf("the reply (-want +got):\n%s", diff)
	}
}

func (s *script) set(name, data string) {
	for i := range s.archive.Files {
		if s.archive.Files[i].Name == name {
			s.archive.Files[i].Data = []byte(data)
			return
		}
	}
	s.archive.Files = append(s.archive.Files, txtar.File{Name: name, Data: []byte(data)})
}

// oneByte reads a byte at a time.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}

// pieces runs the script with an answer that arrives byte by byte, which must not make a difference.
func (s *script) pieces(t *testing.T, e provider.Endpoint) {
	body := NewBody(s.body, s.broken)
	body.r = oneByte{body.r}
	want := s.play(t, e, NewBody(s.body, s.broken), -1)
	if diff := cmp.Diff(want.reply, s.play(t, e, body, -1).reply); diff != "" {
		t.Errorf("byte by byte the reply is another one (-want +got):\n%s", diff)
	}
}

// cuts breaks the answer off at many places. Each must end in a reply or in an error of the gateway's own type, with
// the body closed.
func (s *script) cuts(t *testing.T, e provider.Endpoint) {
	const places = 150
	step := max(len(s.body)/places, 1)
	for at := 0; at < len(s.body); at += step {
		for _, end := range []error{nil, &llm.Error{Op: "upstream.Read", Kind: llm.KindConnection, Message: "cut"}} {
			res := s.play(t, e, NewBody(s.body[:at], end), -1)
			if res.err == nil {
				continue
			}
			if _, ok := res.err.(*llm.Error); !ok { //nolint:errorlint // the promise is the type itself
				t.Fatalf("cut after %d bytes: %v is a %T", at, res.err, res.err)
			}
		}
	}
}

// givenUp closes the reply before it was read.
func (s *script) givenUp(t *testing.T, e provider.Endpoint) {
	for most := range 3 {
		s.play(t, e, NewBody(s.body, s.broken), most)
	}
}

// together runs the script many times at once, as endpoints and their buffers are shared.
func (s *script) together(t *testing.T, e provider.Endpoint) {
	want := s.play(t, e, NewBody(s.body, s.broken), -1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if diff := cmp.Diff(want.reply, s.play(t, e, NewBody(s.body, s.broken), -1).reply); diff != "" {
					t.Errorf("at the same time as others the reply is another one (-want +got):\n%s", diff)
					return
				}
			}
		})
	}
	wg.Wait()
}
