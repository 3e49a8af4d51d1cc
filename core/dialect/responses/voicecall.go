package responses

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// toolCall tells what a delta says of a call. Items follow one another, so a call that is gone on with after another one
// began cannot be told.
func (v *Voice) toolCall(raw []byte) error {
	var p dialect.CallPiece
	p.Scan(raw)
	arguments := p.Arguments
	if v.cur.kind != callItem || v.calls.Another(&p) {
		if dialect.Blank(p.Name) {
			if dialect.Blank(arguments) {
				return nil
			}
			return unreadable("a piece of a tool's arguments belongs to no call, or to one that has ended")
		}
		name := dialect.LongToolName(v.Ask.Get("tools"), p.Name)
		v.start(callItem, "fc")
		v.calls.Begin(&p)
		v.cur.name, v.cur.custom = dialect.Copied(name), v.custom(name)
		v.cur.callID = dialect.Copied(p.ID)
		if dialect.Blank(p.ID) {
			v.cur.callID = quoted([]byte("call_" + v.cur.id))
		}
		v.added()
	}
	if len(arguments) > 0 && arguments[0] == '{' {
		arguments = llm.AppendQuoted(nil, string(arguments))
	}
	if dialect.Blank(arguments) {
		return nil
	}
	v.cur.text = append(v.cur.text, dialect.Inside(arguments)...)
	if !v.cur.custom {
		b := v.about("response.function_call_arguments.delta")
		b.Key("delta").Raw(arguments)
		v.sent(b)
	}
	return nil
}

// custom reports whether the request has a tool of the name that takes free text.
func (v *Voice) custom(name []byte) bool {
	for c := dialect.Array(v.Ask.Get("tools")); c.Next(); {
		if string(dialect.Get(c.Value(), "type")) == `"custom"` && string(dialect.Get(c.Value(), "name")) == string(name) {
			return true
		}
	}
	return false
}

// freeText is the input of a tool with free text, from the arguments of the function that stands for it. Arguments that
// have another form are the text themselves.
func (v *Voice) freeText() []byte {
	arguments, _ := llm.AppendUnescaped(nil, v.cur.text)
	if input := dialect.Get(arguments, "input"); len(input) > 1 && input[0] == '"' {
		return input[1 : len(input)-1]
	}
	return v.cur.text
}

func (v *Voice) closeCall() {
	i := &v.cur
	if i.custom {
		text := quoted(v.freeText())
		b := v.about("response.custom_tool_call_input.delta")
		b.Key("delta").Raw(text)
		v.sent(b)
		b = v.about("response.custom_tool_call_input.done")
		b.Key("input").Raw(text)
		v.sent(b)
		return
	}
	if len(i.text) == 0 {
		i.text = append(i.text, "{}"...)
	}
	b := v.about("response.function_call_arguments.done")
	b.Key("name").Raw(i.name).Key("arguments").Raw(quoted(i.text))
	v.sent(b)
}
