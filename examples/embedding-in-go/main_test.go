package main

import (
	"bytes"
	"testing"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = "demo said: A guarded passage between two gates.\nA guarded passage between two gates.\na vector of 3 numbers\n"
	if out.String() != want {
		t.Errorf("it printed\n%s\nwant\n%s", &out, want)
	}
}
