package gemini

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
)

// tools writes the tools (https://ai.google.dev/api/caching#Tool). A function becomes one of OpenAI's; a plain search of
// Google becomes web_search_options, which other vendors have as well; every other tool that the API runs itself goes out
// as it is, as callers of the reference write it.
func (w *asker) tools() error {
	if w.toolList == nil {
		return nil
	}
	start := len(w.dst)
	w.put(`,"tools":[`)
	empty := len(w.dst)
	err := elements(w.toolList, "tools", func(at string, tool []byte) error {
		return members(tool, at, func(name string, v []byte) error {
			switch {
			case name == "functionDeclarations":
				return elements(v, at+".functionDeclarations", func(at string, v []byte) error { return w.function(at, v, empty) })
			case name == "googleSearch" && string(v) == "{}":
				w.search = true
				return nil
			}
			w.comma(empty)
			w.put(`{"` + name + `":`)
			w.dst = append(append(w.dst, v...), '}')
			return nil
		})
	})
	if err != nil {
		return err
	}
	if len(w.dst) == empty {
		w.dst = w.dst[:start]
	} else {
		w.put("]")
	}
	if w.search {
		w.put(`,"web_search_options":{}`)
	}
	return nil
}

// comma separates the items of a list that began at the place.
func (w *asker) comma(empty int) {
	if len(w.dst) > empty {
		w.put(",")
	}
}

// function writes a FunctionDeclaration (https://ai.google.dev/api/caching#FunctionDeclaration).
func (w *asker) function(at string, raw []byte, empty int) error {
	var name, description, schema, json, rest []byte
	err := members(raw, at, func(key string, v []byte) error {
		switch key {
		case "name":
			name = v
		case "description":
			description = v
		case "parameters":
			schema = v
		case "parametersJsonSchema":
			json = v
		default:
			if len(rest) > 0 {
				rest = append(rest, ',')
			}
			rest = append(append(append(append(rest, '"'), key...), `":`...), v...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if dialect.Blank(name) {
		return refuse(at+".name", "is missing")
	}
	if schema != nil && json != nil {
		return refuse(at, "has parameters as well as parametersJsonSchema: write one of them")
	}
	w.comma(empty)
	w.put(`{"type":"function","function":{"name":`)
	w.dst = append(w.dst, name...)
	if description != nil {
		w.put(`,"description":`)
		w.dst = append(w.dst, description...)
	}
	switch {
	case json != nil:
		w.put(`,"parameters":`)
		w.dst = append(w.dst, json...)
	case schema != nil:
		w.put(`,"parameters":`)
		if w.dst, err = AppendJSONSchema(w.dst, schema); err != nil {
			return refuse(at+".parameters", err.Error())
		}
	}
	w.put("}")
	if len(rest) > 0 {
		w.put(`,"` + DeclarationKey + `":{`)
		w.dst = append(append(w.dst, rest...), '}')
	}
	w.put("}")
	return nil
}

// toolConfig writes toolConfig (https://ai.google.dev/api/caching#ToolConfig) as tool_choice, where that says all of it.
func (w *asker) toolConfig() error {
	if w.toolConf == nil {
		return nil
	}
	var mode string
	var names []byte
	simple := true
	err := members(w.toolConf, "toolConfig", func(name string, v []byte) error {
		if name != "functionCallingConfig" {
			simple = false
			return nil
		}
		return members(v, "toolConfig.functionCallingConfig", func(name string, v []byte) error {
			switch name {
			case "mode":
				mode = plain(v)
			case "allowedFunctionNames":
				names = v
			default:
				simple = false
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if choice := choiceOf(mode, names); simple && choice != "" {
		w.put(`,"tool_choice":` + choice)
		return nil
	}
	if simple && mode == "" && len(names) <= 2 {
		return nil
	}
	w.member(ToolConfigKey, w.toolConf)
	return nil
}

// choiceOf is the tool_choice for a mode, or "" if there is none. Several names become allowed_tools
// (https://platform.openai.com/docs/api-reference/chat/create#chat-create-tool_choice).
func choiceOf(mode string, names []byte) string {
	var list [][]byte
	for c := dialect.Array(names); c.Next(); {
		list = append(list, c.Value())
	}
	switch {
	case mode == "AUTO" && len(list) == 0:
		return `"auto"`
	case mode == "NONE" && len(list) == 0:
		return `"none"`
	case mode == "ANY" && len(list) == 0:
		return `"required"`
	case mode == "ANY" && len(list) == 1:
		return `{"type":"function","function":{"name":` + string(list[0]) + `}}`
	case mode == "ANY":
		s := `{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[`
		for i, name := range list {
			if i > 0 {
				s += ","
			}
			s += `{"type":"function","function":{"name":` + string(name) + `}}`
		}
		return s + `]}}`
	}
	return ""
}
