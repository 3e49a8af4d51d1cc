// Package main is a guest whose hooks do nothing, for measurements.
package main

import (
	_ "embed"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

// New makes hooks that let everything pass.
func New(*sallyport.Config) (sallyport.Hooks, error) {
	return sallyport.Hooks{
		Request: func(*sallyport.Request) sallyport.Verdict { return sallyport.Continue() },
		Stream:  func(*sallyport.Window) sallyport.Verdict { return sallyport.Continue() },
	}, nil
}
