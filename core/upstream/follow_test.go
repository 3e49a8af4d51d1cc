package upstream_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// A call whose answer only says where the answer is goes on there; what is not followed can be read as ever.
func TestNext(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t)
	cl := newClient(t, upstream.Settings{})
	f := func(answers []upstreamtest.Answer, next func(int, []byte, *llm.Call) (time.Duration, bool, error), want string) {
		t.Helper()
		v.Script(answers...)
		c, a := &llm.Call{Target: v.Target(), Method: "POST", Path: []byte("/first"), Body: [][]byte{[]byte("{}")}, Next: next}, &llm.Answer{}
		if err := cl.Do(t.Context(), c, a); err != nil {
			if err.Error() != want && !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			return
		}
		body, err := io.ReadAll(a.Body)
		if got := v.Last().Method + " " + v.Last().Path + " " + string(body); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
		if err := a.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	follow := func(_ int, body []byte, c *llm.Call) (time.Duration, bool, error) {
		c.Method, c.Path, c.Body = "GET", body, nil
		return 0, true, nil
	}
	first, second := upstreamtest.JSON(201, "/second"), upstreamtest.JSON(200, `{"b":2}`)
	f([]upstreamtest.Answer{first, second}, follow, `GET /second {"b":2}`)
	f([]upstreamtest.Answer{second}, func(int, []byte, *llm.Call) (time.Duration, bool, error) { return 0, false, nil }, `POST /first {"b":2}`)
	f([]upstreamtest.Answer{upstreamtest.JSON(500, "/second"), second}, func(status int, body []byte, c *llm.Call) (time.Duration, bool, error) {
		if status != 500 {
			return 0, false, nil
		}
		return follow(status, body, c)
	}, `GET /second {"b":2}`)
	f([]upstreamtest.Answer{first}, func(int, []byte, *llm.Call) (time.Duration, bool, error) {
		return 0, false, errors.New("no such place")
	}, "no such place")
	twice := 0
	var again func(_ int, body []byte, c *llm.Call) (time.Duration, bool, error)
	again = func(_ int, _ []byte, c *llm.Call) (time.Duration, bool, error) {
		if twice++; twice == 3 {
			return 0, false, nil
		}
		c.Method, c.Path, c.Body, c.Next = "GET", []byte("/look"), nil, again
		return time.Millisecond, true, nil
	}
	f([]upstreamtest.Answer{first, first, second}, again, `GET /look {"b":2}`)
	f([]upstreamtest.Answer{upstreamtest.CutBody(100, "{")}, follow, "upstream.Read")
}

// A caller who leaves while a call waits ends it.
func TestNextGivenUp(t *testing.T) {
	bothContexts(t, func(t *testing.T, leave leaver) {
		v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
		ctx, cancel := leave()
		c := post(v.Target())
		c.Next = func(int, []byte, *llm.Call) (time.Duration, bool, error) {
			cancel()
			return time.Hour, true, nil
		}
		_, _, err := fetch(ctx, newClient(t, upstream.Settings{}), c)
		wantError(t, err, "upstream.Do", llm.KindCanceled)
	})
}
