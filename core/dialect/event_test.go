package dialect

import "testing"

func TestAppendEvent(t *testing.T) {
	t.Parallel()
	f := func(name, data, want string) {
		t.Helper()
		var event []byte
		if name != "" {
			event = []byte(name)
		}
		if got := AppendEvent([]byte("x"), event, []byte(data)); string(got) != want {
			t.Errorf("%q %q: %q", name, data, got)
		}
	}
	f("ping", `{}`, "xevent: ping\ndata: {}\n\n")
	f("", `{}`, "xdata: {}\n\n")
	f("", "{\n}", "xdata: {\ndata: }\n\n")
	f("", "", "xdata: \n\n")
}

func TestBeginEvent(t *testing.T) { // not parallel: it counts allocations
	b := BeginEvent([]byte("x"), "ping")
	b.Key("n").Int(1)
	const want = "xevent: ping\ndata: {\"type\":\"ping\",\"n\":1}\n\n"
	if got := EndEvent(&b); string(got) != want {
		t.Errorf("%q", got)
	}
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		b := BeginEvent(dst[:0], "ping")
		b.Key("n").Int(1)
		EndEvent(&b)
	}); n != 0 {
		t.Errorf("an event costs %v allocations", n)
	}
}
