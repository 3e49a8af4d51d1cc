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

	top := func(body string, want ...string) {
		t.Helper()
		var o llm.Object
		if err := o.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		list, err := AppendMedia(nil, &o)
		if d := cmp.Diff(want, shownMedia(list)); d != "" || err != nil {
			t.Errorf("%s: %v, -want +got\n%s", body, err, d)
		}
		if _, more, err := AppendContents(nil, &o); err != nil || more != (len(want) > 0) {
			t.Errorf("%s: something besides texts %v, %v", body, more, err)
		}
	}
	// https://docs.mistral.ai/api/endpoint/ocr, https://platform.openai.com/docs/api-reference/images/createEdit
	top(`{"model":"m","document":{"type":"document_url","document_url":"https://h/a.pdf","document_name":"a"}}`, "0  file  at document url https://h/a.pdf")
	top(`{"document":{"type":"image_url","image_url":"data:image/png;base64,QUJD"}}`, "0  image image/png at document 3 bytes b5d4")
	top(`{"document":{"type":"image_url","image_url":{"url":"https://h/a.png"}}}`, "0  image  at document url https://h/a.png")
	top(`{"document":{"type":"file","file_id":"f-1"}}`, "0  file  at document id f-1")
	top(`{"prompt":"p","images":[{"image_url":"https://h/a.png"},{"file_id":"f-1"}],"mask":{"image_url":"data:image/png;base64,QUJD"}}`,
		"0  image  at images.0 url https://h/a.png", "1  image  at images.1 id f-1", "0  image image/png at mask 3 bytes b5d4")
	top(`{"prompt":"p","image":["https://h/a.png","data:image/png;base64,QUJD"]}`, "0  image  at image.0 url https://h/a.png", "1  image image/png at image.1 3 bytes b5d4")
	top(`{"query":"q","documents":["d",{"image":"https://h/d.png"}]}`, "1  image  at documents.1 url https://h/d.png")
	top(`{"prompt":"p","size":"1x1","audio":{"voice":"alloy","format":"wav"}}`)

	answered := func(add func([]MediaPart, []byte) ([]MediaPart, error), answer string, want ...string) {
		t.Helper()
		list, err := add(nil, []byte(answer))
		if d := cmp.Diff(want, shownMedia(list)); d != "" || err != nil {
			t.Errorf("%s: %v, -want +got\n%s", answer, err, d)
		}
	}
	answered(AppendAnswerMedia, `{"created":1,"output_format":"webp","data":[{"b64_json":"QUJD","revised_prompt":"p"},{"url":"https://h/a"}]}`,
		"0  image image/webp at data.0.b64_json 3 bytes b5d4", "1  image  at data.1.url url https://h/a")
	answered(AppendAnswerMedia, `{"object":"list","data":[{"object":"embedding","embedding":[0.5]}]}`)
	answered(AppendChunkMedia, `{"choices":[{"index":1,"delta":{"role":"assistant","content":"x","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}}]}`,
		"1 assistant image image/png at choices.0.delta.images.0 3 bytes b5d4")
	answered(AppendChunkMedia, `{"choices":[{"index":0,"delta":{"audio":{"id":"a","data":"QUJD"}}}]}`, "0  audio  at choices.0.delta.audio id a 3 bytes b5d4")
	answered(AppendChunkMedia, `{"choices":[{"index":0,"delta":{"audio":{"id":"a","transcript":"t"}}}]}`)
	answered(AppendChunkMedia, `{"choices":[{"index":0,"delta":{"content":"x"}}]}`)
	answered(AppendChunkMedia, `{"type":"image_generation.partial_image","b64_json":"QUJD","output_format":"png","partial_image_index":0}`, "0  image image/png at b64_json 3 bytes b5d4")
	answered(AppendChunkMedia, `{"type":"speech.audio.delta","audio":"QUJD"}`, "0  audio  at audio 3 bytes b5d4")

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
		if list, err = AppendChunkMedia(list, b); err != nil {
			return
		}
		for i := range list {
			if size, ok := list[i].Size(); ok && size != len(list[i].Bytes(nil)) {
				t.Fatalf("%s: %d bytes, not %d", b, len(list[i].Bytes(nil)), size)
			}
		}
	})
}
