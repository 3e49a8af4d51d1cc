package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// statusRows is the number of rows of the settings document: every setting,
// variable, promise and system it names.
const statusRows = 435

// settingPath returns the path of the schema for a row, or "" for a row that
// is a promise, a system or a syntax and no setting.
func settingPath(section, name string) string {
	section, _, _ = strings.Cut(section, " (")
	switch section {
	case "config.yaml":
		if strings.HasPrefix(name, "os.environ/") {
			return ""
		}
		return name
	case "model_list":
		if name == "litellm_params.temperature" {
			return ""
		}
		return "model_list[]." + name
	case "litellm_settings", "router_settings", "general_settings", "callback_settings":
		return section + "." + name
	case "cache_params":
		return "litellm_settings.cache_params." + name
	case "environment variables":
		return name
	}
	return ""
}

// statusOf returns the status and test of a setting as STATUS.tsv has them.
func statusOf(s Setting) (status, test string) {
	switch s.Status {
	case InEffect, Deprecated:
		return "in effect", "config.TestInEffect/" + s.Path
	case NotNeeded:
		return "not needed here", "-"
	}
	return "planned", "-"
}

// TestStatus keeps STATUS.tsv complete and true to the schema. For rows that
// are no setting the file itself is the source: edit it there, and name a
// test for what is in effect. That the test exists is a rule of repocheck.
func TestStatus(t *testing.T) {
	raw, err := os.ReadFile("STATUS.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	if len(lines) != statusRows+1 {
		t.Fatalf("%d rows, want %d", len(lines)-1, statusRows)
	}
	known := map[string]Setting{}
	for _, s := range Settings() {
		if _, twice := known[s.Path]; twice {
			t.Errorf("%s is in the schema twice", s.Path)
		}
		known[s.Path] = s
	}
	seen := map[string]bool{}
	testName := regexp.MustCompile(`^[a-z-]+(?:/[a-z-]+)*\.(?:Test|Fuzz)[A-Za-z0-9]+(?:/.+)?$`)
	for i, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			t.Fatalf("line %d has %d columns, want 4", i+2, len(f))
		}
		if key := f[0] + "\t" + f[1]; seen[key] {
			t.Errorf("line %d: %s is there twice", i+2, f[1])
		} else {
			seen[key] = true
		}
		if path := settingPath(f[0], f[1]); path != "" {
			s, ok := known[path]
			if !ok {
				t.Errorf("line %d: %s is not in the schema", i+2, path)
				continue
			}
			status, test := statusOf(s)
			if f[2] == "in effect" && status == "in effect" && f[3] != "-" {
				test = f[3]
			}
			f[2], f[3] = status, test
		}
		switch {
		case f[2] == "in effect" && !testName.MatchString(f[3]):
			t.Errorf("line %d: %s is in effect without a test: %q", i+2, f[1], f[3])
		case f[2] != "in effect" && f[2] != "planned" && f[2] != "not needed here":
			t.Errorf("line %d: status %q", i+2, f[2])
		case f[2] != "in effect" && f[3] != "-":
			t.Errorf("line %d: a test for what is %s", i+2, f[2])
		}
		lines[i+1] = strings.Join(f, "\t")
	}
	golden(t, "STATUS.tsv", []byte(strings.Join(lines, "\n")+"\n"))
}

// TestSchemaIsWellFormed checks what every entry must have.
func TestSchemaIsWellFormed(t *testing.T) {
	t.Parallel()
	areas := map[string]bool{}
	for _, a := range strings.Fields("alert auth budget cache callback cli config docs health jwt keys limits listener log metrics plugin provider router secret spend sso store trace ui") {
		areas[a] = true
	}
	for _, s := range Settings() {
		f := func(ok bool, what string) {
			t.Helper()
			if !ok {
				t.Errorf("%s: %s", s.Path, what)
			}
		}
		f(s.Type != 0, "no type")
		f(areas[s.Area], "unknown area "+s.Area)
		f(strings.HasSuffix(s.Doc, ".") || strings.HasSuffix(s.Doc, "…"), "the description is no sentence")
		f(s.Status != NotNeeded && s.Status != Refused && s.Status != Deprecated || s.Note != "", "the status needs a note")
		f(!s.Variable || !strings.ContainsAny(s.Path, ".[]"), "a variable with a path")
		f(s.Hook == "" || s.Type&(TypeString|TypeStrings) != 0, "a hook needs text")
	}
}
