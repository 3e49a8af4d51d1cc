package llm

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"
)

const formType = `multipart/form-data; boundary=B`

// form writes CR LF for each line end.
func form(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func TestForm(t *testing.T) {
	t.Parallel()
	f := func(raw string, want string) {
		t.Helper()
		var m Form
		got := ""
		if err := m.Parse([]byte(formType), form(raw)); err != nil {
			got = err.Error()
		}
		for _, p := range m.Parts() {
			got += p.Name
			if p.File {
				got += "(" + p.Filename + " " + string(p.Type) + ")"
			}
			got += "=" + string(m.Value(p)) + ";"
		}
		if got != want && (m.Raw() != nil || !strings.Contains(got, want)) {
			t.Errorf("%q:\ngot  %q\nwant %q", raw, got, want)
		}
	}
	const a = "--B\nContent-Disposition: form-data; name=\"a\"\n\n"
	f(a+"1\n--B--\n", "a=1;")
	f(a+"1\n--B--", "a=1;")
	f(a+"\n--B--\n", "a=;")
	f(a+"x\n--Bx\n--B--\n", "a=x\r\n--Bx;")
	f(a+"1\n--B \t\nContent-Disposition: form-data; name=b; filename=\"f.wav\"\nContent-Type: audio/wav\n\n\x00\xff\n--B--\n", "a=1;b(f.wav audio/wav)=\x00\xff;")
	f("--B\ncontent-disposition: form-data; name=\"a\"; filename=\"\"\n\n1\n--B--\n", "a( )=1;")
	f("--B\nContent-Disposition: form-data; name=\"a\\\"b\"\nContent-Transfer-Encoding: binary\n\n1\n--B--\n", "a\"b=1;")

	f("", "does not begin with its boundary")
	f("--B--\n", "has no parts")
	f("\n"+a+"1\n--B--\n", "does not begin with its boundary")
	f("hello\n"+a+"1\n--B--\n", "does not begin with its boundary")
	f(a+"1\n--B--\nmore", "something follows")
	f(a+"1\n--B", "ends in the middle of part 1")
	f(a+"1\n--B\n", "the header of part 2 has no end")
	f(a+"1", "ends in the middle of part 1")
	f(a+"1\n--B-", "ends in the middle")
	f("--Bx\n", "not followed by a line end")
	f("--B\nContent-Disposition: form-data; name=\"a\"\n", "no end within 16 KB")
	f("--B\nContent-Disposition: form-data\n\n1\n--B--\n", "no name")
	f("--B\nContent-Disposition: attachment; name=\"a\"\n\n1\n--B--\n", "not a valid form-data")
	f("--B\nContent-Disposition: form-data; name=a; name=b\n\n1\n--B--\n", "not a valid form-data")
	f("--B\nContent-Disposition: form-data; name=a\nContent-Disposition: form-data; name=b\n\n1\n--B--\n", "two Content-Disposition")
	f("--B\nContent-Type: text/plain\n\n1\n--B--\n", "no Content-Disposition")
	f("--B\nnonsense\n\n1\n--B--\n", "a line that is none")
	f("--B\nContent-Disposition: form-data; name=a\nContent-Transfer-Encoding: base64\n\n1\n--B--\n", "Content-Transfer-Encoding")
	f(strings.Repeat(a+"1\n", MaxFormParts)+"--B--\n", strings.Repeat("a=1;", MaxFormParts))
	f(strings.Repeat(a+"1\n", MaxFormParts+1)+"--B--\n", "more than 256 parts")
	f(a+strings.Repeat("x", MaxFormField+1)+"\n--B--\n", `the field "a" is longer than 4 MB`)
}

func TestFormBoundary(t *testing.T) {
	t.Parallel()
	f := func(contentType, want string) {
		t.Helper()
		var m Form
		err := m.Parse([]byte(contentType), form("--B\nContent-Disposition: form-data; name=a\n\n1\n--B--\n"))
		if got := ""; want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v %s", contentType, err, got)
		}
	}
	f(`multipart/form-data; boundary="B"`, "")
	f(`Multipart/Form-Data; charset=utf-8; boundary=B`, "")
	f(`multipart/form-data`, "names no boundary")
	f(`multipart/form-data; boundary=`, "valid multipart")
	f(`multipart/form-data; boundary=""`, "names no boundary")
	f(`multipart/mixed; boundary=B`, "not a valid multipart/form-data")
	f(`multipart/form-data; boundary=`+strings.Repeat("B", 71), "70 characters")
	if !IsForm([]byte("multipart/form-data;boundary=x")) || IsForm([]byte("multipart/form-dataset")) || IsForm([]byte("application/json")) {
		t.Error("IsForm")
	}
}

func TestFormField(t *testing.T) {
	t.Parallel()
	var m Form
	if err := m.Parse([]byte(formType), form("--B\nContent-Disposition: form-data; name=a\n\n1\n--B--\n")); err != nil {
		t.Fatal(err)
	}
	part, ok := m.Field("model", []byte("whisper-1"))
	if !ok {
		t.Fatal("no part")
	}
	raw := append(append([]byte{}, m.Raw()[:m.End()]...), part...)
	raw = append(raw, m.Raw()[m.End():]...)
	var n Form
	if err := n.Parse([]byte(formType), raw); err != nil || string(n.Get("model")) != "whisper-1" || string(n.Get("a")) != "1" {
		t.Fatalf("%q: %v", raw, err)
	}
	if _, ok := m.Field("x", []byte("\r\n--B\r\n")); ok {
		t.Error("a value with the delimiter was taken")
	}
	if _, ok := m.Field("x\"", nil); ok {
		t.Error("a name with a quote was taken")
	}
}

// FuzzForm compares with mime/multipart: what we accept it accepts, with the same parts.
func FuzzForm(f *testing.F) {
	f.Add(form("--B\nContent-Disposition: form-data; name=\"a\"\n\n1\n--B\nContent-Disposition: form-data; name=f; filename=x\nContent-Type: a/b\n\n\x00\n--B--\n"))
	f.Add(form("--B\nContent-Disposition: form-data; name=\"a\"\n\n--B\n\n--B--\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Form
		if m.Parse([]byte(formType), raw) != nil {
			return
		}
		r := multipart.NewReader(bytes.NewReader(raw), "B")
		for _, p := range m.Parts() {
			q, err := r.NextRawPart()
			if err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			b, err := io.ReadAll(q)
			if err != nil || q.FormName() != p.Name || !bytes.Equal(b, m.Value(p)) {
				t.Fatalf("%q: part %q is %q, want %q (%v)", raw, p.Name, m.Value(p), b, err)
			}
		}
		if _, err := r.NextRawPart(); err != io.EOF {
			t.Fatalf("%q: more parts: %v", raw, err)
		}
	})
}
