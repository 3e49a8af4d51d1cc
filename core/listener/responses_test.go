package listener

import (
	"strconv"
	"strings"
	"testing"
)

// Conversations belong to who made them, and the least used make room.
func TestConversations(t *testing.T) {
	t.Parallel()
	var c conversations
	put := func(id, owner string, size int) {
		c.put(&conversation{id: id, owner: owner, response: []byte(strings.Repeat("x", size))})
	}
	put("a", "me", 10)
	put("b", "me", 10)
	if c.get("a", "me") == nil || c.get("a", "you") != nil || c.get("x", "me") != nil {
		t.Fatal("get")
	}
	if c.remove("a", "you") || !c.remove("a", "me") || c.get("a", "me") != nil {
		t.Fatal("remove")
	}
	put("huge", "me", maxKeptOne)
	if c.get("huge", "me") != nil {
		t.Fatal("a huge one was kept")
	}
	put("b", "me", 20)
	if len(c.byID) != 1 || c.size != c.byID["b"].size() {
		t.Fatalf("%d of %d bytes", len(c.byID), c.size)
	}
	n := maxKept/(1<<20) + 5
	for i := range n {
		put(strconv.Itoa(i), "me", 1<<20)
		if c.get("0", "me") == nil { // used again and again
			t.Fatal("the one in use is gone")
		}
	}
	if c.get("1", "me") != nil || c.get("b", "me") != nil || c.get(strconv.Itoa(n-1), "me") == nil || c.size > maxKept {
		t.Fatalf("%d conversations of %d bytes", len(c.byID), c.size)
	}
	sum, count := 0, 0
	for e := c.first; e != nil; e = e.older {
		sum += e.size()
		count++
	}
	if sum != c.size || count != len(c.byID) {
		t.Fatalf("the list holds %d of %d bytes, the map %d of %d", count, sum, len(c.byID), c.size)
	}
}

func TestEscapeSegment(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"resp_a-1.b": "resp_a-1.b", "../x": "%2E.%2Fx", "a?b#c": "a%3Fb%23c", "é": "%C3%A9"} {
		if got := escapeSegment(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
