package wasm

import "strings"

// trouble makes one log line of what a runtime writes to standard error when a guest breaks down. The message of a panic
// may quote a prompt or a key, so nothing that the guest wrote is passed on: only the kind of breakdown, if it is one of
// a fixed list, and the places in the code. Other lines are dropped, and the plugin's log says so once.
type trouble struct {
	kind   string   // of the panic that lines are about; empty in between
	places []string // file:line, innermost first
	trace  bool     // the lines that follow are frames
}

const maxPlaces = 8

// line takes one line and reports whether it was about a breakdown.
func (t *trouble) line(b string) bool {
	switch {
	case t.kind == "":
		t.kind = kindOf(b)
		return t.kind != ""
	case strings.HasPrefix(b, "goroutine "):
		t.trace = true
	case t.trace && len(t.places) < maxPlaces:
		if at := placeOf(b); at != "" {
			t.places = append(t.places, at)
		}
	}
	return true
}

// placeOf is the file and line in a line of a stack, which is a tab, a path, a line number and often an offset; or "" if
// it is none, or a place in the runtime itself.
func placeOf(line string) string {
	path, ok := strings.CutPrefix(line, "\t")
	if !ok || strings.Contains(path, "runtime/") {
		return ""
	}
	path, _, _ = strings.Cut(path, " +0x")
	path = path[strings.LastIndexByte(path, '/')+1:]
	file, number, ok := strings.Cut(path, ":")
	name, isGo := strings.CutSuffix(file, ".go")
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-."
	if !ok || !isGo || len(path) > 80 || strings.Trim(number, digits) != "" || strings.Trim(name, digits+letters) != "" {
		return ""
	}
	return path
}

// kindOf names the kind of breakdown that begins with a line, in words that are all written here, or "" if none does.
func kindOf(line string) string {
	for _, begin := range []string{"panic: ", "fatal error: ", "runtime: "} {
		rest, ok := strings.CutPrefix(line, begin)
		if !ok {
			continue
		}
		rest = strings.TrimPrefix(rest, "runtime error: ")
		for _, kind := range runtimeKinds() {
			if strings.HasPrefix(rest, kind) {
				return kind
			}
		}
		return strings.TrimSuffix(begin, ": ")
	}
	if strings.HasPrefix(line, "thread '") && strings.Contains(line, "panicked at") { // Rust without this SDK
		return "panic"
	}
	return ""
}

// runtimeKinds are how messages of Go's own runtime begin, up to where values follow
// (https://github.com/golang/go/blob/master/src/runtime/error.go).
func runtimeKinds() []string {
	return []string{
		"index out of range", "slice bounds out of range", "invalid memory address or nil pointer dereference",
		"integer divide by zero", "integer overflow", "negative shift amount", "hash of unhashable type",
		"comparing uncomparable type", "makeslice: len out of range", "makeslice: cap out of range",
		"makechan: size out of range", "cannot convert slice", "interface conversion", "assignment to entry in nil map",
		"close of closed channel", "close of nil channel", "send on closed channel", "all goroutines are asleep",
		"concurrent map", "out of memory", "cannot allocate memory", "stack overflow", "goroutine stack exceeds",
	}
}

// report logs the breakdown that the lines so far were about, and forgets it.
func (t *trouble) report(p *Plugin) {
	if t.kind == "" {
		return
	}
	kind, at := t.kind, strings.Join(t.places, ", ")
	*t = trouble{}
	if ok, _ := p.lines.allow(p.now()); !ok {
		return
	}
	p.log.Warn("the plugin broke down; what it said is not logged, since it may hold a prompt", "kind", kind, "at", at)
}
