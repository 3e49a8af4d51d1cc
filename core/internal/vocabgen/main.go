// Command vocabgen writes the vocabularies of core/price/tokens from those that github.com/tiktoken-go/tokenizer holds as
// Go maps: the tokens in the order of their ranks, each after a byte with its length, deflated.
package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"os"

	"github.com/tiktoken-go/tokenizer/codec"
)

// decoder is what is needed of a codec.
type decoder interface {
	Decode(tokens []uint) (string, error)
}

func main() {
	for name, v := range map[string]struct {
		codec  decoder
		tokens uint
	}{"cl100k_base": {codec.NewCl100kBase(), 100_256}, "o200k_base": {codec.NewO200kBase(), 199_998}} {
		if err := write(name+".vocab", v.codec, v.tokens); err != nil {
			fmt.Fprintln(os.Stderr, "vocabgen:", name, err)
			os.Exit(1)
		}
	}
}

// write stores the tokens from rank 0 to n. Special tokens, which have ranks after that, are text to the gateway.
func write(path string, d decoder, n uint) error {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return err
	}
	for rank := range n {
		s, err := d.Decode([]uint{rank})
		if err != nil {
			return err
		}
		if len(s) == 0 || len(s) > 255 {
			return fmt.Errorf("rank %d has %d bytes", rank, len(s))
		}
		if _, err := w.Write(append([]byte{byte(len(s))}, s...)); err != nil {
			return err
		}
	}
	if s, err := d.Decode([]uint{n}); err == nil {
		return fmt.Errorf("there is another token, %q", s)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
