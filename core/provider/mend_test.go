package provider

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect"
)

func TestMend(t *testing.T) {
	t.Parallel()
	const calls = `{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	const tools = `"tools":[` + dummyTool + `]`
	cases := []struct{ name, body, want string }{
		{"good", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}`, ""},
		{"assistant first", `{"messages":[{"role":"system","content":"s"},{"role":"assistant","content":"a"}],"model":"m"}`,
			`{"messages":[{"role":"system","content":"s"},` + firstMessage + `,{"role":"assistant","content":"a"}],"model":"m"}`},
		{"instructions only", `{"messages":[{"role":"developer","content":"s"}]}`, `{"messages":[{"role":"developer","content":"s"},` + firstMessage + `]}`},
		{"nothing", `{"messages":[]}`, `{"messages":[` + firstMessage + `]}`},
		{"no tools", `{"tools":null,"messages":[{"role":"user","content":"x"},` + calls + `]}`,
			`{"messages":[{"role":"user","content":"x"},` + calls + `],` + tools + `}`},
		{"a result, no tools", `{"messages":[{"role":"user","content":"x"},{"role":"tool","content":"r"}]}`,
			`{"messages":[{"role":"user","content":"x"},{"role":"tool","content":"r"}],` + tools + `}`},
		{"both", `{"messages":[` + calls + `]}`, `{"messages":[` + firstMessage + `,` + calls + `],` + tools + `}`},
		{"tools", `{"tools":[{"x":1}],"messages":[{"role":"user","content":"x"},` + calls + `]}`, ""},
		{"functions", `{"functions":[{"x":1}],"messages":[{"role":"user","content":"x"},{"role":"function","content":"r"}]}`, ""},
		{"no calls", `{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":null}]}`, ""},
		{"no list", `{"messages":"hi"}`, ""},
		{"no message", `{"messages":["hi"]}`, ""},
	}
	for _, c := range cases {
		got := mended([]byte(c.body), dialect.Get([]byte(c.body), "messages"), present([]byte(c.body), "tools") || present([]byte(c.body), "functions"))
		if string(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}
