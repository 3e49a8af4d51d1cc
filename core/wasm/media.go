package wasm

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// appendMedia appends what is no text: what it is and where, but not its bytes.
func appendMedia(dst []byte, list []openai.MediaPart) []byte {
	for i := range list {
		m := &list[i]
		var mark int
		dst, mark = abi.Open(dst, abi.TagMedia)
		dst = abi.AppendNumber(dst, abi.TagIndex, uint64(m.Message))
		dst = appendText(dst, abi.TagMessage, m.Role)
		dst = appendText(dst, abi.TagMediaType, m.Type)
		dst = appendText(dst, abi.TagMIME, m.MIME)
		if size, ok := m.Size(); ok {
			dst = abi.AppendNumber(dst, abi.TagSize, uint64(size))
		}
		dst = appendText(dst, abi.TagAt, m.Path)
		dst = appendText(dst, abi.TagFormField, m.Field)
		dst = appendText(dst, abi.TagURL, m.URL)
		dst = appendText(dst, abi.TagCallID, m.ID)
		dst = abi.Close(appendText(dst, abi.TagKey, m.Name), mark)
	}
	return dst
}

// requestMedia lists what is no text in a request.
func requestMedia(x *llm.Exchange) (list []openai.MediaPart, err error) {
	list = []openai.MediaPart{}
	var whole llm.Object
	if x.Whole == nil {
		list, err = openai.AppendMedia(list, &x.Body)
	} else if whole.Parse(x.Whole) == nil {
		list, err = openai.AppendMedia(list, &whole)
		for i := range list {
			list[i].Path = "" // of a body that the plugin is not shown
		}
	}
	if err != nil {
		return nil, err
	}
	return openai.AppendFormMedia(list, &x.Form)
}

// lookupMedia is lookup for the bytes of a media in the view, or for their sum.
func (in *instance) lookupMedia(field uint32, key string) ([]byte, int32) {
	if in.media == nil {
		return nil, abi.ErrForbidden
	}
	i, err := strconv.Atoi(key)
	if err != nil {
		return nil, abi.ErrArgument
	}
	if i < 0 || i >= len(in.media) {
		return nil, abi.ErrNotFound
	}
	m := &in.media[i]
	if _, ok := m.Size(); !ok {
		return nil, abi.ErrNotFound
	}
	in.scratch = m.Bytes(in.scratch[:0])
	if field == abi.FieldMediaSum {
		sum := sha256.Sum256(in.scratch)
		in.scratch = hex.AppendEncode(in.scratch[:0], sum[:])
	}
	return in.scratch, 0
}
