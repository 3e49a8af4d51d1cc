package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

func TestWriteProfile(t *testing.T) {
	t.Parallel()
	f := &fleet{dir: t.TempDir()}
	out := filepath.Join(t.TempDir(), "default.pgo")
	if err := f.writeProfile(out); err == nil || !strings.Contains(err.Error(), "no gateway ran") {
		t.Fatalf("without profiles: %v", err)
	}
	for i, name := range []string{"a", "b"} {
		writeSample(t, filepath.Join(f.dir, name), int64(i+1))
	}
	if err := f.writeProfile(out); err != nil {
		t.Fatal(err)
	}
	got, err := readProfile(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Sample) != 1 || got.Sample[0].Value[0] != 3 {
		t.Errorf("samples are not added up: %v", got.Sample)
	}
	if text := got.String(); strings.Contains(text, "/somewhere/") || got.TimeNanos != 0 {
		t.Errorf("a path or the hour of the machine is left:\n%s", text)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "a", profileName), []byte("cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.writeProfile(out); err == nil {
		t.Error("a broken profile was taken")
	}
}

// writeSample writes a profile with one place, which was seen count times.
func writeSample(t *testing.T, dir string, count int64) {
	t.Helper()
	function := &profile.Function{ID: 1, Name: "main.hot", SystemName: "main.hot", Filename: "main.go"}
	mapping := &profile.Mapping{ID: 1, Start: 0x1000, Limit: 0x2000, File: "/somewhere/sallyport", BuildID: "x"}
	place := &profile.Location{ID: 1, Mapping: mapping, Address: 0x1100, Line: []profile.Line{{Function: function, Line: 7}}}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}, TimeNanos: 1,
		Function: []*profile.Function{function}, Mapping: []*profile.Mapping{mapping}, Location: []*profile.Location{place},
		Sample: []*profile.Sample{{Location: []*profile.Location{place}, Value: []int64{count}}},
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, profileName))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := p.Write(file); err != nil {
		t.Fatal(err)
	}
}
