package router

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// response is a request of the Responses API with an input.
func response(t *testing.T, input string) *llm.Exchange {
	t.Helper()
	x := ask("g")
	x.Dialect = llm.DialectResponses
	if err := x.Native.Parse([]byte(`{"model":"g","input":` + input + `}`)); err != nil {
		t.Fatal(err)
	}
	return x
}

// gives makes a request that is answered with a text, and returns who did.
func gives(t *testing.T, r *Router, x *llm.Exchange, part string) (string, error) {
	t.Helper()
	var p Plan
	if err := r.Plan(x, &p); err != nil {
		return "", err
	}
	d, err := p.Next(t.Context(), nil)
	if err != nil {
		p.Done(err)
		return "", err
	}
	p.Began(time.Now())
	p.Saw([]byte(part))
	p.Done(nil)
	return d.ID, nil
}

func secret(name string) string {
	return `[{"role":"user","content":"hi"},{"type":"reasoning","summary":[],"encrypted_content":"` + name + `"}]`
}

func TestEncryptedContent(t *testing.T) {
	t.Parallel()
	s := abc()
	s.States, s.Affinity.Encrypted = NewStates(), true
	for i, d := range s.Deployments {
		d.Base, d.APIKey = "http://v", fmt.Sprint("k", i)
	}
	peer := *s.Deployments[0]
	peer.ID, peer.Group = "peer", "other"
	s.Deployments = append(s.Deployments, &peer)
	r := build(t, s)
	for i := range 20 {
		name := fmt.Sprint("gAAAA", i)
		at, err := gives(t, r, response(t, `"hi"`), `{"output":[{"type":"reasoning","encrypted_content" : "`+name+`"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if got, err := gives(t, r, response(t, secret(name)), "{}"); got != at {
				t.Fatalf("made by %s, sent to %s: %v", at, got, err)
			}
		}
		if at != "a" {
			continue
		}
		// Another group has one with the same key. What has not does not get it.
		x := response(t, secret(name))
		x.Model = "other"
		if got, err := gives(t, r, x, ""); got != "peer" {
			t.Errorf("got %q %v", got, err)
		}
	}
	at, _ := gives(t, r, response(t, `"hi"`), `{"encrypted_content":"mine"}`)
	s.States.Cool(at, time.Now().Add(30*time.Second))
	_, err := gives(t, r, response(t, secret("mine")), "")
	if e := llm.AsError(err); e == nil || e.HTTPStatus() != 503 || e.RetryAfter < 29*time.Second {
		t.Errorf("got %v", err)
	}
	s.States.Cool(at, time.Time{})
	// A failure there is tried again there.
	ids, err := walk(t, r, response(t, secret("mine")), map[string]error{at: fails(llm.KindConnection)})
	if err == nil || strings.Trim(strings.Join(ids, ""), at) != "" || len(ids) < 2 {
		t.Errorf("called %v: %v", ids, err)
	}
	// Gone.
	s.States.pins.set(secretKey([]byte("lost")), "gone", time.Now().UnixNano(), time.Hour)
	if _, err := gives(t, r, response(t, secret("lost")), ""); llm.AsError(err).HTTPStatus() != 400 {
		t.Errorf("got %v", err)
	}
	// Chats, and what nobody knows, go anywhere.
	if _, err := gives(t, r, response(t, secret("unknown")), ""); err != nil {
		t.Error(err)
	}
	if _, err := gives(t, r, with(t, "g", `,"input":`+secret("lost")), ""); err != nil {
		t.Error(err)
	}
}

func FuzzSecrets(f *testing.F) {
	f.Add(`{"encrypted_content":"x"}`)
	f.Add(`"encrypted_content" : "x`)
	f.Add(`"encrypted_content""encrypted_content":""`)
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		eachSecret([]byte(text), func(secret []byte) bool {
			if n++; n > maxSecrets || len(secret) == 0 || !strings.Contains(text, string(secret)) {
				t.Errorf("%d: %q", n, secret)
			}
			return true
		})
	})
}
