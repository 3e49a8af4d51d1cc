// Witness logs every text and media that it is shown and changes a word in all of them, to compare what a guardrail sees
// of one conversation in different dialects.
package main

import (
	_ "embed"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, func(*sallyport.Config) (sallyport.Hooks, error) {
	return sallyport.Hooks{Request: request, Response: response, Stream: stream}, nil
})

func main() {}

// saw logs one sighting: what it is, who says it and the text.
func saw(what, who, text string) { sallyport.Log(0, "saw<"+what+"|"+who+"|"+text+">") }

// changed has the word "plum" replaced.
func changed(text string) (string, bool) {
	return strings.ReplaceAll(text, "plum", "pear"), strings.Contains(text, "plum")
}

func request(r *sallyport.Request) sallyport.Verdict {
	for i := range r.Texts {
		t := &r.Texts[i]
		saw("text "+t.Kind, t.Role, t.Text)
		if s, ok := changed(t.Text); ok && !t.Sealed {
			t.Replace(s)
		}
	}
	for i := range r.Media {
		m := &r.Media[i]
		saw("media "+m.Type, m.Role, m.MIME+" "+m.URL)
	}
	return sallyport.Continue()
}

func response(r *sallyport.Response) sallyport.Verdict {
	for i := range r.Texts {
		t := &r.Texts[i]
		saw("answer "+t.Kind, "", t.Text)
		if s, ok := changed(t.Text); ok {
			t.Replace(s)
		}
	}
	return sallyport.Continue()
}

func stream(w *sallyport.Window) sallyport.Verdict {
	if w.Final {
		saw("end "+w.Kind, "", w.Text)
	}
	if s, ok := changed(w.Text); ok {
		w.Replace(s)
	}
	return sallyport.Continue()
}
