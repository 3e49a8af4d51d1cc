package vendorcheck_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// wire is an answer as a vendor sends it.
func wire(vendor string, a turn, streamed bool) string {
	switch vendor {
	case "anthropic":
		return wireMessages(a, streamed)
	case "bridge":
		return wireResponses(a, streamed)
	case "gemini":
		return wireGoogle(a, streamed)
	}
	return wireChat(a, streamed)
}

// halves are a text in two pieces.
func halves(s string) []string {
	r := []rune(s)
	return []string{string(r[:len(r)/2]), string(r[len(r)/2:])}
}

// sse writes events, with their types as names if they have one.
func sse(list ...m) string {
	var out strings.Builder
	for _, e := range list {
		if name := str(e["type"]); name != "" {
			out.WriteString("event: " + name + "\n")
		}
		out.WriteString("data: " + text(e) + "\n\n")
	}
	return out.String()
}

// wireChat is a chat completion: https://platform.openai.com/docs/api-reference/chat/object.
func wireChat(a turn, streamed bool) string {
	said, why := m{"role": "assistant", "content": nil}, "stop"
	var calls []any
	var deltas []m
	for _, p := range a.parts {
		switch p.kind {
		case "text":
			said["content"] = p.text
			for _, half := range halves(p.text) {
				deltas = append(deltas, m{"content": half})
			}
		case "call":
			why = "tool_calls"
			n := len(calls)
			calls = append(calls, m{"id": p.call, "type": "function", "function": m{"name": p.name, "arguments": p.args}})
			deltas = append(deltas, m{"tool_calls": []any{m{"index": n, "id": p.call, "type": "function", "function": m{"name": p.name, "arguments": ""}}}})
			for _, half := range halves(p.args) {
				deltas = append(deltas, m{"tool_calls": []any{m{"index": n, "function": m{"arguments": half}}}})
			}
		}
	}
	if calls != nil {
		said["tool_calls"] = calls
	}
	if !streamed {
		return text(m{
			"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "usage": m{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
			"choices": []any{m{"index": 0, "message": said, "finish_reason": why}},
		})
	}
	chunk := func(delta m, finish any) m {
		return m{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
			"choices": []any{m{"index": 0, "delta": delta, "finish_reason": finish}},
		}
	}
	list := []m{chunk(m{"role": "assistant", "content": ""}, nil)}
	for _, d := range deltas {
		list = append(list, chunk(d, nil))
	}
	return sse(append(list, chunk(m{}, why))...) + "data: [DONE]\n\n"
}

// wireMessages is an answer of the Messages API: https://platform.claude.com/docs/en/build-with-claude/streaming.
func wireMessages(a turn, streamed bool) string {
	why := "end_turn"
	var content []any
	var list []m
	piece := func(i int, delta m) {
		list = append(list, m{"type": "content_block_delta", "index": i, "delta": delta})
	}
	for i, p := range a.parts {
		switch p.kind {
		case "thought":
			content = append(content, m{"type": "thinking", "thinking": p.text, "signature": p.sign})
			list = append(list, m{"type": "content_block_start", "index": i, "content_block": m{"type": "thinking", "thinking": "", "signature": ""}})
			for _, half := range halves(p.text) {
				piece(i, m{"type": "thinking_delta", "thinking": half})
			}
			piece(i, m{"type": "signature_delta", "signature": p.sign})
		case "text":
			content = append(content, m{"type": "text", "text": p.text})
			list = append(list, m{"type": "content_block_start", "index": i, "content_block": m{"type": "text", "text": ""}})
			for _, half := range halves(p.text) {
				piece(i, m{"type": "text_delta", "text": half})
			}
		case "call":
			why = "tool_use"
			content = append(content, m{"type": "tool_use", "id": p.call, "name": p.name, "input": json.RawMessage(p.args)})
			list = append(list, m{"type": "content_block_start", "index": i, "content_block": m{"type": "tool_use", "id": p.call, "name": p.name, "input": m{}}})
			for _, half := range halves(p.args) {
				piece(i, m{"type": "input_json_delta", "partial_json": half})
			}
		}
		list = append(list, m{"type": "content_block_stop", "index": i})
	}
	message := m{
		"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": content, "stop_reason": why, "stop_sequence": nil,
		"usage": m{"input_tokens": 1, "output_tokens": 1},
	}
	if !streamed {
		return text(message)
	}
	message["content"], message["stop_reason"] = []any{}, nil
	list = append([]m{{"type": "message_start", "message": message}}, list...)
	return sse(append(list, m{"type": "message_delta", "delta": m{"stop_reason": why, "stop_sequence": nil}, "usage": m{"output_tokens": 1}}, m{"type": "message_stop"})...)
}

// wireResponses is a response: https://platform.openai.com/docs/api-reference/responses-streaming.
func wireResponses(a turn, streamed bool) string {
	var output []any
	var list []m
	add := func(i int, begun, done m, more ...m) {
		output = append(output, done)
		list = append(list, m{"type": "response.output_item.added", "output_index": i, "item": begun})
		list = append(append(list, more...), m{"type": "response.output_item.done", "output_index": i, "item": done})
	}
	for i, p := range a.parts {
		id := fmt.Sprint("item_", i)
		var more []m
		switch p.kind {
		case "thought":
			for _, half := range halves(p.text) {
				more = append(more, m{"type": "response.reasoning_summary_text.delta", "item_id": id, "output_index": i, "summary_index": 0, "delta": half})
			}
			add(i, m{"type": "reasoning", "id": id, "summary": []any{}, "encrypted_content": ""}, m{
				"type": "reasoning", "id": id, "summary": []any{m{"type": "summary_text", "text": p.text}}, "encrypted_content": p.sign,
			}, more...)
		case "text":
			for _, half := range halves(p.text) {
				more = append(more, m{"type": "response.output_text.delta", "item_id": id, "output_index": i, "content_index": 0, "delta": half})
			}
			add(i, m{"type": "message", "id": id, "role": "assistant", "status": "in_progress", "content": []any{}}, m{
				"type": "message", "id": id, "role": "assistant", "status": "completed",
				"content": []any{m{"type": "output_text", "text": p.text, "annotations": []any{}}},
			}, more...)
		case "call":
			call := func(status, args string) m {
				return m{"type": "function_call", "id": id, "call_id": p.call, "name": p.name, "arguments": args, "status": status}
			}
			for _, half := range halves(p.args) {
				more = append(more, m{"type": "response.function_call_arguments.delta", "item_id": id, "output_index": i, "delta": half})
			}
			more = append(more, m{"type": "response.function_call_arguments.done", "item_id": id, "output_index": i, "arguments": p.args})
			add(i, call("in_progress", ""), call("completed", p.args), more...)
		}
	}
	response := func(status string, output []any, usage any) m {
		return m{"id": "resp_1", "object": "response", "created_at": 1, "model": "o1-pro", "status": status, "output": output, "usage": usage}
	}
	whole := response("completed", output, m{"input_tokens": 1, "output_tokens": 1, "total_tokens": 2})
	if !streamed {
		return text(whole)
	}
	list = append([]m{{"type": "response.created", "response": response("in_progress", []any{}, nil)}}, list...)
	return sse(append(list, m{"type": "response.completed", "response": whole})...)
}

// wireGoogle is an answer of generateContent: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse.
func wireGoogle(a turn, streamed bool) string {
	var parts, pieces []any
	first := true
	for _, p := range a.parts {
		signed := googleSigned(a, p, &first)
		part := m{"text": p.text}
		switch p.kind {
		case "thought":
			part["thought"] = true
		case "call":
			part = m{"functionCall": m{"name": p.name, "args": json.RawMessage(p.args)}}
		}
		if p.kind == "call" {
			pieces = append(pieces, part)
		} else {
			for _, half := range halves(p.text) {
				piece := m{"text": half}
				if p.kind == "thought" {
					piece["thought"] = true
				}
				pieces = append(pieces, piece)
			}
		}
		if signed {
			part["thoughtSignature"] = p.sign
			dict(pieces[len(pieces)-1])["thoughtSignature"] = p.sign // the last piece has it
		}
		parts = append(parts, part)
	}
	chunk := func(parts []any, more m) m {
		candidate := m{"index": 0, "content": m{"role": "model", "parts": parts}}
		for name, v := range more {
			candidate[name] = v
		}
		return m{"candidates": []any{candidate}, "modelVersion": "gemini-2.5-pro", "usageMetadata": m{"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}
	}
	end := m{"finishReason": "STOP"}
	if !streamed {
		return text(chunk(parts, end))
	}
	var list []m
	for i, p := range pieces {
		more := m{}
		if i == len(pieces)-1 {
			more = end
		}
		list = append(list, chunk([]any{p}, more))
	}
	return sse(list...)
}

// joinChat puts chunks together as clients do.
func joinChat(list []m) m {
	said := m{"role": "assistant"}
	var calls, thoughts []any
	for _, e := range list {
		d := dict(dict(list0(e["choices"]))["delta"])
		for name, v := range d {
			switch name {
			case "content", "reasoning_content":
				if s := str(v); s != "" {
					said[name] = str(said[name]) + s
				}
			case "provider_specific_fields":
				merge(said, name, v)
			}
		}
		for _, v := range list0s(d["thinking_blocks"]) {
			last := m{}
			if n := len(thoughts); n > 0 && dict(thoughts[n-1])["signature"] == nil {
				last = dict(thoughts[n-1])
			} else {
				thoughts = append(thoughts, last)
			}
			last["type"], last["thinking"] = v["type"], str(last["thinking"])+str(v["thinking"])
			if s := str(v["signature"]); s != "" {
				last["signature"] = s
			}
		}
		for _, v := range list0s(d["tool_calls"]) {
			n, _ := v["index"].(float64)
			for int(n) >= len(calls) {
				calls = append(calls, m{"type": "function", "function": m{"name": "", "arguments": ""}})
			}
			call, f := dict(calls[int(n)]), dict(v["function"])
			if s := str(v["id"]); s != "" {
				call["id"] = s
			}
			merge(call, "provider_specific_fields", v["provider_specific_fields"])
			to := dict(call["function"])
			to["name"], to["arguments"] = str(to["name"])+str(f["name"]), str(to["arguments"])+str(f["arguments"])
		}
	}
	if calls != nil {
		said["tool_calls"] = calls
	}
	if thoughts != nil {
		said["thinking_blocks"] = thoughts
	}
	return m{"choices": []any{m{"message": said}}}
}

// merge takes the members of an object into one that is there, lists behind lists.
func merge(to m, name string, v any) {
	if v == nil {
		return
	}
	own := dict(to[name])
	if own == nil {
		own = m{}
		to[name] = own
	}
	for key, v := range dict(v) {
		if l, ok := v.([]any); ok {
			v = append(list(own[key]), l...)
		}
		own[key] = v
	}
}

func list0s(v any) []m {
	var out []m
	for _, e := range list(v) {
		out = append(out, dict(e))
	}
	return out
}

// joinMessages puts the events of a message together.
func joinMessages(list []m) m {
	var content []any
	args := ""
	for _, e := range list {
		d := dict(e["delta"])
		switch str(e["type"]) {
		case "content_block_start":
			content, args = append(content, e["content_block"]), ""
		case "content_block_delta":
			b := dict(content[len(content)-1])
			for _, name := range []string{"text", "thinking", "signature"} {
				if s := str(d[name]); s != "" {
					b[name] = str(b[name]) + s
				}
			}
			args += str(d["partial_json"])
		case "content_block_stop":
			if args != "" {
				dict(content[len(content)-1])["input"] = json.RawMessage(args)
			}
		}
	}
	return m{"content": anys(content)}
}

// joinResponses is the response that the last event has, if its items are those that were told one by one.
func joinResponses(list []m) m {
	var items []any
	for _, e := range list {
		if str(e["type"]) == "response.output_item.done" {
			items = append(items, e["item"])
		}
	}
	whole := dict(list[len(list)-1]["response"])
	if text(whole["output"]) != text(items) {
		return nil
	}
	return whole
}

// joinGoogle puts the parts of all chunks behind each other.
func joinGoogle(chunks []m) m {
	var parts []any
	for _, e := range chunks {
		parts = append(parts, list(dict(dict(list0(e["candidates"]))["content"])["parts"])...)
	}
	return m{"candidates": []any{m{"content": m{"role": "model", "parts": parts}}}}
}

// resultsOf are results of the calls in what a caller was told.
func resultsOf(front string, items []any) []part {
	var out []part
	add := func(id, name any) {
		out = append(out, part{kind: "result", call: str(id), name: str(name), text: "done"})
	}
	for _, item := range list0s(items) {
		switch front {
		case "chat":
			for _, c := range list0s(item["tool_calls"]) {
				add(c["id"], dict(c["function"])["name"])
			}
		case "messages":
			for _, b := range list0s(item["content"]) {
				if b["type"] == "tool_use" {
					add(b["id"], b["name"])
				}
			}
		case "responses":
			if item["type"] == "function_call" {
				add(item["call_id"], item["name"])
			}
		case "google":
			for _, p := range list0s(item["parts"]) {
				if c := dict(p["functionCall"]); c != nil {
					add(c["id"], c["name"])
				}
			}
		}
	}
	return out
}
