package config

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// FuzzParse checks that no bytes make the loader panic, that the same bytes
// give the same report, and that an error and a configuration exclude each
// other.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, c := range effectCases() {
		f.Add([]byte(c.yaml))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		o := Options{Dir: dir, Environ: []string{"MY_MASTER=sk-1", "OPENAI_API_KEY=abcdefgh"}}
		name := filepath.Join(dir, "c.yaml")
		cfg, rep, err := Parse(name, data, o)
		if (cfg == nil) == (err == nil) || (err != nil) != (rep.Count(Error) > 0) {
			t.Fatalf("config %v, error %v, %d mistakes", cfg != nil, err, rep.Count(Error))
		}
		var first, second bytes.Buffer
		if err := rep.WriteText(&first, false); err != nil {
			t.Fatal(err)
		}
		_, again, _ := Parse(name, data, o)
		if err := again.WriteText(&second, false); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("two reports of the same file differ:\n%s\n%s", &first, &second)
		}
		if err := rep.WriteJSON(io.Discard); err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(first.Bytes()) {
			t.Fatal("the report is not UTF-8")
		}
		if cfg != nil {
			cfg.Where("model_list[0].litellm_params.model")
			_ = cfg.LogLevel()
		}
	})
}

// FuzzDotEnv checks that no .env file makes the loader panic.
func FuzzDotEnv(f *testing.F) {
	f.Add([]byte("A=b\nexport C='d'\n#x\nE=${A}\n"))
	f.Add([]byte("A"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rep := &Report{}
		e := &Env{base: map[string]string{}, overlay: map[string]string{}}
		e.addDotEnv(".env", data, rep)
		for name := range e.overlay {
			if !validName(name) {
				t.Fatalf("name %q", name)
			}
		}
	})
}
