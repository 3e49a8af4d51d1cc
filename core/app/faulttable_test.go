package app_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/app"
	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

//repocheck:constant a flag of the test binary
var updateFaults = flag.Bool("update-faults", false, "write the table of faults in core/gateway/README.md anew")

// fault is one way in which a vendor fails.
type fault struct {
	name   string
	answer ut.Answer // nil: base says where the vendor is
	base   func(t *testing.T) string
	limit  string // settings of the deployment
	opts   []apptest.Option
}

// drip sends an answer so slowly that it is not there in time: for two seconds.
func drip(head, piece string) ut.Answer {
	return func(c *ut.Conn) {
		c.Write(head)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range 400 {
			select {
			case <-c.Left():
				return
			case <-tick.C:
				c.Write(piece)
			}
		}
	}
}

// either answers requests for a stream in one way and others in another: upstreamtest plays one script for both.
func either(stream, whole ut.Answer) func(*ut.Vendor) ut.Answer {
	return func(v *ut.Vendor) ut.Answer {
		return func(c *ut.Conn) {
			if strings.Contains(string(v.Last().Body), `"stream":true`) {
				stream(c)
				return
			}
			whole(c)
		}
	}
}

func faults() []fault {
	const jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
	first := ut.Chunk(ut.Event(ut.ContentChunk("x", "one")))
	failing := func(status int, kind, message string) ut.Answer {
		return ut.JSON(status, ut.ErrorBody(message, kind, "", ""))
	}
	noSuchHost := func(o *app.Options) {
		o.Upstream.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "nowhere.test") {
				return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: "nowhere.test", IsNotFound: true}}
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
	return []fault{
		{name: "refuses connections", base: func(t *testing.T) string { return "http://" + ut.ClosedPort(t) }},
		{name: "name not found (DNS)", base: func(*testing.T) string { return "http://nowhere.test" }, opts: []apptest.Option{noSuchHost}},
		{name: "certificate not trusted (TLS)", base: func(t *testing.T) string { return ut.NewTLS(t, ut.Hang()).URL }},
		{name: "resets the connection", answer: ut.Reset()},
		{name: "closes without an answer", answer: ut.Drop()},
		{name: "hangs before the header", answer: ut.Hang(), limit: ", timeout: 0.1"},
		{name: "hangs in the body", answer: func(c *ut.Conn) { c.Write(jsonHead + `{"id":`); <-c.Left() }, limit: ", timeout: 0.1"},
		{name: "hangs after the first chunk", answer: func(c *ut.Conn) { c.Write(ut.StreamHead() + first); <-c.Left() }, limit: ", timeout: 0.1"},
		{name: "drips a body that never ends", answer: drip(jsonHead, " "), limit: ", timeout: 0.1"},
		{name: "breaks off in the body", answer: ut.CutBody(500, `{"id":`)},
		{name: "breaks off after the first chunk", answer: ut.CutStream(ut.ContentChunk("x", "one"))},
		{name: "sends an error after the first chunk", answer: ut.ErrorInStream(ut.ContentChunk("x", "one"))},
		{name: "200 with an error in it", answer: ut.ErrorInOK()},
		{name: "200 with HTML", answer: ut.Whole(200, "text/html", "<html>hello</html>")},
		{name: "garbage in place of HTTP", answer: ut.Garbage()},
		{name: "400", answer: failing(400, "invalid_request_error", "no such parameter")},
		{name: "400, context overflow", answer: ut.ContextLengthExceeded()},
		{name: "400, content filter", answer: ut.ContentPolicyViolation()},
		{name: "401", answer: ut.InvalidAPIKey()},
		{name: "403", answer: failing(403, "permission_error", "not your region")},
		{name: "404", answer: ut.ModelNotFound("x")},
		{name: "422", answer: failing(422, "invalid_request_error", "cannot be processed")},
		{name: "429 without Retry-After", answer: failing(429, "rate_limit_error", "slow down")},
		{name: "429 with Retry-After", answer: ut.RateLimited("1")},
		{name: "500", answer: ut.ServerError()},
		{name: "503", answer: ut.Overloaded()},
		{name: "529", answer: failing(529, "overloaded_error", "Overloaded")},
	}
}

// row is what the table says of a fault.
type row struct{ name, retried, falls, cools, whole, stream string }

func (r row) String() string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", r.name, r.retried, r.falls, r.cools, r.whole, r.stream)
}

// start runs a gateway with a configuration in which BAD is the deployment that fails and GOOD one that answers.
func (f fault) start(t *testing.T, yaml string) *apptest.Server {
	t.Helper()
	base := ""
	if f.base != nil {
		base = f.base(t)
	} else {
		base = ut.New(t, f.answer).URL
	}
	good := ut.New(t)
	good.Script(either(ut.SSE(ut.ChatStream("y", 1, "good")...), ut.JSON(200, ut.Completion("y", "good", 1, 1)))(good))
	yaml = strings.ReplaceAll(yaml, "BAD", fmt.Sprintf(`{model: openai/x, api_key: k, api_base: "%s/v1", order: 1%s}`, base, f.limit))
	yaml = strings.ReplaceAll(yaml, "GOOD", fmt.Sprintf(`{model: openai/y, api_key: k, api_base: "%s/v1", order: 2}`, good.URL))
	return apptest.Start(t, yaml+"\ngeneral_settings: {master_key: sk-1234}\n", f.opts...)
}

func failures(s *apptest.Server) int {
	return strings.Count(s.Log.String(), "a call to a model failed")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// observe finds out what becomes of a fault.
func (f fault) observe(t *testing.T) row {
	t.Helper()
	r := row{name: f.name}
	two := f.start(t, `
model_list: [{model_name: m, litellm_params: BAD, model_info: {id: one}}, {model_name: m, litellm_params: BAD, model_info: {id: two}}, {model_name: n, litellm_params: GOOD}]
router_settings: {num_retries: 1, disable_cooldowns: true, fallbacks: [{m: [n]}]}`)
	answer := two.Post(chat, ask(""))
	r.falls = yes(answer.Status == 200 && answer.Header.Get("x-litellm-attempted-fallbacks") == "1")
	elsewhere := failures(two) > 1
	if got := readStream(t, two.Post(chat, ask(`,"stream":true`)).Body); got.failed != "" || !strings.HasSuffix(got.text, "good") || !got.done {
		t.Errorf("%s: a stream does not fall back: %+v", f.name, got)
	}

	alone := f.start(t, `
model_list: [{model_name: m, litellm_params: BAD}]
router_settings: {num_retries: 0, disable_cooldowns: true}`)
	r.whole = seen(t, alone.Post(chat, ask("")))
	r.stream = seen(t, alone.Post(chat, ask(`,"stream":true`)))
	before := failures(alone)
	alone.Post(chat, ask(`,"num_retries":1`))
	switch again := failures(alone) > before+1; {
	case again:
		r.retried = "yes"
	case elsewhere:
		r.retried = "elsewhere"
	default:
		r.retried = "no"
	}

	group := f.start(t, `
model_list: [{model_name: m, litellm_params: BAD}, {model_name: m, litellm_params: GOOD}]
router_settings: {num_retries: 0}`)
	r.cools = "no"
	for i := range 20 { // a minute may end between two of them, and begins the count anew
		group.Post(chat, ask(""))
		if strings.Contains(group.Log.String(), "a deployment is left alone") {
			r.cools = "at once"
			if i > 0 {
				r.cools = "most fail"
			}
			break
		}
	}
	return r
}

// seen is what a caller reads, in a few words.
func seen(t *testing.T, r *apptest.Response) string {
	t.Helper()
	body, where := r.Body, fmt.Sprint(r.Status)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
		events := apptest.Events(body)
		body, where = events[len(events)-1], "200, words, then an error event"
	}
	e := readError(t, body)
	class, _, ok := strings.Cut(strings.TrimPrefix(e.Error.Message, "litellm."), ":")
	if !ok || strings.Contains(class, " ") {
		t.Errorf("an error without a class: %s", body)
	}
	if strings.Contains(body, "sk-") {
		t.Errorf("a key in %s", body)
	}
	return where + " " + class
}

const (
	faultsBegin = "<!-- faults: made by go test ./core/app -run TestFaultTable -update-faults -->\n"
	faultsEnd   = "<!-- end of faults -->\n"
)

// For every way in which a vendor fails: what is retried, what falls back, what cools down, what the caller sees. The table
// in core/gateway/README.md is what was observed.
func TestFaultTable(t *testing.T) {
	t.Parallel()
	list := faults()
	rows := make([]row, len(list))
	t.Run("faults", func(t *testing.T) {
		var wg sync.WaitGroup
		places := make(chan struct{}, 8)
		for i, f := range list {
			places <- struct{}{}
			wg.Go(func() {
				rows[i] = f.observe(t)
				<-places
			})
		}
		wg.Wait()
	})
	var b strings.Builder
	b.WriteString("| the vendor | retried | falls back | cools down | caller sees | in a stream |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		b.WriteString(r.String())
	}
	const file = "../gateway/README.md"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), faultsBegin)
	table, after, end := strings.Cut(rest, faultsEnd)
	if !ok || !end {
		t.Fatalf("%s has no place for the table", file)
	}
	if *updateFaults {
		if err := os.WriteFile(file, []byte(before+faultsBegin+b.String()+faultsEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != b.String() {
		t.Errorf("the table in %s is not what happens. It says\n%s\nand this happens\n%s", file, table, b.String())
	}
}
