//go:build !wasip1

package sallyport

import "github.com/sallyport-ai/sallyport/sdk/abi"

// With gives an answer or a failure made by a test what the gateway would answer.
func (e *Exchange) With(m More) { e.more = m }

// WithParams gives a request made by a test what Params and RequestMetadata return. Values are what decoding JSON gives.
func (e *Extras) WithParams(params, requestMetadata map[string]any) {
	e.params, e.requestMetadata = encoded(params), encoded(requestMetadata)
}

func encoded(m map[string]any) []byte {
	if m == nil {
		return nil
	}
	b, err := abi.AppendMap(nil, abi.TagMap, m)
	if err != nil {
		panic("sallyport: " + err.Error())
	}
	return b[abi.HeaderSize:]
}

// Edited returns what a hook put in place of a text with Replace, for tests.
func (t *Text) Edited() (string, bool) { return t.Text, t.edited }

// Edited returns what a hook put in place of a text with Replace, for tests.
func (a *Answer) Edited() (string, bool) { return a.Text, a.edited }

// Edited returns what a hook put in place of a window's text with Replace, for tests.
func (w *Window) Edited() (string, bool) { return w.Text, w.edited }
