package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/sallyport-ai/sallyport/core/provider"
)

// encoded is an image of two pixels in base64.
func encoded(t *testing.T, left, right color.NRGBA) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	m.SetNRGBA(0, 0, left)
	m.SetNRGBA(1, 0, right)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.AppendEncode(nil, b.Bytes())
}

// TestMask makes OpenAI's masks, which are transparent where something is to change, those of vendors that want them black
// and white.
func TestMask(t *testing.T) {
	t.Parallel()
	solid, open := color.NRGBA{R: 9, A: 255}, color.NRGBA{G: 9}
	gray := func(data []byte, white bool) (left, right uint8) {
		t.Helper()
		p := provider.Picture{Data: data}
		out, err := p.Mask(white)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(string(out))
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		l, _, _, _ := m.At(0, 0).RGBA()
		r, _, _, _ := m.At(1, 0).RGBA()
		return uint8(l >> 8), uint8(r >> 8)
	}
	if l, r := gray(encoded(t, solid, open), true); l != 0 || r != 255 {
		t.Errorf("to be changed in white: got %d, %d", l, r)
	}
	if l, r := gray(encoded(t, solid, open), false); l != 255 || r != 0 {
		t.Errorf("to be changed in black: got %d, %d", l, r)
	}

	same := func(data []byte) {
		t.Helper()
		p := provider.Picture{Data: data}
		if out, err := p.Mask(true); err != nil || !bytes.Equal(out, data) {
			t.Errorf("a mask that is not transparent becomes %s, %v", out, err)
		}
	}
	same(encoded(t, solid, solid))
	same([]byte(base64.StdEncoding.EncodeToString([]byte("GIF89a"))))

	bad := func(data []byte, want string) {
		t.Helper()
		p := provider.Picture{Data: data}
		if _, err := p.Mask(true); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	bad([]byte("?"), "is not in base64")
	whole, _ := base64.StdEncoding.DecodeString(string(encoded(t, solid, open)))
	bad(base64.StdEncoding.AppendEncode(nil, whole[:len(whole)-20]), "is not a whole PNG image")
	// A header that promises more pixels than there can be.
	binary.BigEndian.PutUint32(whole[16:], 1<<20)
	binary.BigEndian.PutUint32(whole[20:], 1<<20)
	binary.BigEndian.PutUint32(whole[29:], crc32.ChecksumIEEE(whole[12:29]))
	bad(base64.StdEncoding.AppendEncode(nil, whole), "has more than 32 million pixels")
}
