package vendorcheck_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// reader writes down what a vendor was told.
type reader struct {
	facts []string
	open  []string // the calls of Google's that have no response yet, with the name before the id
}

func (r *reader) add(format string, args ...any) {
	r.facts = append(r.facts, fmt.Sprintf(format, args...))
}

func list(v any) []any { out, _ := v.([]any); return out }
func dict(v any) m     { out, _ := v.(m); return out }
func str(v any) string { out, _ := v.(string); return out }

// fromMessages reads a request of the Messages API.
func (r *reader) fromMessages(body m) {
	for _, v := range list(body["system"]) {
		r.add("system: %s%s", str(dict(v)["text"]), mark(dict(v)["cache_control"] != nil))
	}
	if s := str(body["system"]); s != "" {
		r.add("system: %s", s)
	}
	for _, v := range list(body["tools"]) {
		r.add("tool: %s%s", str(dict(v)["name"]), mark(dict(v)["cache_control"] != nil))
	}
	for _, v := range list(body["messages"]) {
		who := str(dict(v)["role"])
		for _, v := range list(dict(v)["content"]) {
			b := dict(v)
			kept := mark(b["cache_control"] != nil)
			switch kind := str(b["type"]); kind {
			case "text":
				r.add("%s text: %s%s", who, str(b["text"]), kept)
			case "image":
				r.add("%s image: %s%s", who, str(dict(b["source"])["data"]), kept)
			case "document":
				if url := str(dict(b["source"])["url"]); url != "" {
					r.add("%s link: %s%s", who, url, kept)
					continue
				}
				r.add("%s file: %s%s", who, str(dict(b["source"])["data"]), kept)
			case "thinking":
				r.add("thought: %s", str(b["thinking"]))
				r.add("signature: %s", str(b["signature"]))
			case "tool_use":
				args, _ := json.Marshal(b["input"])
				r.add("call %s: %s %s", str(b["id"]), str(b["name"]), args)
			case "tool_result":
				r.result(str(b["tool_use_id"]), b)
			default:
				r.add("%s %s", who, kind)
			}
		}
	}
}

func (r *reader) result(id string, b m) {
	if s, ok := b["content"].(string); ok {
		r.add("result %s: %s", id, s)
	}
	for _, v := range list(b["content"]) {
		if str(dict(v)["type"]) == "image" {
			r.add("result %s image: %s", id, str(dict(dict(v)["source"])["data"]))
			continue
		}
		r.add("result %s: %s", id, str(dict(v)["text"]))
	}
	if b["is_error"] == true {
		r.add("result %s failed", id)
	}
}

func data(url string) string { _, after, _ := strings.Cut(url, ";base64,"); return after }

// fromResponses reads a request of the Responses API.
func (r *reader) fromResponses(body m) {
	if s := str(body["instructions"]); s != "" {
		r.add("system: %s", s)
	}
	for _, v := range list(body["tools"]) {
		r.add("tool: %s", str(dict(v)["name"]))
	}
	for _, v := range list(body["input"]) {
		b := dict(v)
		switch kind := str(b["type"]); kind {
		case "reasoning":
			for _, v := range list(b["summary"]) {
				r.add("thought: %s", str(dict(v)["text"]))
			}
			r.add("signature: %s", str(b["encrypted_content"]))
		case "function_call":
			r.add("call %s: %s %s", str(b["call_id"]), str(b["name"]), canonical(str(b["arguments"])))
		case "function_call_output":
			id := str(b["call_id"])
			if s, ok := b["output"].(string); ok {
				r.add("result %s: %s", id, s)
			}
			for _, v := range list(b["output"]) {
				if str(dict(v)["type"]) == "input_image" {
					r.add("result %s image: %s", id, data(str(dict(v)["image_url"])))
					continue
				}
				r.add("result %s: %s", id, str(dict(v)["text"]))
			}
		default:
			r.content(str(b["role"]), b["content"])
		}
	}
}

// content reads the content of a message of chat completions or responses.
func (r *reader) content(who string, v any) {
	text := func(s string) {
		switch {
		case who == "system" || who == "developer":
			r.add("system: %s", s)
		case s != "":
			r.add("%s text: %s", who, s)
		}
	}
	if s, ok := v.(string); ok {
		text(s)
	}
	for _, v := range list(v) {
		b := dict(v)
		switch kind := str(b["type"]); kind {
		case "text", "input_text", "output_text":
			text(str(b["text"]))
		case "image_url":
			r.add("%s image: %s", who, data(str(dict(b["image_url"])["url"])))
		case "input_image":
			r.add("%s image: %s", who, data(str(b["image_url"])))
		case "file":
			if url := str(dict(b["file"])["file_id"]); url != "" {
				r.add("%s link: %s", who, url)
				continue
			}
			r.add("%s file: %s", who, data(str(dict(b["file"])["file_data"])))
		case "input_file":
			if url := str(b["file_url"]); url != "" {
				r.add("%s link: %s", who, url)
				continue
			}
			r.add("%s file: %s", who, data(str(b["file_data"])))
		default:
			r.add("%s %s", who, kind)
		}
	}
}

// fromChat reads a chat completions request.
func (r *reader) fromChat(body m) {
	for _, v := range list(body["tools"]) {
		r.add("tool: %s", str(dict(dict(v)["function"])["name"]))
	}
	for _, v := range list(body["messages"]) {
		b := dict(v)
		for key := range b {
			if !slices.Contains([]string{"role", "content", "tool_calls", "tool_call_id"}, key) {
				r.add("extension: %s", key)
			}
		}
		if str(b["role"]) == "tool" {
			id := str(b["tool_call_id"])
			if s, ok := b["content"].(string); ok {
				r.add("result %s: %s", id, s)
			}
			for _, v := range list(b["content"]) {
				r.add("result %s: %s", id, str(dict(v)["text"]))
			}
			continue
		}
		r.content(str(b["role"]), b["content"])
		for _, v := range list(b["tool_calls"]) {
			f := dict(dict(v)["function"])
			r.add("call %s: %s %s", str(dict(v)["id"]), str(f["name"]), canonical(str(f["arguments"])))
		}
	}
}

// fromGoogle reads a request of generateContent.
func (r *reader) fromGoogle(body m) {
	for _, name := range []string{"systemInstruction", "system_instruction"} {
		for _, v := range list(dict(body[name])["parts"]) {
			r.add("system: %s", str(dict(v)["text"]))
		}
	}
	for _, v := range list(body["tools"]) {
		for _, name := range []string{"functionDeclarations", "function_declarations"} {
			for _, v := range list(dict(v)[name]) {
				r.add("tool: %s", str(dict(v)["name"]))
			}
		}
	}
	for _, v := range list(body["contents"]) {
		who := map[string]string{"user": "user", "model": "assistant"}[str(dict(v)["role"])]
		for _, v := range list(dict(v)["parts"]) {
			r.googlePart(who, dict(v))
		}
	}
}

func (r *reader) googlePart(who string, b m) {
	file, link := dict(either(b["inlineData"], b["inline_data"])), dict(either(b["fileData"], b["file_data"]))
	call, result := dict(either(b["functionCall"], b["function_call"])), dict(either(b["functionResponse"], b["function_response"]))
	switch {
	case file != nil:
		kind := "image"
		if strings.HasPrefix(str(either(file["mimeType"], file["mime_type"])), "application/") {
			kind = "file"
		}
		r.add("%s %s: %s", who, kind, str(file["data"]))
	case link != nil:
		r.add("%s link: %s", who, str(either(link["fileUri"], link["file_uri"])))
	case call != nil:
		// Without ids a response is that of the first call of its name that has none yet. The id is in the arguments too.
		id := fmt.Sprintf("toolu_%v", dict(call["args"])["n"])
		args, _ := json.Marshal(call["args"])
		r.add("call %s: %s %s", id, str(call["name"]), args)
		r.open = append(r.open, str(call["name"])+" "+id)
	case result != nil:
		id := ""
		if i := slices.IndexFunc(r.open, func(s string) bool { return strings.HasPrefix(s, str(result["name"])+" ") }); i >= 0 {
			_, id, _ = strings.Cut(r.open[i], " ")
			r.open = slices.Delete(r.open, i, i+1)
		}
		answer := dict(result["response"])
		for _, v := range answer {
			r.add("result %s: %s", id, str(v))
		}
		if answer["error"] != nil {
			r.add("result %s failed", id)
		}
	case b["thought"] == true:
		r.add("thought: %s", str(b["text"]))
	case b["text"] != nil:
		r.add("%s text: %s", who, str(b["text"]))
	default:
		r.add("%s %v", who, b)
	}
	if s := str(either(b["thoughtSignature"], b["thought_signature"])); s != "" {
		r.add("signature: %s", s)
	}
}

func either(a, b any) any {
	if a != nil {
		return a
	}
	return b
}
