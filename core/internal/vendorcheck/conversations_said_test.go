package vendorcheck_test

import (
	"encoding/json"
	"fmt"
)

// asMessages says a talk to POST /v1/messages: https://platform.claude.com/docs/en/api/messages/create.
func asMessages(k *talk) m {
	source := func(kind, data string) m { return m{"type": "base64", "media_type": kind, "data": data} }
	var system, tools, list []any
	for _, p := range k.system {
		system = append(system, cached(m{"type": "text", "text": p.text}, p.cached))
	}
	for _, t := range k.tools {
		tools = append(tools, cached(m{"name": t.name, "description": "d", "input_schema": m{"type": "object", "properties": m{}}}, t.cached))
	}
	for _, t := range k.turns {
		var blocks []any
		for _, p := range t.parts {
			switch p.kind {
			case "text":
				blocks = append(blocks, cached(m{"type": "text", "text": p.text}, p.cached))
			case "image":
				blocks = append(blocks, m{"type": "image", "source": source("image/png", p.text)})
			case "file":
				blocks = append(blocks, m{"type": "document", "source": source("application/pdf", p.text)})
			case "link":
				blocks = append(blocks, m{"type": "document", "source": m{"type": "url", "url": p.text}})
			case "thought":
				blocks = append(blocks, m{"type": "thinking", "thinking": p.text, "signature": p.sign})
			case "call":
				blocks = append(blocks, m{"type": "tool_use", "id": p.call, "name": p.name, "input": json.RawMessage(p.args)})
			case "result":
				content := []any{m{"type": "text", "text": p.text}}
				if p.image != "" {
					content = append(content, m{"type": "image", "source": source("image/png", p.image)})
				}
				b := m{"type": "tool_result", "tool_use_id": p.call, "content": content}
				if p.failed {
					b["is_error"] = true
				}
				blocks = append(blocks, b)
			}
		}
		list = append(list, m{"role": role(t, "assistant"), "content": blocks})
	}
	out := m{"model": "mine", "max_tokens": 100, "messages": list, "tools": tools}
	if system != nil {
		out["system"] = system
	}
	return out
}

func role(t turn, assistant string) string {
	if t.assistant {
		return assistant
	}
	return "user"
}

// asResponses says a talk to POST /v1/responses: https://platform.openai.com/docs/api-reference/responses/create.
func asResponses(k *talk) m {
	var items, tools []any
	for _, p := range k.system {
		items = append(items, m{"role": "system", "content": []any{m{"type": "input_text", "text": p.text}}})
	}
	for _, t := range k.tools {
		tools = append(tools, m{"type": "function", "name": t.name, "description": "d", "parameters": m{"type": "object", "properties": m{}}, "strict": false})
	}
	for _, t := range k.turns {
		var content []any
		for i, p := range t.parts {
			switch p.kind {
			case "text":
				if t.assistant {
					items = append(items, m{"type": "message", "role": "assistant", "content": []any{m{"type": "output_text", "text": p.text, "annotations": []any{}}}})
					continue
				}
				content = append(content, m{"type": "input_text", "text": p.text})
			case "image":
				content = append(content, m{"type": "input_image", "image_url": "data:image/png;base64," + p.text})
			case "file":
				content = append(content, m{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64," + p.text})
			case "link":
				content = append(content, m{"type": "input_file", "file_url": p.text})
			case "thought":
				items = append(items, m{"type": "reasoning", "id": fmt.Sprint("rs_", i), "summary": []any{m{"type": "summary_text", "text": p.text}}, "encrypted_content": "signature:" + p.sign})
			case "call":
				items = append(items, m{"type": "function_call", "call_id": p.call, "name": p.name, "arguments": p.args})
			case "result":
				var output any = p.text
				if p.image != "" {
					output = []any{m{"type": "input_text", "text": p.text}, m{"type": "input_image", "image_url": "data:image/png;base64," + p.image}}
				}
				items = append(items, m{"type": "function_call_output", "call_id": p.call, "output": output})
			}
		}
		if content != nil {
			items = append(items, m{"role": "user", "content": content})
		}
	}
	return m{"model": "mine", "input": items, "tools": tools, "store": false}
}

// asGoogle says a talk to generateContent: https://ai.google.dev/api/generate-content.
func asGoogle(k *talk) m {
	var system, list, tools []any
	for _, p := range k.system {
		system = append(system, m{"text": p.text})
	}
	for _, t := range k.tools {
		tools = append(tools, m{"name": t.name, "description": "d", "parameters": m{"type": "OBJECT", "properties": m{"a": m{"type": "STRING"}}}})
	}
	for _, t := range k.turns {
		var parts []any
		for _, p := range t.parts {
			switch p.kind {
			case "text":
				parts = append(parts, m{"text": p.text})
			case "image":
				parts = append(parts, m{"inlineData": m{"mimeType": "image/png", "data": p.text}})
			case "file":
				parts = append(parts, m{"inlineData": m{"mimeType": "application/pdf", "data": p.text}})
			case "link":
				parts = append(parts, m{"fileData": m{"mimeType": "application/pdf", "fileUri": p.text}})
			case "thought":
				parts = append(parts, m{"text": p.text, "thought": true, "thoughtSignature": p.sign})
			case "call":
				parts = append(parts, m{"functionCall": m{"id": p.call, "name": p.name, "args": json.RawMessage(p.args)}})
			case "result":
				answer := m{"output": p.text}
				if p.failed {
					answer = m{"error": p.text}
				}
				parts = append(parts, m{"functionResponse": m{"id": p.call, "name": p.name, "response": answer}})
			}
		}
		list = append(list, m{"role": role(t, "model"), "parts": parts})
	}
	out := m{"contents": list, "tools": []any{m{"functionDeclarations": tools}}}
	if system != nil {
		out["systemInstruction"] = m{"parts": system}
	}
	return out
}

// asChat says a talk to POST /v1/chat/completions: https://platform.openai.com/docs/api-reference/chat/create, with the
// reference's extensions.
func asChat(k *talk) m {
	var list, tools []any
	if k.system != nil {
		var content []any
		for _, p := range k.system {
			content = append(content, cached(m{"type": "text", "text": p.text}, p.cached))
		}
		list = append(list, m{"role": "system", "content": content})
	}
	for _, t := range k.tools {
		tools = append(tools, cached(m{"type": "function", "function": m{"name": t.name, "description": "d", "parameters": m{"type": "object", "properties": m{}}}}, t.cached))
	}
	for _, t := range k.turns {
		var content, calls, thoughts []any
		for _, p := range t.parts {
			switch p.kind {
			case "text":
				content = append(content, cached(m{"type": "text", "text": p.text}, p.cached))
			case "image":
				content = append(content, m{"type": "image_url", "image_url": m{"url": "data:image/png;base64," + p.text}})
			case "file":
				content = append(content, m{"type": "file", "file": m{"filename": "a.pdf", "file_data": "data:application/pdf;base64," + p.text}})
			case "link": // https://docs.litellm.ai/docs/completion/document_understanding
				content = append(content, m{"type": "file", "file": m{"file_id": p.text, "format": "application/pdf"}})
			case "thought":
				thoughts = append(thoughts, m{"type": "thinking", "thinking": p.text, "signature": p.sign})
			case "call":
				calls = append(calls, m{"id": p.call, "type": "function", "function": m{"name": p.name, "arguments": p.args}})
			case "result":
				list = append(list, m{"role": "tool", "tool_call_id": p.call, "content": p.text})
			}
		}
		if !t.assistant {
			list = append(list, m{"role": "user", "content": content})
			continue
		}
		said := m{"role": "assistant", "content": content}
		if calls != nil {
			said["tool_calls"] = calls
		}
		if thoughts != nil {
			said["thinking_blocks"] = thoughts
		}
		list = append(list, said)
	}
	return m{"model": "mine", "messages": list, "tools": tools}
}
