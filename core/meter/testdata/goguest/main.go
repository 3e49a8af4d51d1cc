//go:build wasip1

// A guest for the tests of package meter, built with
// GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared.
package main

import (
	"encoding/json"
	"hash/crc32"
	"sort"
	"strings"
)

func main() {}

type record struct {
	Name string            `json:"name"`
	Tags []string          `json:"tags"`
	More map[string]record `json:"more,omitempty"`
}

// work decodes, sorts, searches and encodes, and returns a checksum.
//
//go:wasmexport work
func work(n int32) int64 {
	r := record{Name: "root", More: map[string]record{}}
	for i := range n {
		name := strings.Repeat(string(rune('a'+i%26)), int(i%17)+1)
		r.Tags = append(r.Tags, name)
		r.More[name] = record{Name: strings.ToUpper(name), Tags: []string{name, "x"}}
	}
	sort.Strings(r.Tags)
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	var back record
	if err := json.Unmarshal(b, &back); err != nil {
		panic(err)
	}
	again, err := json.Marshal(back)
	if err != nil {
		panic(err)
	}
	return int64(crc32.ChecksumIEEE(again))<<16 + int64(strings.Count(string(again), "a"))
}

// route sends n values through goroutines: the guest's scheduler unwinds and
// resumes its stacks.
//
//go:wasmexport route
func route(n int32) int64 {
	in, out := make(chan int64), make(chan int64)
	go func() {
		defer close(out)
		for v := range in {
			out <- v * v
		}
	}()
	go func() {
		defer close(in)
		for i := range n {
			in <- int64(i)
		}
	}()
	var sum int64
	for v := range out {
		sum += v
	}
	return sum
}

// deep recurses n times.
//
//go:wasmexport deep
func deep(n int32) int64 {
	if n <= 0 {
		return 0
	}
	return deep(n-1)*31 + int64(n)
}

var sink int64

// spin never returns.
//
//go:wasmexport spin
func spin(n int32) int64 {
	for {
		sink += int64(n)
	}
}
