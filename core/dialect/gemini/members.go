package gemini

import (
	"slices"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// camel is a key in the spelling of the documentation: Google's parsers take system_instruction for systemInstruction.
func camel(key []byte) string {
	out := make([]byte, 0, len(key))
	up := false
	for i, c := range key {
		if c == '_' && i > 0 {
			up = true
			continue
		}
		if up && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		up = false
		out = append(out, c)
	}
	return string(out)
}

// members calls f for each member of an object of a request, with its name as documented. What two parsers could read
// differently is refused: a key with escapes, or one that is there twice, be it in two spellings. Nulls are left out. at
// is the place of the object, for the message of the refusal.
func members(raw []byte, at string, f func(name string, v []byte) error) error {
	if len(raw) == 0 || raw[0] != '{' {
		return refuse(at, "must be an object")
	}
	var seen []string
	c := dialect.Object(raw)
	for c.Next() {
		if escaped(c.Key()) {
			return refuse(at, "holds a key that is written with escapes")
		}
		name := camel(c.Key())
		if slices.Contains(seen, name) {
			return refuse(at+"."+name, "is there twice")
		}
		seen = append(seen, name)
		if len(seen) > llm.MaxMembers {
			return refuse(at, "holds too many members")
		}
		if c.First() == 'n' {
			continue
		}
		if err := f(name, c.Value()); err != nil {
			return err
		}
	}
	if c.Broken() {
		return refuse(at, "is not valid JSON")
	}
	return nil
}

// elements calls f for each element of a list, with its place.
func elements(raw []byte, at string, f func(at string, v []byte) error) error {
	if len(raw) == 0 || raw[0] != '[' {
		return refuse(at, "must be a list")
	}
	i := 0
	for c := dialect.Array(raw); c.Next(); i++ {
		if err := f(at+"["+strconv.Itoa(i)+"]", c.Value()); err != nil {
			return err
		}
	}
	return nil
}

// refuse is the error for a request that cannot be used.
func refuse(at, problem string) error {
	return &llm.Error{
		Op: "gemini.Chat", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: at,
		Message: "Invalid request: `" + at + "` " + problem + ".",
	}
}
