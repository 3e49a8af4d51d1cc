// Version tells which version it is, to see which one a reload leaves in use. A test makes another version of the module
// by putting another number in its text.
package main

import (
	_ "embed"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

// version is in the module once, as it is here.
const version = "this is version 1"

var _ = sallyport.Register(manifest, construct)

func main() {}

func construct(*sallyport.Config) (sallyport.Hooks, error) {
	return sallyport.Hooks{
		Request: func(r *sallyport.Request) sallyport.Verdict {
			if len(r.Texts) > 0 && r.Texts[0].Text == "which" {
				return sallyport.Respond(version)
			}
			return sallyport.Continue()
		},
		Stream: func(w *sallyport.Window) sallyport.Verdict {
			if strings.Contains(w.Text, "which") {
				w.Replace(strings.ReplaceAll(w.Text, "which", version))
			}
			return sallyport.Continue()
		},
	}, nil
}
