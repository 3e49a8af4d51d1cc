package sallyport

import (
	"math"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// further runs the hooks that are off the usual path of a request.
func (g *guest) further(hook abi.Hook, view []byte) []byte {
	h := &g.hooks
	if h.lacks(hook) {
		return g.fail("the plugin has no hook " + hook.String())
	}
	var err error
	out := g.out[:0]
	switch hook {
	case abi.HookLog:
		if err = g.batch.decode(view); err == nil {
			if err = h.Log(&g.batch); err == nil {
				out = g.batch.encode(out)
			}
		}
	case abi.HookTick:
		err = h.Tick()
	case abi.HookRoute:
		if err = g.route.decode(view); err == nil {
			out = h.Route(&g.route).encode(out)
		}
	case abi.HookPrompt:
		r := &PromptRequest{}
		if err = r.decode(view); err == nil {
			out = h.Prompt(r).encode(out)
		}
	case abi.HookProvider:
		out, err = h.Provider.call(&g.part, view, out)
	case abi.HookKeyGenerate:
		r := &KeyRequest{}
		if err = r.decode(view); err == nil {
			out = h.KeyGenerate(r).encode(out)
		}
	case abi.HookSSOBegin, abi.HookSSOCallback:
		r := &SSORequest{}
		if err = r.decode(view); err == nil {
			out = h.sso(hook, r).encode(out)
		}
	default:
		return g.fail("the plugin has no hook " + hook.String())
	}
	if err != nil {
		return g.fail(err.Error())
	}
	g.out = out
	return result(out)
}

func (h *Hooks) sso(hook abi.Hook, r *SSORequest) SSOVerdict {
	if hook == abi.HookSSOBegin {
		return h.SSOBegin(r)
	}
	return h.SSOCallback(r)
}

// lacks reports whether the hook is one of those in this file and the plugin does not have it.
func (h *Hooks) lacks(hook abi.Hook) bool {
	switch hook {
	case abi.HookLog:
		return h.Log == nil
	case abi.HookTick:
		return h.Tick == nil
	case abi.HookRoute:
		return h.Route == nil
	case abi.HookPrompt:
		return h.Prompt == nil
	case abi.HookProvider:
		return h.Provider.Encode == nil || h.Provider.Decode == nil
	case abi.HookKeyGenerate:
		return h.KeyGenerate == nil
	case abi.HookSSOBegin:
		return h.SSOBegin == nil
	case abi.HookSSOCallback:
		return h.SSOCallback == nil
	}
	return false
}

// double reads the bits of a double.
func double(v *abi.Reader) float64 { return math.Float64frombits(v.Number()) }

func appendDouble(dst []byte, tag abi.Tag, f float64) []byte {
	return abi.AppendNumber(dst, tag, math.Float64bits(f))
}

func appendFlag(dst []byte, tag abi.Tag) []byte { return abi.AppendNumber(dst, tag, 1) }

// appendField appends a text unless it is empty.
func appendField(dst []byte, tag abi.Tag, s string) []byte {
	if s == "" {
		return dst
	}
	return abi.AppendText(dst, tag, s)
}

// readMap decodes a map; what it holds is copied.
func readMap(v *abi.Reader) map[string]any {
	m, err := abi.Map(v.Value)
	if err != nil && v.Err == nil {
		v.Err, v.Rest = err, nil
	}
	return m
}

// orFail appends a map, or makes the whole result a failure if the map holds something that cannot be sent.
func orFail(dst []byte, start int, tag abi.Tag, m map[string]any) []byte {
	if len(m) == 0 {
		return dst
	}
	out, err := abi.AppendMap(dst, tag, m)
	if err != nil {
		return appendVerdict(dst[:start], abi.VerdictFail, 0, err.Error())
	}
	return out
}

// AppendJSON appends s to dst as a JSON string. It is for plugins that write JSON without a library: a vendor's request
// body, say.
func AppendJSON(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
