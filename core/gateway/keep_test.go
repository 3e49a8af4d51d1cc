package gateway_test

import (
	"io"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// streamer is a vendor whose answer has three parts.
type streamer struct{ vendor }

func (s *streamer) Decode(_ *llm.Exchange, _ *llm.Answer, r *llm.Reply) error {
	r.Status, r.Streamed, r.First, r.Rest = 200, true, llm.Part{Data: []byte(`{"n":1}`)}, &counting{n: 1}
	return nil
}

type counting struct{ n byte }

func (c *counting) Next(p *llm.Part) error {
	if c.n == 3 {
		return io.EOF
	}
	c.n++
	*p = llm.Part{Data: []byte(`{"n":` + string('0'+c.n) + `}`)}
	return nil
}

func (c *counting) Close() error { return nil }

// kept notes what the recorder is given of the answer.
type kept string

func (k *kept) Record(_ *llm.Exchange, r *llm.Reply, _ *llm.Deployment, _ error) { *k = kept(r.Kept) }

// What was sent is kept for the recorder, if it is wanted and not too long.
func TestKeep(t *testing.T) {
	t.Parallel()
	f := func(keep int, want string) {
		t.Helper()
		v := &streamer{}
		s := snapshot(t, &v.vendor)
		var got kept
		s.Recorder, s.Keep = &got, keep
		g := gateway.New(v, s)
		x := &llm.Exchange{}
		x.Reset()
		x.Op, x.Pinned = llm.OpChat, &llm.Deployment{ID: "d", Bound: v}
		r, err := g.Serve(&x.Life, x)
		if err != nil {
			t.Fatal(err)
		}
		for p := r.First; err == nil; err = r.Rest.Next(&p) {
		}
		if err := r.Rest.Close(); err != nil {
			t.Fatal(err)
		}
		if text := strings.ReplaceAll(string(got), string(rune(llm.KeptMark)), "|"); text != want {
			t.Errorf("keep %d: got %q, want %q", keep, text, want)
		}
	}
	f(0, "")
	f(100, `{"n":1}|{"n":2}|{"n":3}`)
	f(20, "")
}
