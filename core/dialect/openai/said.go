package openai

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Said is what a model said in one choice, or what a chunk adds to it, for a vendor whose answers have another form.
// It owns nothing: what it holds is borrowed from whoever fills it, until the next chunk.
type Said struct {
	Index     int // which choice
	Text      string
	Reasoning string
	Refusal   string
	Calls     []SaidCall
	Finish    string
	Usage     llm.Usage // of the answer so far, or a part of it; what is 0 says nothing

	// JSON as it goes out. The lists are without their brackets.
	Thinking    []byte // thinking_blocks
	Images      []byte // images
	Annotations []byte // annotations
	Logprobs    []byte // logprobs of the choice, an object
	Audio       []byte // audio, an object
	Specific    []byte // provider_specific_fields of the message, an object

	Extra []llm.Pair // members of the answer itself, such as system_fingerprint; Value is JSON
	More  []Said     // the other choices of a whole answer
}

// SaidCall is a call of a tool, or what a chunk adds to it.
type SaidCall struct {
	Index               int
	ID, Name, Arguments string
	Specific            []byte // provider_specific_fields, an object
	Free                bool   // of a tool whose input is text, which is Arguments
}

// Empty reports whether nothing was said that a caller would see in a choice.
func (s *Said) Empty() bool { return s.Silent() && s.Finish == "" }

// Silent is Empty without regard to the finish reason.
func (s *Said) Silent() bool {
	return s.Text == "" && s.Reasoning == "" && s.Refusal == "" && len(s.Calls) == 0 && len(s.Thinking) == 0 &&
		len(s.Images) == 0 && len(s.Annotations) == 0 && s.Logprobs == nil && s.Audio == nil && s.Specific == nil
}

// Reset empties s and keeps its lists.
func (s *Said) Reset() {
	clear(s.Calls)
	clear(s.Extra)
	*s = Said{Calls: s.Calls[:0], Extra: s.Extra[:0], Thinking: s.Thinking[:0]}
}

// Sum joins chunks to a whole answer. The zero value is ready. It copies what it takes.
type Sum struct {
	choices []*sum
	extra   []llm.Pair
	usage   llm.Usage
}

type sum struct {
	said                     Said
	text, reasoning, refusal strings.Builder
	arguments                []*strings.Builder
}

// Add takes a chunk.
func (j *Sum) Add(s *Said) {
	Count(&j.usage, s.Usage)
	for _, e := range s.Extra {
		j.extra = append(j.extra, llm.Pair{Name: strings.Clone(e.Name), Value: strings.Clone(e.Value)})
	}
	if s.Empty() {
		return
	}
	c := j.choice(s.Index)
	c.text.WriteString(s.Text)
	c.reasoning.WriteString(s.Reasoning)
	c.refusal.WriteString(s.Refusal)
	if s.Finish != "" {
		c.said.Finish = strings.Clone(s.Finish)
	}
	c.said.Thinking = appendList(c.said.Thinking, s.Thinking)
	c.said.Images = appendList(c.said.Images, s.Images)
	c.said.Annotations = appendList(c.said.Annotations, s.Annotations)
	replace(&c.said.Logprobs, s.Logprobs)
	replace(&c.said.Audio, s.Audio)
	replace(&c.said.Specific, s.Specific)
	for i := range s.Calls {
		c.call(&s.Calls[i])
	}
}

// maxCalls is how many calls or choices an answer may have.
const maxCalls = 4096

func (j *Sum) choice(index int) *sum {
	for _, c := range j.choices {
		if c.said.Index == index || len(j.choices) == maxCalls {
			return c
		}
	}
	c := &sum{said: Said{Index: index}}
	j.choices = append(j.choices, c)
	return c
}

func (c *sum) call(s *SaidCall) {
	for i := range c.said.Calls {
		if have := &c.said.Calls[i]; have.Index == s.Index || len(c.said.Calls) == maxCalls {
			if s.ID != "" {
				have.ID = strings.Clone(s.ID)
			}
			have.Name += s.Name
			c.arguments[i].WriteString(s.Arguments)
			replace(&have.Specific, s.Specific)
			return
		}
	}
	c.said.Calls = append(c.said.Calls, SaidCall{
		Index: s.Index, ID: strings.Clone(s.ID), Name: strings.Clone(s.Name), Specific: append([]byte(nil), s.Specific...),
		Free: s.Free,
	})
	c.arguments = append(c.arguments, new(strings.Builder))
	c.arguments[len(c.arguments)-1].WriteString(s.Arguments)
}

// Said returns the whole answer. Without a chunk that said anything it is empty.
func (j *Sum) Said() *Said {
	out := &Said{}
	for n, c := range j.choices {
		c.said.Text, c.said.Reasoning, c.said.Refusal = c.text.String(), c.reasoning.String(), c.refusal.String()
		for i := range c.said.Calls {
			c.said.Calls[i].Arguments = c.arguments[i].String()
		}
		if n == 0 {
			*out = c.said
		} else {
			out.More = append(out.More, c.said)
		}
	}
	out.Usage, out.Extra = j.usage, j.extra
	return out
}

func appendList(dst, more []byte) []byte {
	if len(more) == 0 {
		return dst
	}
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	return append(dst, more...)
}

func replace(dst *[]byte, v []byte) {
	if v != nil {
		*dst = append([]byte(nil), v...)
	}
}

// Count adds to u what a later part of an answer reports: its counts replace those that were there.
func Count(u *llm.Usage, more llm.Usage) {
	set := func(dst *int64, n int64) {
		if n > 0 {
			*dst = n
		}
	}
	set(&u.Prompt, more.Prompt)
	set(&u.Completion, more.Completion)
	set(&u.Cached, more.Cached)
	set(&u.Reasoning, more.Reasoning)
	set(&u.CacheWrite, more.CacheWrite)
	set(&u.CacheWriteHour, more.CacheWriteHour)
	set(&u.AudioPrompt, more.AudioPrompt)
	set(&u.AudioCompletion, more.AudioCompletion)
	set(&u.ImagePrompt, more.ImagePrompt)
	set(&u.ImageCompletion, more.ImageCompletion)
	set(&u.Images, more.Images)
	set(&u.Characters, more.Characters)
	set(&u.Searches, more.Searches)
	set(&u.CachedAudio, more.CachedAudio)
	set(&u.CachedImage, more.CachedImage)
	set(&u.CachedMarked, more.CachedMarked)
	set(&u.CacheWriteHalfDay, more.CacheWriteHalfDay)
	set(&u.VideoPrompt, more.VideoPrompt)
	set(&u.VideoCompletion, more.VideoCompletion)
	set(&u.Citations, more.Citations)
	set(&u.Maps, more.Maps)
	set(&u.FileSearches, more.FileSearches)
	set(&u.Sessions, more.Sessions)
	set(&u.Pages, more.Pages)
	set(&u.AnnotatedPages, more.AnnotatedPages)
	if more.Cost > 0 {
		u.Cost = more.Cost
	}
	if more.Tier != 0 {
		u.Tier = more.Tier
	}
	if more.Seconds > 0 {
		u.Seconds = more.Seconds
	}
	if more.Total > 0 {
		u.Total = more.Total
	} else if more.Prompt+more.Completion > 0 {
		u.Total = u.Prompt + u.Completion
	}
}
