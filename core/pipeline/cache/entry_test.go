package cache

import (
	"bytes"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func someEntry() *entry {
	e := &entry{
		sum: [32]byte{1, 2, 3}, created: time.UnixMilli(1_700_000_000_123), fresh: time.UnixMilli(1_700_000_600_123), kind: kindStream,
		dialect: llm.DialectResponses, status: 200, saved: 0.25, finish: []byte("stop"), label: []byte("text/plain"), stream: true,
		usage: llm.Usage{Prompt: 10, Completion: 20, Total: 30, Cached: 5, Reasoning: 6, CacheWrite: 7, CacheWriteHour: 8, AudioPrompt: 9, AudioCompletion: 10, Images: 11, Characters: 12, Searches: 13, Seconds: 1.5},
	}
	e.parts = appendPart(nil, []byte("event"), []byte("{}"))
	e.parts = appendPart(e.parts, nil, bytes.Repeat([]byte("x"), 300))
	return e
}

func TestEntry(t *testing.T) {
	t.Parallel()
	want := someEntry()
	raw := want.append([]byte("before"))[len("before"):]
	var got entry
	if err := got.read(raw); err != nil {
		t.Fatal(err)
	}
	if got.sum != want.sum || !got.created.Equal(want.created) || !got.fresh.Equal(want.fresh) || got.kind != want.kind || got.dialect != want.dialect ||
		got.status != want.status || got.usage != want.usage || got.saved != want.saved || string(got.finish) != "stop" ||
		string(got.label) != "text/plain" || !got.stream || !bytes.Equal(got.parts, want.parts) {
		t.Errorf("read %+v, wrote %+v", got, *want)
	}
	event, data, rest, ok := nextPart(got.parts)
	if string(event) != "event" || string(data) != "{}" || !ok {
		t.Errorf("first part %q %q %v", event, data, ok)
	}
	if event, data, rest, ok = nextPart(rest); event != nil || len(data) != 300 || len(rest) != 0 || !ok {
		t.Errorf("second part %q, %d bytes, %d left, %v", event, len(data), len(rest), ok)
	}
}

// No byte of an entry can be changed, and none cut off, without that being seen; nor is one of another version read.
func TestEntrySpoilt(t *testing.T) {
	t.Parallel()
	raw := someEntry().append(nil)
	var e entry
	for i := range raw {
		for _, mask := range []byte{1, 0x80} {
			raw[i] ^= mask
			if e.read(raw) == nil {
				t.Errorf("byte %d was changed and nobody saw it", i)
			}
			raw[i] ^= mask
		}
		if e.read(raw[:i]) == nil {
			t.Errorf("all behind byte %d was cut off and nobody saw it", i)
		}
	}
	if e.read(append(raw, 0)) == nil {
		t.Error("a byte was added and nobody saw it")
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(someEntry().append(nil))
	f.Add([]byte("SPA\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e entry
		if e.read(raw) != nil {
			return
		}
		for parts := e.parts; len(parts) > 0; {
			_, _, rest, ok := nextPart(parts)
			if !ok || len(rest) >= len(parts) {
				t.Fatal("the parts do not end")
			}
			parts = rest
		}
		var again entry
		if err := again.read(e.append(nil)); err != nil || again.usage != e.usage || !bytes.Equal(again.parts, e.parts) {
			t.Errorf("an entry is another one when it is written again: %v", err)
		}
	})
}
