package admin_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
)

// TestReference goes through the management routes of the reference (LiteLLM 1.81.13): each is served here, or has a word
// on where it is served or why it is not.
func TestReference(t *testing.T) {
	t.Parallel()
	served := map[string]bool{}
	for _, route := range newDesk(t, admin.Policy{StoreModels: true}).api.Routes() {
		served[anyName(route)] = true
	}
	list, err := os.ReadFile("testdata/reference.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		route, why, elsewhere := strings.Cut(strings.TrimSpace(line), "#")
		method, path, ok := strings.Cut(strings.TrimSpace(route), " ")
		if !ok {
			t.Errorf("%q is no route", line)
			continue
		}
		switch is := served[anyName(method+" "+strings.TrimSpace(path))]; {
		case !is && !elsewhere:
			t.Errorf("%s is not served", route)
		case is && elsewhere:
			t.Errorf("%s is served, but the list says:%s", route, why)
		}
	}
}

// anyName writes a pattern without the names of its wildcards.
func anyName(route string) string {
	var b strings.Builder
	for route != "" {
		before, rest, ok := strings.Cut(route, "{")
		b.WriteString(before)
		if !ok {
			break
		}
		_, route, _ = strings.Cut(rest, "}")
		b.WriteString("{}")
	}
	return b.String()
}
