package main

import (
	"strings"
	"testing"
	"time"
)

// A short soak: every request has a right answer or a right error, and nothing is left behind. make soak runs for longer.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 20 s")
	}
	var out strings.Builder
	err := run(t.Context(), 20*time.Second, 32, &out)
	t.Log("\n" + out.String())
	if err != nil {
		t.Error(err)
	}
}
