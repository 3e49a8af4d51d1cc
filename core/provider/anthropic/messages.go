package anthropic

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// message is a message of the request. The slices are JSON values as written, and nil where they are absent or null.
type message struct {
	role     role
	index    int
	content  []byte
	cache    []byte
	refusal  []byte
	calls    []byte
	callID   []byte
	failed   []byte // is_error of a tool's result
	thinking []byte // thinking_blocks
	blocks   []byte // provider_specific_fields.blocks: what an earlier answer held besides
	order    []byte // provider_specific_fields.order: the kinds of its blocks, where they do not come sorted
	named    bool
}

type role uint8

const (
	roleSystem role = iota
	roleUser
	roleAssistant
	roleTool
)

func number(n int) string { return strconv.Itoa(n) }

// at is the place of a message in errors.
func (m *message) at(more string) string { return "messages[" + number(m.index) + "]" + more }

func (m *message) bad(more, problem string) error {
	at := m.at(more)
	return refusal(at, "`"+at+"` "+problem+".")
}

// collectMessages lists the messages.
func (n *encoder) collectMessages() error {
	if len(n.messages) == 0 || n.messages[0] != '[' {
		return refusal("messages", "`messages` must be a list.")
	}
	for c := dialect.Array(n.messages); c.Next(); {
		m := message{index: len(n.list)}
		if c.First() != '{' {
			return m.bad("", "must be an object")
		}
		if err := n.readMessage(&m, c.Value()); err != nil {
			return err
		}
		n.list = append(n.list, m)
	}
	return nil
}

func (n *encoder) readMessage(m *message, raw []byte) error {
	known := false
	for c := dialect.Object(raw); c.Next(); {
		v := c.Value()
		if string(c.Key()) == "role" {
			if m.role, known = roleOf(v); !known {
				return m.bad(".role", "must be system, developer, user, assistant or tool")
			}
			continue
		}
		if dialect.Null(v) || m.take(c.Key(), v) || n.drop {
			continue
		}
		return m.bad("."+string(c.Key()), noCounterpart)
	}
	if !known {
		return m.bad(".role", "is missing")
	}
	if m.named && m.role != roleTool && !n.drop { // a call has the name of its tool
		return m.bad(".name", noCounterpart)
	}
	return nil
}

const noCounterpart = "has no counterpart in the API of " + Name + ": remove it or set drop_params"

func roleOf(v []byte) (role, bool) {
	switch string(v) {
	case `"system"`, `"developer"`:
		return roleSystem, true
	case `"user"`:
		return roleUser, true
	case `"assistant"`:
		return roleAssistant, true
	case `"tool"`:
		return roleTool, true
	}
	return 0, false
}

// take keeps a member. It returns false if the member cannot be carried. Members that an answer has and that callers
// send back with it, and that say nothing which is not said elsewhere, are taken and left out; reasoning without its
// signature is among them, which the API does not take back.
func (m *message) take(key, v []byte) bool {
	switch string(key) {
	case "content":
		m.content = v
	case "cache_control":
		m.cache = v
	case "refusal":
		m.refusal = v
	case "tool_calls":
		m.calls = v
	case "tool_call_id":
		m.callID = v
	case "is_error":
		m.failed = v
	case "thinking_blocks":
		m.thinking = v
	case "provider_specific_fields":
		if m.thinking == nil {
			m.thinking = list(dialect.Get(v, "thinking_blocks"))
		}
		m.blocks, m.order = list(dialect.Get(v, "blocks")), list(dialect.Get(v, "order"))
	case "reasoning_content", "reasoning", "annotations", "images", "index", "id", "status":
	case "name":
		m.named = true
	default: // such as audio and function_call
		return false
	}
	return true
}

func list(v []byte) []byte {
	if len(v) == 0 || v[0] != '[' {
		return nil
	}
	return v
}

// system writes the system and developer messages, which the API has apart from the others, as blocks.
func (n *encoder) system() error {
	own := n.given("system")
	start := len(n.dst)
	n.put(`,"system":[`)
	n.items = 0
	for i := range n.list {
		m := &n.list[i]
		if m.role != roleSystem {
			continue
		}
		if err := n.content(m, textOnly); err != nil {
			return err
		}
	}
	if n.items == 0 {
		n.dst = n.dst[:start]
		if own != nil {
			n.put(`,"system":`)
			n.raw(own)
		}
		return nil
	}
	if own != nil {
		return refusal("system", "`system` and messages with the role system say the same: write one of them.")
	}
	n.put("]")
	return nil
}

// conversation writes the other messages. Turns must alternate, so what follows from the same side is one turn, in
// which the results of tools come first (https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls).
func (n *encoder) conversation() error {
	n.put(`,"messages":[`)
	turns := 0
	for i := 0; i < len(n.list); {
		if n.list[i].role == roleSystem {
			i++
			continue
		}
		j := n.turnEnd(i)
		start := len(n.dst)
		if turns > 0 {
			n.put(",")
		}
		wrote, err := n.turn(n.list[i:j])
		if err != nil {
			return err
		}
		if wrote {
			turns++
		} else {
			n.dst = n.dst[:start]
		}
		i = j
	}
	if turns == 0 {
		return refusal("messages", "`messages` must hold at least one message of the user: "+Name+" does not answer to system messages alone.")
	}
	n.put("]")
	return nil
}

// turnEnd is the end of the turn that begins with message i. System messages in between belong to no side.
func (n *encoder) turnEnd(i int) int {
	assistant := n.list[i].role == roleAssistant
	j := i + 1
	for j < len(n.list) && (n.list[j].role == roleSystem || (n.list[j].role == roleAssistant) == assistant) {
		j++
	}
	return j
}

// turn writes the messages of one side. It returns false if there is nothing in them.
func (n *encoder) turn(list []message) (bool, error) {
	n.items = 0
	if list[0].role == roleAssistant {
		n.put(`{"role":"assistant","content":[`)
		for i := range list {
			if list[i].role != roleAssistant {
				continue
			}
			if err := n.assistant(&list[i]); err != nil {
				return false, err
			}
		}
		n.put("]}")
		return n.items > 0, nil
	}
	n.put(`{"role":"user","content":[`)
	for i := range list {
		if list[i].role == roleTool {
			if err := n.toolResult(&list[i]); err != nil {
				return false, err
			}
		}
	}
	for i := range list {
		if list[i].role == roleUser {
			if err := n.content(&list[i], userParts); err != nil {
				return false, err
			}
		}
	}
	n.put("]}")
	if n.items == 0 {
		return false, list[0].bad(".content", "is empty, which "+Name+" does not take")
	}
	return true, nil
}

// assistant writes an answer of an earlier turn: what it thought, what tools of the API's own did, what it said, and
// the tools it called. Thinking goes back with its signature, as it came
// (https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks).
func (n *encoder) assistant(m *message) error {
	if m.order != nil {
		return n.inOrder(m)
	}
	if err := n.thoughts(m); err != nil {
		return err
	}
	if err := n.content(m, assistantParts); err != nil {
		return err
	}
	if m.refusal != nil && !blank(m.refusal) {
		n.text(m.refusal, nil)
	}
	if m.calls == nil {
		return nil
	}
	if m.calls[0] != '[' {
		return m.bad(".tool_calls", "must be a list")
	}
	i := 0
	for c := dialect.Array(m.calls); c.Next(); i++ {
		if err := n.toolCall(m, c.Value(), ".tool_calls["+number(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

// thoughts writes the blocks that lead an answer. A stream gives thinking in pieces of which the last has the signature,
// and a caller may send them back like that: they are put together again.
func (n *encoder) thoughts(m *message) error {
	open := false // thinking without its signature is under way
	start, items := 0, 0
	for _, l := range [...][]byte{m.thinking, m.blocks} {
		for c := dialect.Array(l); c.Next(); {
			if c.First() != '{' {
				return m.bad(".thinking_blocks", "must be a list of objects")
			}
			text, signature := pieceOf(c.Value())
			if text == nil && open {
				return m.bad(".thinking_blocks", unsigned)
			}
			if n.foreign(text, signature) {
				if open {
					n.dst, n.items, open = n.dst[:start], items, false
				}
				continue
			}
			if !open {
				start, items = len(n.dst), n.items
				n.comma()
			}
			if text == nil || !open && signature != nil {
				n.raw(c.Value())
				continue
			}
			open = n.thought(text, signature, open)
		}
	}
	if open {
		return m.bad(".thinking_blocks", unsigned)
	}
	return nil
}

// foreign reports whether a thinking block is of another vendor's model: one that OpenAI signed, or one that a caller who
// speaks another dialect sends without a signature. The API does not take it back, and it is no part of the answer.
func (n *encoder) foreign(text, signature []byte) bool {
	return openai.OwnSignature(signature) || n.x.Dialect != llm.DialectOpenAI && text != nil && signature == nil
}

const unsigned = "holds thinking without a signature, which " + Name + " does not take back"

// thought writes a piece of thinking, and reports whether the block stays open.
func (n *encoder) thought(text, signature []byte, open bool) bool {
	if !open {
		n.put(`{"type":"thinking","thinking":"`)
	}
	n.raw(text[1 : len(text)-1])
	if signature == nil {
		return true
	}
	n.put(`","signature":`)
	n.raw(signature)
	n.put("}")
	return false
}

// pieceOf is the text and the signature of a thinking block. text is nil for other blocks, signature if there is none.
func pieceOf(block []byte) (text, signature []byte) {
	for c := dialect.Object(block); c.Next(); {
		switch v := c.Value(); string(c.Key()) {
		case "type":
			if string(v) != `"thinking"` {
				return nil, nil
			}
		case "thinking":
			if v[0] == '"' {
				text = v
			}
		case "signature":
			if v[0] == '"' && len(v) > 2 {
				signature = v
			}
		}
	}
	return text, signature
}

func (n *encoder) toolCall(m *message, raw []byte, at string) error {
	var id, function, cache []byte
	for c := dialect.Object(raw); c.Next(); {
		switch string(c.Key()) {
		case "id":
			id = c.Value()
		case "function":
			function = c.Value()
		case "cache_control":
			cache = c.Value()
		}
	}
	if len(function) == 0 || function[0] != '{' {
		return m.bad(at, "is not a call of a function, so it cannot be sent to "+Name)
	}
	name, arguments := dialect.Get(function, "name"), dialect.Get(function, "arguments")
	if len(name) < 3 || name[0] != '"' {
		return m.bad(at+".function.name", "is missing")
	}
	n.comma()
	n.put(`{"type":"tool_use","id":`)
	if !n.toolID(id) {
		return m.bad(at+".id", "is missing")
	}
	n.put(`,"name":`)
	n.raw(name)
	n.put(`,"input":`)
	if !n.arguments(arguments) {
		return m.bad(at+".function.arguments", "must be a JSON object, written as a string")
	}
	n.further(raw)
	n.cacheControl(cache)
	n.put("}")
	return nil
}

// arguments writes the arguments of a call, a string that holds JSON, as JSON.
func (n *encoder) arguments(v []byte) bool {
	if dialect.Null(v) || blank(v) {
		n.put("{}")
		return true
	}
	if v[0] == '{' { // some vendors' answers hold it like this
		n.raw(v)
		return true
	}
	if v[0] != '"' {
		return false
	}
	start, ok := len(n.dst), false
	if n.dst, ok = llm.AppendUnescaped(n.dst, v[1:len(v)-1]); !ok {
		return false
	}
	out := bytes.TrimSpace(n.dst[start:])
	if len(out) == 0 {
		n.put("{}")
		return true
	}
	return out[0] == '{' && json.Valid(out)
}

// toolID writes the id of a call. The API takes letters, digits, _ and - only; the ids of other vendors, which a
// conversation may bring along, can hold more. Both the call and its result get the same id.
func (n *encoder) toolID(v []byte) bool {
	id, ok := llm.Text(v)
	if !ok || len(id) == 0 {
		return false
	}
	n.put(`"`)
	for _, c := range id {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' {
			n.dst = append(n.dst, c)
		} else {
			n.dst = append(n.dst, '_')
		}
	}
	n.put(`"`)
	return true
}

// toolResult writes what a tool gave.
func (n *encoder) toolResult(m *message) error {
	n.comma()
	n.put(`{"type":"tool_result","tool_use_id":`)
	if !n.toolID(m.callID) {
		return m.bad(".tool_call_id", "is missing: it says which call the result is of")
	}
	if string(m.failed) == "true" {
		n.put(`,"is_error":true`)
	}
	cache := m.cache
	m.cache = nil
	switch {
	case m.content == nil:
	case m.content[0] == '"':
		n.put(`,"content":`)
		n.raw(m.content)
	default:
		outer := n.items
		n.put(`,"content":[`)
		n.items = 0
		if err := n.content(m, userParts); err != nil {
			return err
		}
		n.put("]")
		n.items = outer
	}
	n.cacheControl(cache)
	n.put("}")
	return nil
}
