package rust_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/dump"
)

// TestNumbers compares the tags and hooks of the crate with those of package abi.
func TestNumbers(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("src/abi.rs")
	if err != nil {
		t.Fatal(err)
	}
	names, err := dump.TagNames()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 80 {
		t.Fatalf("found %d tags: the test would prove nothing", len(names))
	}
	for tag, name := range names {
		if line := fmt.Sprintf("pub const %s: u16 = %d;", strings.ToUpper(name), tag); !strings.Contains(string(source), line) {
			t.Errorf("src/abi.rs has no %q", line)
		}
	}
	for h := abi.HookConfigure; h.String() != ""; h++ {
		if !strings.Contains(string(source), fmt.Sprintf(" = %d,\n", h)) || !strings.Contains(string(source), fmt.Sprintf("=> %q", h)) {
			t.Errorf("src/abi.rs has no hook %d %s", h, h)
		}
	}
}
