package wasm

import (
	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// appendText appends a record unless it is empty.
func appendText[T string | []byte](dst []byte, tag abi.Tag, v T) []byte {
	if len(v) == 0 {
		return dst
	}
	return abi.AppendText(dst, tag, v)
}

// appendExchange appends what every hook is told about a request.
func appendExchange(dst []byte, x *llm.Exchange) []byte {
	dst = abi.AppendText(dst, abi.TagRequestID, x.ID[:])
	dst = appendText(dst, abi.TagMethod, x.Method)
	dst = appendText(dst, abi.TagPath, x.Path)
	dst = appendText(dst, abi.TagClientIP, x.Remote)
	return appendText(dst, abi.TagModel, x.Model)
}

// appendRequest appends the view of the request hook, except for the texts.
func appendRequest(dst []byte, x *llm.Exchange, n *needs) ([]byte, error) {
	dst = appendExchange(dst, x)
	dst = appendText(dst, abi.TagCallType, x.Op.CallType())
	if x.Streamed {
		dst = abi.AppendNumber(dst, abi.TagStream, 1)
	}
	p := x.Principal
	if p == nil {
		return dst, nil
	}
	dst = appendCaller(dst, p)
	if n.metadata && len(p.Metadata) > 0 {
		return abi.AppendMap(dst, abi.TagMetadata, p.Metadata)
	}
	return dst, nil
}

// appendCaller appends who asks.
func appendCaller(dst []byte, p *llm.Principal) []byte {
	dst = appendText(dst, abi.TagKeyHash, p.KeyHash)
	dst = appendText(dst, abi.TagKeyAlias, p.KeyAlias)
	dst = appendText(dst, abi.TagUserID, p.UserID)
	dst = appendText(dst, abi.TagUserEmail, p.Email)
	dst = appendText(dst, abi.TagTeamID, p.TeamID)
	dst = appendText(dst, abi.TagTeamAlias, p.TeamName)
	dst = appendText(dst, abi.TagOrgID, p.OrgID)
	dst = appendText(dst, abi.TagEndUser, p.EndUser)
	return appendText(dst, abi.TagRole, string(p.Role))
}

// appendTexts appends the texts. ok is false if one of them is not a valid JSON string.
func appendTexts(dst, raw []byte, list []openai.Text) (_ []byte, ok bool) {
	message := -1
	for i := range list {
		s := &list[i]
		for ; message < s.Message; message++ {
			role := llm.Span{}
			if message == s.Message-1 {
				role = s.Role
			}
			if dst, ok = appendString(dst, abi.TagMessage, raw, role); !ok {
				return dst, false
			}
		}
		if s.Sealed {
			dst = abi.AppendNumber(dst, abi.TagSealed, 1)
		}
		switch s.Kind {
		case openai.Content:
		case openai.Reasoning, openai.Refusal, openai.Definition:
			dst = abi.AppendText(dst, abi.TagTextKind, s.Kind.String())
		default:
			if dst, ok = appendCall(dst, raw, s.Kind, s.Call, s.Key, s.Form); !ok {
				return dst, false
			}
		}
		if dst, ok = appendForm(dst, abi.TagText, raw, s.Text, s.Form); !ok {
			return dst, false
		}
	}
	return dst, true
}

// appendCall appends what a text of arguments belongs to. The key is written as the text is, but always as a string.
func appendCall(dst, raw []byte, kind openai.TextKind, call int, key llm.Span, form openai.Form) (_ []byte, ok bool) {
	dst = abi.AppendText(dst, abi.TagTextKind, kind.String())
	dst = abi.AppendNumber(dst, abi.TagIndex, uint64(call))
	if key.End == 0 {
		return dst, true
	}
	return appendForm(dst, abi.TagKey, raw, key, form.Key())
}

// appendForm appends a record with the text at a place.
func appendForm(dst []byte, tag abi.Tag, raw []byte, at llm.Span, form openai.Form) (_ []byte, ok bool) {
	dst, mark := abi.Open(dst, tag)
	dst[mark-6] = 0 // no records inside
	dst, ok = form.Append(dst, raw, at)
	return abi.Close(dst, mark), ok
}

// appendString appends a record with the text of the JSON string at a place.
func appendString(dst []byte, tag abi.Tag, raw []byte, at llm.Span) (_ []byte, ok bool) {
	if at.End == 0 {
		return abi.AppendText(dst, tag, ""), true
	}
	dst, mark := abi.Open(dst, tag)
	dst[mark-6] = 0 // no records inside
	dst, ok = llm.AppendUnescaped(dst, raw[at.Start+1:at.End-1])
	return abi.Close(dst, mark), ok
}

// appendAuth appends the view of the auth hook.
func appendAuth(dst []byte, x *llm.Exchange, c auth.Credential, n *needs) []byte {
	dst = appendExchange(dst, x)
	dst = appendText(dst, abi.TagCredential, c.Key)
	dst = appendText(dst, abi.TagCredentialRaw, c.Raw)
	for i := range x.Header {
		if f := &x.Header[i]; n.headers || n.wants(f.Name) {
			var mark int
			dst, mark = abi.Open(dst, abi.TagHeader)
			dst = abi.AppendText(dst, abi.TagKey, f.Name)
			dst = abi.Close(abi.AppendText(dst, abi.TagText, f.Value), mark)
		}
	}
	return dst
}

func (n *needs) wants(name []byte) bool {
	for _, h := range n.header {
		if llm.EqualFold(name, h) {
			return true
		}
	}
	return false
}

// secretHeader reports whether a header carries a credential, which only the auth hook may read. The list is that of
// the places where the gateway looks for a key.
func (p *Plugin) secretHeader(name string) bool {
	b := []byte(name)
	for _, secret := range []string{
		"authorization", "proxy-authorization", "cookie", "x-litellm-api-key", "api-key", "x-api-key",
		"x-goog-api-key", "ocp-apim-subscription-key", "x-mcp-auth",
	} {
		if llm.EqualFold(b, secret) {
			return true
		}
	}
	for _, secret := range p.secrets {
		if llm.EqualFold(b, secret) {
			return true
		}
	}
	return false
}
