package openai

import "testing"

func TestModelID(t *testing.T) {
	t.Parallel()
	// The examples of the reference's own documentation.
	f := func(id, model, want string) {
		t.Helper()
		got := ModelID(id, model)
		back, group, ok := SplitModelID(got)
		if got != want || back != id || group != model || !ok {
			t.Errorf("%s at %s: %s, want %s; back %s %s %v", id, model, got, want, back, group, ok)
		}
	}
	f("file-abc123", "gpt-4o-test", "file-bGl0ZWxsbTpmaWxlLWFiYzEyMzttb2RlbCxncHQtNG8tdGVzdA")
	f("batch_abc123", "gpt-4o-test", "batch_bGl0ZWxsbTpiYXRjaF9hYmMxMjM7bW9kZWwsZ3B0LTRvLXRlc3Q")
	for _, other := range []string{"", "file-abc123", "batch_1", "file-bGl0ZWxsbTo", "file-bGl0ZWxsbTouLi94O21vZGVsLG0", "file-!"} {
		if id, model, ok := SplitModelID(other); ok {
			t.Errorf("%s is %s at %s", other, id, model)
		}
	}
	g := func(answer, want string) {
		t.Helper()
		if got := string(WithModelIDs([]byte(answer), "m")); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	a, b := ModelID("file-a", "m"), ModelID("batch_b", "m")
	g(`{"id":"batch_b","input_file_id":"file-a","output_file_id":null,"n":1}`, `{"id":"`+b+`","input_file_id":"`+a+`","output_file_id":null,"n":1}`)
	g(`{"object":"list", "data":[{"id":"file-a"},{"x":{"id":"no"}}],"first_id":"file-a"}`, `{"object":"list", "data":[{"id":"`+a+`"},{"x":{"id":"no"}}],"first_id":"`+a+`"}`)
	g(`{"n":1}`, `{"n":1}`)
	g(`no JSON`, `no JSON`)
}

func FuzzModelIDs(f *testing.F) {
	f.Add([]byte(`{"id":"a","data":[{"id":"b"}]}`), "file-bGl0ZWxsbTpmaWxlLWFiYzEyMzttb2RlbCxncHQtNG8tdGVzdA")
	f.Fuzz(func(t *testing.T, answer []byte, id string) {
		WithModelIDs(answer, "m")
		if vendor, model, ok := SplitModelID(id); ok {
			if back, group, again := SplitModelID(ModelID(vendor, model)); !again || back != vendor || group != model {
				t.Fatalf("%q: %q %q", id, vendor, model)
			}
		}
	})
}
