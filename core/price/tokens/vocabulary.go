package tokens

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha1"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

//go:embed cl100k_base.vocab
var cl100k []byte

//go:embed o200k_base.vocab
var o200k []byte

// vocabulary finds the rank of a token. A Go map of 200,000 strings would take three times the memory.
type vocabulary struct {
	text  []byte   // all tokens, in the order of their ranks
	start []uint32 // where each begins; one more than there are tokens
	slots []uint32 // open addressing by hash: rank + 1, or 0
	seed  maphash.Seed
	most  int // length of the longest token
}

// none is the rank of what is no token.
const none = math.MaxUint32

// rank returns the rank of a token, or none.
func (v *vocabulary) rank(s string) uint32 {
	if len(s) > v.most {
		return none
	}
	mask := uint64(len(v.slots) - 1)
	for i := maphash.String(v.seed, s) & mask; ; i = (i + 1) & mask {
		n := v.slots[i]
		if n == 0 {
			return none
		}
		if string(v.text[v.start[n-1]:v.start[n]]) == s {
			return n - 1
		}
	}
}

// index fills the slots. Room for twice as many tokens keeps chains short.
func (v *vocabulary) index() {
	n := len(v.start) - 1
	size := 1
	for size < 2*n {
		size *= 2
	}
	v.slots, v.seed = make([]uint32, size), maphash.MakeSeed()
	mask := uint64(size - 1)
	for rank := range n {
		token := v.text[v.start[rank]:v.start[rank+1]]
		v.most = max(v.most, len(token))
		i := maphash.Bytes(v.seed, token) & mask
		for v.slots[i] != 0 {
			i = (i + 1) & mask
		}
		v.slots[i] = uint32(rank + 1)
	}
}

// builtin unpacks a vocabulary that the program carries; see vocabgen for the format.
func builtin(e Encoding) *vocabulary {
	packed, tokens, size := cl100k, 100_256, 700<<10
	if e == O200K {
		packed, tokens, size = o200k, 199_998, 1500<<10
	}
	v := &vocabulary{start: make([]uint32, 1, tokens+1), text: make([]byte, 0, size)}
	r := bufio.NewReader(flate.NewReader(bytes.NewReader(packed)))
	for {
		n, err := r.ReadByte()
		if err != nil {
			break // the end; a test reads the files to it
		}
		at := len(v.text)
		v.text = slices.Grow(v.text, int(n))[:at+int(n)]
		if _, err := io.ReadFull(r, v.text[at:]); err != nil {
			break
		}
		v.start = append(v.start, uint32(len(v.text)))
	}
	v.index()
	return v
}

// Limits of a vocabulary that somebody brings.
const (
	maxVocabulary = 64 << 20 // bytes of a file
	maxTokens     = 4 << 20
)

// fileNames are the names that a vocabulary may have in a directory: tiktoken's cache names a file by the SHA-1 of its
// address (https://github.com/openai/tiktoken/blob/main/tiktoken/load.py, read_file_cached).
func fileNames(e Encoding) []string {
	sum := sha1.Sum([]byte("https://openaipublic.blob.core.windows.net/encodings/" + e.String() + ".tiktoken"))
	return []string{hex.EncodeToString(sum[:]), e.String() + ".tiktoken"}
}

// readDir reads a vocabulary from a directory. It returns nil if it is not there.
func readDir(dir string, e Encoding) (*vocabulary, error) {
	for _, name := range fileNames(e) {
		path := filepath.Join(dir, name)
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(io.LimitReader(f, maxVocabulary+1))
		f.Close()
		if err != nil {
			return nil, err
		}
		v, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s is no vocabulary of tiktoken: %w", path, err)
		}
		return v, nil
	}
	return nil, nil
}

// parse reads tiktoken's format: a line for each token with its bytes in base64 and its rank. Ranks go from 0 without a
// gap, and every single byte is a token.
func parse(raw []byte) (*vocabulary, error) {
	if len(raw) > maxVocabulary {
		return nil, fmt.Errorf("it is longer than %d bytes", maxVocabulary)
	}
	var tokens [][]byte
	n := 0
	for line := range bytes.Lines(raw) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		n++
		word, number, ok := bytes.Cut(line, []byte(" "))
		rank, err := strconv.ParseUint(string(number), 10, 32)
		if !ok || err != nil || rank >= maxTokens {
			return nil, fmt.Errorf("line %d: want a token in base64, a space and its rank", n)
		}
		token, err := base64.StdEncoding.AppendDecode(nil, word)
		if err != nil || len(token) == 0 {
			return nil, fmt.Errorf("line %d: the token is not base64", n)
		}
		for uint64(len(tokens)) <= rank {
			tokens = append(tokens, nil)
		}
		if tokens[rank] != nil {
			return nil, fmt.Errorf("line %d: rank %d is there twice", n, rank)
		}
		tokens[rank] = token
	}
	v := &vocabulary{start: make([]uint32, 1, len(tokens)+1)}
	for rank, token := range tokens {
		if token == nil {
			return nil, fmt.Errorf("there is no token of rank %d", rank)
		}
		v.text = append(v.text, token...)
		v.start = append(v.start, uint32(len(v.text)))
	}
	v.index()
	for b := range 256 {
		if v.rank(string([]byte{byte(b)})) == none {
			return nil, fmt.Errorf("the byte %#x is no token", b)
		}
	}
	return v, nil
}
