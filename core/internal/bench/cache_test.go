package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// Half of the prompts are like one that is there, and are found; the others are not.
func TestSearch(t *testing.T) {
	t.Parallel()
	for _, vectors := range []string{"words", "model"} {
		var out bytes.Buffer
		if err := search(&out, vectors, 300, 40); err != nil {
			t.Fatal(err)
		}
		var l lookups
		if err := json.Unmarshal(out.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Found != 20 || l.Count != 40 || l.Median <= 0 || l.P99 < l.Median || l.Longest < l.P99 {
			t.Errorf("vectors of %s: %+v", vectors, l)
		}
	}
	for _, args := range [][]string{nil, {"words"}, {"words", "0"}, {"words", "many"}} {
		if err := searchAll(&bytes.Buffer{}, args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestRedisCommands(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	count := func() int64 {
		t.Helper()
		n, err := redisCommands(server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	client := server.Client()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	before := count()
	for range 10 {
		if err := client.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n := count() - before; n != 11 { // the first count is one as well
		t.Errorf("%d commands, want 11", n)
	}
	guarded := storetest.Redis(t, "--requirepass", "x")
	if _, err := redisCommands(guarded.Addr()); err == nil {
		t.Error("a server that refuses: no error")
	}
}
