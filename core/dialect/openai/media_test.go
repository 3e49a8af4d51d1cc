package openai

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func shownMedia(list []MediaPart) (got []string) {
	for i := range list {
		m := &list[i]
		s := fmt.Sprintf("%d %s %s %s at %s", m.Message, m.Role, m.Type, m.MIME, m.Path)
		if m.URL != "" {
			s += " url " + m.URL
		}
		if m.ID != "" {
			s += " id " + m.ID
		}
		if m.Name != "" {
			s += " name " + m.Name
		}
		if size, ok := m.Size(); ok {
			sum := sha256.Sum256(m.Bytes(nil))
			s += fmt.Sprintf(" %d bytes %x", size, sum[:2])
		}
		got = append(got, s)
	}
	return got
}

func TestMedia(t *testing.T) {
	t.Parallel()
	f := func(content string, want ...string) {
		t.Helper()
		var o llm.Object
		if err := o.Parse([]byte(`{"messages":[{"role":"system","content":"s"},{"role":"user","content":` + content + `}]}`)); err != nil {
			t.Fatal(err)
		}
		list, err := AppendMedia(nil, &o)
		if d := cmp.Diff(want, shownMedia(list)); d != "" || err != nil {
			t.Errorf("%s: %v, -want +got\n%s", content, err, d)
		}
	}
	f(`"text"`)
	f(`[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://h/a.png","detail":"low"}}]`,
		"1 user image  at messages.1.content.1 url https://h/a.png")
	f(`[{"type":"image_url","image_url":"https:\/\/h/a"}]`, "1 user image  at messages.1.content.0 url https://h/a")
	f(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]`, "1 user image image/png at messages.1.content.0 3 bytes b5d4")
	f(`[{"type":"image_url","image_url":{"url":"DATA:IMAGE/PNG;base64,QUJD\/w=="}}]`, "1 user image image/png at messages.1.content.0 4 bytes fcf9")
	f(`[{"type":"input_audio","input_audio":{"data":"QUJD","format":"mp3"}}]`, "1 user audio audio/mpeg at messages.1.content.0 3 bytes b5d4")
	f(`[{"type":"file","file":{"file_data":"data:application/pdf;base64,QUJD","filename":"a.pdf"}}]`,
		"1 user file application/pdf at messages.1.content.0 name a.pdf 3 bytes b5d4")
	f(`[{"type":"file","file":{"file_id":"file-1","format":"image/*"}}]`, "1 user image image/* at messages.1.content.0 id file-1")
	f(`[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"QUJD"}}]`, "1 user image image/jpeg at messages.1.content.0 3 bytes b5d4")
	f(`[{"type":"document","source":{"type":"url","url":"https://h/a.pdf"}}]`, "1 user file  at messages.1.content.0 url https://h/a.pdf")
	f(`[{"type":"document","source":{"type":"text","data":"words"}}]`)
	f(`[{"type":"tool_result","content":[{"type":"image_url","image_url":{"url":"https://h/b"}}]}]`, "1 user image  at messages.1.content.0.content.0 url https://h/b")
	// The type that a part claims changes nothing, and one that nobody knows is shown.
	f(`[{"type":"text","text":"a","image_url":{"url":"https://h/c"}}]`, "1 user image  at messages.1.content.0 url https://h/c")
	f(`[{"type":"hologram","waves":"x"}]`, "1 user hologram  at messages.1.content.0")
	f(`[{"type":"tool_use","input":{}}]`)
	f(`[{"type":"input_audio","input_audio":{"data":"not base64!"}}]`, "1 user audio  at messages.1.content.0 11 bytes f17f")

	list, err := AppendAnswerMedia(nil, []byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":null,"audio":{"id":"a1","data":"QUJD","transcript":"t"},"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}}]}`))
	want := []string{
		"0 assistant audio  at choices.0.message.audio id a1 3 bytes b5d4",
		"0 assistant image image/png at choices.0.message.images.0 3 bytes b5d4",
	}
	if d := cmp.Diff(want, shownMedia(list)); d != "" || err != nil {
		t.Errorf("%v, -want +got\n%s", err, d)
	}
}

// FuzzMedia looks for media in foreign bytes.
func FuzzMedia(f *testing.F) {
	f.Add([]byte(`{"messages":[{"content":[{"image_url":{"url":"data:a;base64,QUJD"}},{"type":"x","source":{"data":"\u0041"}}]}]}`))
	f.Add([]byte(`{"input":{"image":"data:"},"prompt":[[{"audio":""}]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var o llm.Object
		if o.Parse(b) != nil {
			return
		}
		list, err := AppendMedia(nil, &o)
		if err != nil {
			return
		}
		if _, more, err := AppendContents(nil, &o); len(list) > 0 && !more && err == nil {
			t.Fatalf("%s: media are overlooked", b)
		}
		if list, err = AppendAnswerMedia(list, b); err != nil {
			return
		}
		for i := range list {
			if size, ok := list[i].Size(); ok && size != len(list[i].Bytes(nil)) {
				t.Fatalf("%s: %d bytes, not %d", b, len(list[i].Bytes(nil)), size)
			}
		}
	})
}
