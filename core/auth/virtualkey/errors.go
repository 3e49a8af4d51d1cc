package virtualkey

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// The errors are those of litellm/proxy/auth: user_api_key_auth.py, auth_checks.py, route_checks.py,
// auth_exception_handler.py.

func refusal(status int, kind, param, message string) *llm.Error {
	return &llm.Error{
		Op: "virtualkey.Authenticate", Kind: llm.KindAuth, Status: status, Message: message, Type: kind, Param: param,
		Code: strconv.Itoa(status),
	}
}

// denied is an exception without a type of its own.
func denied(message string) *llm.Error {
	return refusal(401, "auth_error", "None", "Authentication Error, "+message)
}

// forbidden is an HTTPException of the auth functions.
func forbidden(message string) *llm.Error { return refusal(403, "auth_error", "None", message) }

func notFound(key []byte, h hash) *llm.Error {
	return refusal(401, "token_not_found_in_db", "key", "Authentication Error, Invalid proxy server token passed. "+
		"Received API Key = "+name(key)+", Key Hash (Token) ="+hex.EncodeToString(h[:])+
		". Unable to find token in cache or `LiteLLM_VerificationTokenTable`")
}

// name is a key as people may see it: its last four characters.
func name(key []byte) string {
	if len(key) <= 8 {
		return "sk-..."
	}
	return "sk-..." + strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(key[len(key)-4:]))
}

func expired(p *llm.Principal, now time.Time) *llm.Error {
	const layout = "2006-01-02 15:04:05.999999-07:00"
	return refusal(400, "expired_key", p.KeyName, "Authentication Error - Expired Key. Key Expiry time "+
		p.Expires.UTC().Format(layout)+" and current time "+now.UTC().Format(layout))
}

func modelDenied(p *llm.Principal, whose string, list []string, model string) *llm.Error {
	message := whose + " not allowed to access model. This " + whose + " can only access models=" + pythonList(list) +
		". Tried to access " + model
	if whose == "team" {
		message = "Team not allowed to access model. Team=" + p.TeamID + ", Model=" + model +
			". Allowed team models = " + pythonList(list)
	}
	return refusal(401, whose+"_model_access_denied", "model", message)
}

// pythonList writes names as Python does.
func pythonList(list []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("'" + strings.ReplaceAll(s, "'", `\'`) + "'")
	}
	b.WriteByte(']')
	return b.String()
}
