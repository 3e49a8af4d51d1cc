package provider

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// transcriptFormat is the response_format that a transcription was asked for: the caller's, or the deployment's.
func (t *Turn) transcriptFormat() string {
	if v, ok := llm.Text(t.Exchange.Body.Get("response_format")); ok {
		return string(v)
	}
	for _, p := range t.Site.Deployment.Defaults {
		if v, ok := llm.Text([]byte(p.Value)); ok && p.Name == "response_format" {
			return string(v)
		}
	}
	return ""
}

// How subtitles are cut: by length, by pauses and at the ends of sentences, as is common
// (https://www.w3.org/TR/webvtt1/ leaves it to the author).
const (
	cueLetters = 84 // two lines
	cueSeconds = 7
	cuePause   = 1
)

// cue is one subtitle.
type cue struct {
	from, to float64
	text     string
}

// cues cuts a transcript into subtitles. Without words there is one, for all of the text.
func (s *Transcript) cues() (out []cue) {
	for i := range s.Words {
		w := &s.Words[i]
		text, _ := llm.Text(w.Text)
		from, to := openai.Float(w.Start), openai.Float(w.End)
		if n := len(out); n > 0 {
			c := &out[n-1]
			if from-c.to < cuePause && to-c.from <= cueSeconds && utf8.RuneCountInString(c.text)+len(text) < cueLetters && !ends(c.text) {
				c.text, c.to = c.text+" "+string(text), max(to, c.to)
				continue
			}
		}
		out = append(out, cue{from, max(to, from), string(text)})
	}
	if text, _ := llm.Text(s.Text); len(out) == 0 && len(text) > 0 {
		out = append(out, cue{0, openai.Float(s.Seconds), string(text)})
	}
	return out
}

// ends reports whether a text ends a sentence.
func ends(text string) bool {
	last, _ := utf8.DecodeLastRuneInString(text)
	return strings.ContainsRune(".?!。？！", last)
}

// subtitles writes SubRip, or WebVTT (https://www.w3.org/TR/webvtt1/#file-structure).
func (s *Transcript) subtitles(dst []byte, vtt bool) []byte {
	if vtt {
		dst = append(dst, "WEBVTT\n\n"...)
	}
	for i, c := range s.cues() {
		if !vtt {
			dst = append(strconv.AppendInt(dst, int64(i+1), 10), '\n')
		}
		dst = append(clock(dst, c.from, vtt), " --> "...)
		dst = append(clock(dst, c.to, vtt), '\n')
		// A line with an arrow would begin another cue, and an empty one ends it.
		text := strings.ReplaceAll(strings.Join(strings.Fields(c.text), " "), "-->", "->")
		if vtt {
			text = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)
		}
		dst = append(append(dst, text...), "\n\n"...)
	}
	return dst
}

// clock writes a time as 00:00:00,000, or with a point for WebVTT.
func clock(dst []byte, seconds float64, vtt bool) []byte {
	ms := int64(min(max(seconds, 0), 359999)*1000 + 0.5)
	two := func(n int64) { dst = append(dst, byte('0'+n/10%10), byte('0'+n%10)) }
	two(ms / 3600000)
	dst = append(dst, ':')
	two(ms / 60000 % 60)
	dst = append(dst, ':')
	two(ms / 1000 % 60)
	if vtt {
		dst = append(dst, '.')
	} else {
		dst = append(dst, ',')
	}
	dst = append(dst, byte('0'+ms/100%10))
	two(ms % 100)
	return dst
}
