package provider

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Trimmed returns the request's body without the parts that additional_drop_params name by a path, such as
// tools[*].function.strict, tools[0] or metadata.user. It is nil if no path names anything in it, which is the usual
// case and costs next to nothing. The grammar is that of the reference
// (litellm/litellm_core_utils/dot_notation_indexing.py).
func Trimmed(x *llm.Exchange, d *llm.Deployment) (*llm.Object, error) {
	var paths []string
	for _, name := range d.AdditionalDrop {
		if nested(name) {
			paths = append(paths, name)
		}
	}
	if list := x.Controls.AdditionalDrop; len(list) <= maxNames && bytes.ContainsAny(list, ".") || bytes.Count(list, []byte("[")) > 1 {
		for c := dialect.Array(list); c.Next(); {
			if s, ok := llm.Text(c.Value()); ok && nested(string(s)) {
				if problem := BadPath(string(s)); problem != "" {
					return nil, BadControl("additional_drop_params", "holds "+strconv.Quote(string(s))+", which "+problem)
				}
				paths = append(paths, string(s))
			}
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	body, cut := x.Body.Raw(), false
	for _, path := range paths {
		out := make([]byte, 0, len(body))
		if out, ok := without(out, body, steps(path)); ok {
			body, cut = out, true
		}
	}
	if !cut {
		return nil, nil
	}
	o := new(llm.Object)
	if err := o.Parse(body); err != nil {
		return nil, &llm.Error{Op: "provider.Trimmed", Kind: llm.KindInternal, Err: err, Message: "The request could not be rewritten."}
	}
	return o, nil
}

func nested(name string) bool { return strings.ContainsAny(name, ".[") }

// BadPath says what is wrong with a path of additional_drop_params, or nothing.
func BadPath(path string) string {
	const most = 16
	list := steps(path)
	if len(list) > most {
		return "has more than " + strconv.Itoa(most) + " steps"
	}
	for i, s := range list {
		switch {
		case s.key == "" && !s.list:
			return "has an empty step: write it like tools[*].function.strict"
		case i == 0 && (s.list || Reserved(s.key) && len(list) == 1):
			return "must begin with a parameter"
		case s.bad:
			return "has an index that is neither a number nor *"
		}
	}
	return ""
}

// step is one step of a path: a member, or elements of a list.
type step struct {
	key  string
	list bool
	all  bool
	n    int
	bad  bool
}

func steps(path string) (list []step) {
	for part := range strings.SplitSeq(path, ".") {
		key, rest, _ := strings.Cut(part, "[")
		if key != "" || rest == "" {
			list = append(list, step{key: key})
		}
		for rest != "" {
			var index string
			index, rest, _ = strings.Cut(rest, "]")
			n, err := strconv.Atoi(index)
			list = append(list, step{list: true, all: index == "*", n: n, bad: index != "*" && (err != nil || n < 0)})
			rest = strings.TrimPrefix(rest, "[")
		}
	}
	return list
}

// without appends v to dst without what the path names in it. ok is false if that is nothing, and dst then is of no use.
func without(dst, v []byte, path []step) (_ []byte, ok bool) {
	first := path[0]
	c := dialect.Object(v)
	if first.list {
		c = dialect.Array(v)
	}
	b := dialect.Build(dst)
	open, end := byte('{'), byte('}')
	if first.list {
		open, end = '[', ']'
	}
	b.Open(open)
	for n := 0; c.Next(); n++ {
		hit := first.list && (first.all || n == first.n) || !first.list && string(c.Key()) == first.key
		if hit && len(path) == 1 {
			ok = true
			continue
		}
		value := c.Value()
		if hit {
			if inner, cut := without(nil, value, path[1:]); cut {
				value, ok = inner, true
			}
		}
		if !first.list {
			b.Key(string(c.Key()))
		}
		b.Raw(value)
	}
	b.Close(end)
	return b.Bytes(), ok && !c.Broken()
}

// EncodeTrimmed has encode write the request without what additional_drop_params name by a path, and without signatures in
// ids that are for another vendor. The exchange has its own body again afterwards.
func EncodeTrimmed(x *llm.Exchange, d *llm.Deployment, c *llm.Call, encode func(*llm.Exchange, *llm.Call) error) error {
	o, err := Trimmed(x, d)
	if err != nil {
		return err
	}
	own := x.Body
	if o != nil {
		x.Body = *o
	}
	if signed(x, d) {
		body := unsigned(nil, x.Body.Raw())
		x.Body = llm.Object{}
		if err := x.Body.Parse(body); err != nil {
			x.Body = own
			return &llm.Error{Op: "provider.EncodeTrimmed", Kind: llm.KindInternal, Err: err, Message: "The request could not be rewritten."}
		}
	}
	err = encode(x, c)
	x.Body = own
	return err
}

// Trims reports whether a call may need EncodeTrimmed.
func Trims(x *llm.Exchange, d *llm.Deployment) bool {
	return !x.AsNative && (len(d.AdditionalDrop) > 0 || x.Controls.AdditionalDrop != nil || signed(x, d))
}
