package admin_test

import (
	"fmt"
	"slices"
	"strings"
)

// kind is a type of testdata/fields.txt: one of the alternatives, each with all of its parts.
type kind struct {
	any   []kind          // A|B
	all   []kind          // A&B
	name  string          // a scalar, or a model
	list  *kind           // [T]
	byKey *kind           // {T}
	has   map[string]kind // {a:T b:T}
}

// kinds reads types.
type kinds struct {
	text string
	at   int
}

func parseKind(text string) (k kind, err error) {
	p := &kinds{text: text}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the type %q: %v", text, r)
		}
	}()
	k = p.union()
	if p.at != len(text) {
		panic("there is more behind " + text[:p.at])
	}
	return k, nil
}

func (p *kinds) next() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *kinds) want(c byte) {
	if p.next() != c {
		panic(fmt.Sprintf("want %q at %d", c, p.at))
	}
	p.at++
}

func (p *kinds) union() kind {
	k := kind{any: []kind{p.sum()}}
	for p.next() == '|' {
		p.at++
		k.any = append(k.any, p.sum())
	}
	return k
}

func (p *kinds) sum() kind {
	k := kind{all: []kind{p.one()}}
	for p.next() == '&' {
		p.at++
		k.all = append(k.all, p.one())
	}
	return k
}

func (p *kinds) one() kind {
	switch p.next() {
	case '[':
		p.at++
		of := p.union()
		p.want(']')
		return kind{list: &of}
	case '{':
		return p.object()
	}
	return kind{name: p.word()}
}

func (p *kinds) word() string {
	start := p.at
	for strings.IndexByte(":|&[]{} ", p.next()) < 0 && p.next() != 0 {
		p.at++
	}
	return p.text[start:p.at]
}

// object reads {T}, or {a:T b:T}.
func (p *kinds) object() kind {
	p.want('{')
	start := p.at
	if name := p.word(); name == "" || p.next() != ':' {
		p.at = start
		of := p.union()
		p.want('}')
		return kind{byKey: &of}
	}
	p.at = start
	k := kind{has: map[string]kind{}}
	for {
		name := p.word()
		p.want(':')
		k.has[name] = p.union()
		if p.next() != ' ' {
			break
		}
		p.at++
	}
	p.want('}')
	return k
}

// wrong says where a value is not of the type.
func (k kind) wrong(models map[string]kind, at string, v any) []string {
	switch {
	case len(k.any) == 1:
		return k.any[0].wrong(models, at, v)
	case k.any != nil:
		var least []string
		for i, alternative := range k.any {
			w := alternative.wrong(models, at, v)
			if len(w) == 0 {
				return nil
			}
			if i == 0 || len(w) < len(least) || !slices.Contains([]string{"null", "string"}, alternative.all[0].name) && v != nil {
				least = w
			}
		}
		return least
	case k.all != nil:
		var out []string
		for _, part := range k.all {
			out = append(out, part.wrong(models, at, v)...)
		}
		return out
	case k.list != nil:
		return k.wrongList(models, at, v)
	case k.byKey != nil, k.has != nil:
		return k.wrongObject(models, at, v)
	}
	if m, ok := models[k.name]; ok {
		return m.wrong(models, at, v)
	}
	if !scalar(k.name, v) {
		return []string{fmt.Sprintf("%s is %v, want %s", at, v, k.name)}
	}
	return nil
}

func (k kind) wrongList(models map[string]kind, at string, v any) []string {
	l, ok := v.([]any)
	if !ok {
		return []string{fmt.Sprintf("%s is %v, want a list", at, v)}
	}
	for i, e := range l {
		if w := k.list.wrong(models, fmt.Sprintf("%s.%d", at, i), e); len(w) > 0 {
			return w
		}
	}
	return nil
}

func (k kind) wrongObject(models map[string]kind, at string, v any) (out []string) {
	m, ok := v.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s is %v, want an object", at, v)}
	}
	if k.byKey != nil {
		for name, e := range m {
			out = append(out, k.byKey.wrong(models, at+"."+name, e)...)
		}
		return out
	}
	for name, of := range k.has {
		e, ok := m[name]
		if !ok {
			out = append(out, at+" has no "+name)
			continue
		}
		out = append(out, of.wrong(models, at+"."+name, e)...)
	}
	return out
}

func scalar(name string, v any) bool {
	switch name {
	case "any":
		return true
	case "null":
		return v == nil
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "number":
		_, ok := v.(float64)
		return ok
	case "integer":
		n, ok := v.(float64)
		return ok && n == float64(int64(n))
	}
	return false
}
