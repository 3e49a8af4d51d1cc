package main

import "github.com/sallyport-ai/sallyport/sdk/go/scan"

// word looks at the word around a place, if it was not looked at before: is it a key or a token?
func (f *finder) word(s string, at int) {
	if at < f.words {
		return
	}
	k, start, end, next := scan.Credential(s, at, f.words)
	if f.words = next; k != scan.None {
		f.add(key, start, end)
		f.done = max(f.done, end)
	}
}
