package tokens_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/price/tokens"
)

// The fixture holds requests with what the reference counts for them (token_counter of litellm 1.81.13).
func TestChatAsTheReference(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/chats.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var c tokens.Counter
	for line := range bytes.Lines(raw) {
		var model string
		var want int
		var body json.RawMessage
		if err := json.Unmarshal(line, &[]any{&model, &want, &body}); err != nil {
			t.Fatal(err)
		}
		if got, err := c.CountChat(model, body); err != nil || got != want {
			t.Errorf("%s %.150s: %d (%v), want %d", model, body, got, err, want)
		}
	}
}

func TestCountChat(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	f := func(body string, want int) {
		t.Helper()
		if got, err := c.CountChat("gpt-4o", []byte(body)); err != nil || got != want {
			t.Errorf("%s: %d %v, want %d", body, got, err, want)
		}
	}
	f(`{"prompt":"hello world"}`, 2)
	f(`{"input":["hello world","hello world"]}`, 4)
	f(`{"contents":[{"role":"user","parts":[{"text":"hello world"}]}]}`, 2)
	f(`{"messages":[]}`, 3)
	f(`{"system":"hello world","messages":[]}`, 8)
	f(`{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AAAA"}}]}]}`, 3+3+1+85)
	f(`{"messages":[{"role":"user","content":[{"type":"tool_use","name":"now","input":{}}]}]}`, 3+3+1+1+1)
	f(`{"messages":[{"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png","detail":"high"}]}]}`, 3+3+1+85+170)
	f(`{"messages":[{"content":[7,null,{"type":3}]}],"tools":7,"tool_choice":[]}`, 6)

	bad := func(body, want string) {
		t.Helper()
		if _, err := c.CountChat("gpt-4o", []byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	bad(`{}`, "missing")
	bad(`{"messages":"x"}`, "want a list")
	bad(`{"messages":["x"]}`, "messages[0]")
	bad(`{"messages":[{"a":1,"a":2}]}`, "messages[0]")
	bad(`{"messages":`, "")
}

// Nothing of a body makes the counter panic, and the count stays in proportion to it.
func FuzzCountChat(f *testing.F) {
	raw, err := os.ReadFile("testdata/chats.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		var body json.RawMessage
		if json.Unmarshal(line, &[]any{new(string), new(int), &body}) == nil {
			f.Add([]byte(body))
		}
	}
	f.Add([]byte(`{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/webp;base64,UklGRgAAAABXRUJQVlA4WAAAAAAAAAAAAAAAAAAAAAAAAAAA","detail":"high"}}]}]}`))
	f.Add([]byte(`{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/wAARCAAQACADASIAAhEBAxEB","detail":"high"}}]}]}`))
	c := &tokens.Counter{}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := c.CountChat("gpt-4o", body)
		// The most that a byte can bring is a tile of an image whose size is made up.
		if err == nil && (n < 0 || n > (len(body)+1)*1_000_000) {
			t.Fatalf("%d tokens of %d bytes", n, len(body))
		}
	})
}
