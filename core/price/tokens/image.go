package tokens

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
)

// What an image costs: https://platform.openai.com/docs/guides/images-vision (calculating costs, GPT-4o). An image of low
// detail has the base price; one of high detail is scaled and cut to tiles, with a price each. Detail auto counts as low,
// and an image elsewhere, which is not fetched, as 300 by 300 pixels, both as in the reference.
const (
	baseTokens = 85
	tileTokens = 170
	tileSide   = 512
	shortSide  = 768
	longSide   = 2000
	unknown    = 300
	headBytes  = 64 << 10 // of an image, in which its size is looked for
)

// imageTokens counts the image of an image_url, which is an address or an object with url and detail.
func imageTokens(raw json.RawMessage, detail string) int {
	var o struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(raw, &o) != nil {
		_ = json.Unmarshal(raw, &o.URL) // without an address the size is not known
	}
	if o.Detail == "" {
		o.Detail = detail
	}
	if o.Detail != "high" {
		return baseTokens
	}
	w, h := imageSize(head(o.URL))
	return baseTokens + tileTokens*tiles(scaled(w, h))
}

// head returns the first bytes of an image in a data: address; nil if it is elsewhere.
func head(url string) []byte {
	before, data, ok := strings.Cut(url, ",")
	if !ok || !strings.HasPrefix(before, "data:") {
		return nil
	}
	data = data[:min(len(data), headBytes/4*4)]
	b, err := base64.StdEncoding.AppendDecode(nil, []byte(data[:len(data)/4*4]))
	if err != nil {
		return nil
	}
	return b
}

// scaled is the size to which an image is brought before it is cut: the shorter side to 768 pixels, the longer one to no
// more than 2000.
func scaled(w, h int) (int, int) {
	if w <= shortSide && h <= shortSide {
		return w, h
	}
	short, long := min(w, h), max(w, h)
	ratio := float64(long) / float64(max(short, 1))
	short, long = shortSide, int(shortSide*ratio)
	if long > longSide {
		short, long = int(longSide/ratio), longSide
	}
	if w <= h {
		return short, long
	}
	return long, short
}

func tiles(w, h int) int {
	return (w + tileSide - 1) / tileSide * ((h + tileSide - 1) / tileSide)
}

// imageSize finds the size in the first bytes of a PNG, GIF, JPEG or WebP image.
func imageSize(b []byte) (w, h int) {
	switch {
	case len(b) >= 24 && string(b[:8]) == "\x89PNG\r\n\x1a\n":
		return bounded(uint64(binary.BigEndian.Uint32(b[16:])), uint64(binary.BigEndian.Uint32(b[20:])))
	case len(b) >= 10 && string(b[:4]) == "GIF8":
		return bounded(uint64(binary.LittleEndian.Uint16(b[6:])), uint64(binary.LittleEndian.Uint16(b[8:])))
	case len(b) >= 4 && string(b[:3]) == "\xff\xd8\xff":
		return jpegSize(b)
	case len(b) >= 30 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return webpSize(b)
	}
	return unknown, unknown
}

// bounded keeps a size that somebody made up from overflowing.
func bounded(w, h uint64) (int, int) {
	const most = 1 << 20
	return int(min(max(w, 1), most)), int(min(max(h, 1), most))
}

// jpegSize walks the segments to the frame header (ITU-T T.81, B.2.2).
func jpegSize(b []byte) (w, h int) {
	for i := 2; i+9 <= len(b) && b[i] == 0xff; {
		marker := b[i+1]
		switch {
		case marker == 0xff:
			i++
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return bounded(uint64(binary.BigEndian.Uint16(b[i+7:])), uint64(binary.BigEndian.Uint16(b[i+5:])))
		default:
			i += 2 + int(binary.BigEndian.Uint16(b[i+2:]))
		}
	}
	return unknown, unknown
}

// webpSize reads the three forms of https://developers.google.com/speed/webp/docs/riff_container.
func webpSize(b []byte) (w, h int) {
	switch string(b[12:16]) {
	case "VP8X":
		three := func(at int) uint64 { return uint64(b[at]) | uint64(b[at+1])<<8 | uint64(b[at+2])<<16 }
		return bounded(three(24)+1, three(27)+1)
	case "VP8 ":
		return bounded(uint64(binary.LittleEndian.Uint16(b[26:])&0x3fff), uint64(binary.LittleEndian.Uint16(b[28:])&0x3fff))
	case "VP8L":
		bits := binary.LittleEndian.Uint32(b[21:])
		return bounded(uint64(bits&0x3fff)+1, uint64(bits>>14&0x3fff)+1)
	}
	return unknown, unknown
}
