package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

func compiled(t testing.TB, text string) *schema {
	t.Helper()
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s, err := compile(v)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// TestSchema names, for each keyword, values that fit and what is said of those that do not.
func TestSchema(t *testing.T) {
	t.Parallel()
	is := func(schema, value, want string) {
		t.Helper()
		v, err := parse(value)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := compiled(t, schema).check(v); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s: got %q, want %q", schema, value, got, want)
		}
	}
	fits := func(schema, value string) { t.Helper(); is(schema, value, "") }
	fits(`{}`, `1`)
	fits(`true`, `null`)
	is(`false`, `1`, "the answer is not allowed")
	fits(`{"type":"integer"}`, `1.0`)
	is(`{"type":"integer"}`, `1.5`, "the answer must be of type integer")
	fits(`{"type":["string","null"]}`, `null`)
	is(`{"type":["string","null"]}`, `true`, "the answer must be of type string or null")
	is(`{"type":"number"}`, `"1"`, "the answer must be of type number")
	fits(`{"type":"object"}`, `{}`)
	fits(`{"type":"array"}`, `[]`)
	fits(`{"enum":[1,"a",null,{"x":[1]}]}`, `{"x":[1.0]}`)
	is(`{"enum":[1,"a"]}`, `true`, "the answer must be one of the 2 values of the schema")
	is(`{"const":null}`, `0`, "the answer must be one of the 1 values of the schema")
	fits(`{"minimum":1,"maximum":3,"multipleOf":0.1}`, `1.3`)
	is(`{"minimum":1}`, `0`, "the answer must be at least 1")
	is(`{"maximum":1}`, `2`, "the answer must be at most 1")
	is(`{"exclusiveMinimum":1}`, `1`, "the answer must be above 1")
	is(`{"exclusiveMaximum":1}`, `1`, "the answer must be below 1")
	is(`{"multipleOf":2}`, `3`, "the answer must be a multiple of 2")
	fits(`{"minLength":2,"maxLength":2}`, `"é\ud83d\ude00"`)
	is(`{"minLength":3}`, `"ab"`, "the answer must have at least 3 characters")
	is(`{"maxLength":0}`, `"a"`, "the answer must have at most 0 characters")
	fits(`{"pattern":"^a+$"}`, `"aaa"`)
	is(`{"pattern":"^a+$"}`, `"ab"`, "the answer does not match the pattern")
	fits(`{"minLength":3,"minimum":3,"minItems":3}`, `true`)

	object := `{"type":"object","properties":{"a":{"type":"string"},"b/c":{"items":{"type":"integer"}}},"required":["a"],"additionalProperties":false}`
	fits(object, `{"a":"x","b/c":[1,2]}`)
	is(object, `{"b/c":[]}`, `the answer lacks the member "a"`)
	is(object, `{"a":1}`, "/a must be of type string")
	is(object, `{"a":"x","b/c":[1,"s3cret"]}`, "/b~1c/1 must be of type integer")
	is(object, `{"a":"x","s3cret":1}`, "the answer has a member that the schema does not name")
	is(`{"additionalProperties":{"type":"string"}}`, `{"s3cret":1}`, "the answer has a member that does not fit additionalProperties")
	fits(`{"properties":{"a":true},"additionalProperties":{"type":"string"}}`, `{"a":1,"b":"x"}`)
	is(`{"minProperties":1}`, `{}`, "the answer must have at least 1 members")
	is(`{"maxProperties":0}`, `{"a":1}`, "the answer must have at most 0 members")
	is(`{"minItems":1}`, `[]`, "the answer must have at least 1 items")
	is(`{"items":{"maxItems":1}}`, `[[],[1,2]]`, "/1 must have at most 1 items")
	is(`{"uniqueItems":true}`, `[1,{"a":1},{"a":1.0}]`, "the answer has equal items")
	fits(`{"uniqueItems":true}`, `[1,"1",true]`)

	fits(`{"anyOf":[{"type":"string"},{"minimum":3}]}`, `4`)
	is(`{"properties":{"x":{"anyOf":[{"type":"string"},{"minimum":3}]}}}`, `{"x":2}`, "/x fits none of anyOf")
	fits(`{"oneOf":[{"type":"string"},{"type":"integer"}]}`, `4`)
	is(`{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `4`, "the answer fits 2 of oneOf, not one")
	is(`{"allOf":[{"minimum":1},{"maximum":2}]}`, `3`, "the answer must be at most 2")
	is(`{"not":{"type":"null"}}`, `null`, "the answer fits what it must not fit")

	tree := `{"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"v":{"type":"integer"}},"required":["v"]}},"$ref":"#/$defs/node"}`
	fits(tree, `{"v":1,"next":{"v":2}}`)
	is(tree, `{"v":1,"next":{"next":{"v":1}}}`, `/next lacks the member "v"`)
	fits(`{"properties":{"a":{"$ref":"#"}}}`, `{"a":{"a":{}}}`)
	is(`{"$ref":"#"}`, `1`, "the answer cannot be checked: the schema refers to itself without end")
	fits(`{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"null"}}}`, `null`)
	fits(`{"format":"email","title":"x","description":"y","default":1,"examples":[],"$schema":"z"}`, `"x"`)
}

func TestSchemaMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(schema any, want string) {
		t.Helper()
		if _, err := compile(schema); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", schema, err, want)
		}
	}
	one := func(key string, v any) map[string]any { return map[string]any{key: v} }
	mistake("x", `"" must be a schema`)
	mistake(one("patternProperties", one("a", true)), `"/patternProperties" is a keyword that is not supported`)
	mistake(one("properties", one("a/b", one("typ", "x"))), `"/properties/a~1b/typ" is a keyword that is not supported`)
	mistake(one("type", "text"), `"text" is no type`)
	mistake(one("type", 1), `must be a list of texts`)
	mistake(one("required", "a"), `"/required" must be a list of texts`)
	mistake(one("enum", []any{}), `"/enum" must be a list of values`)
	mistake(one("minimum", "1"), `"/minimum" must be a number`)
	mistake(one("multipleOf", 0.0), `"/multipleOf" must be a number`)
	mistake(one("maxLength", -1.0), `"/maxLength" must be a whole number`)
	mistake(one("pattern", "(?=a)"), `"/pattern": error parsing regexp`)
	mistake(one("anyOf", []any{}), `"/anyOf" must be a list of schemas`)
	mistake(one("uniqueItems", "x"), `"/uniqueItems" must be true or false`)
	mistake(one("properties", []any{}), `"/properties" must be an object of schemas`)
	mistake(one("$ref", "https://example.com/a"), `only references into the same schema`)
	mistake(one("$ref", "#/$defs/a"), `which is not there`)
	deep := any(true)
	for range maxNested + 1 {
		deep = one("items", deep)
	}
	mistake(deep, "nested too deep")
}

// FuzzParse compares the parser with encoding/json, which takes a member that appears twice.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,true,null,"x\u00e9\n\ud83d\ude00\ud83d"],"b":{}}`, `[1,]`, `{"a":1,"a":2}`, "\"\x01\"", `01`, `"\x"`, ` 1 2`, `1e999`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parse(s)
		var want any
		wantErr := json.Unmarshal([]byte(s), &want)
		if err != nil {
			if wantErr == nil && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "too deep") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if wantErr != nil {
			t.Fatalf("%q: taken, though %v", s, wantErr)
		}
		if valid := strings.ToValidUTF8(s, "") == s; valid && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %v, want %v", s, got, want)
		}
	})
}

// FuzzSchema compiles foreign schemas and checks foreign values.
func FuzzSchema(f *testing.F) {
	f.Add(`{"$defs":{"n":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"$ref":"#/$defs/n"}`, `null`)
	f.Add(`{"type":"object","properties":{"a":{"pattern":"a+"}},"additionalProperties":false}`, `{"a":"b"}`)
	f.Fuzz(func(t *testing.T, text, value string) {
		v, err := parse(text)
		if err != nil || strings.Count(text, "$ref") > 3 || len(text) > 500 {
			return
		}
		if s, err := compile(v); err == nil {
			if v, err := parse(value); err == nil {
				_ = s.check(v)
			}
		}
	})
}

func TestFences(t *testing.T) {
	t.Parallel()
	is := func(text, want string) {
		t.Helper()
		if got := inside(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	is("```json\n{}\n```", "{}")
	is(" ```\n[1]\n``` \n", "[1]")
	is("{}", "{}")
	is("```{}```", "```{}```")
	is("```json\n{}", "```json\n{}")
	is("```", "```")
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	mistake := func(want string, config map[string]any) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake(`"schema" must be an object`, map[string]any{"schema": "x"})
	mistake(`setting "schema": "/typ" is a keyword`, map[string]any{"schema": map[string]any{"typ": "x"}})
	mistake(`it is "block", "retry" or "log"`, map[string]any{"action": "again"})
	mistake("400 to 499", map[string]any{"status": 500})
	mistake(`unknown setting "scheme"`, map[string]any{"scheme": 1})
}

const person = `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0}},"required":["name"],"additionalProperties":false}`

func settings(t testing.TB, more map[string]any) wasm.Settings {
	s := map[string]any{}
	if err := json.Unmarshal([]byte(person), &s); err != nil {
		t.Fatal(err)
	}
	config := map[string]any{"schema": s}
	for k, v := range more {
		config[k] = v
	}
	return wasm.Settings{Path: plugintest.Build(t, "."), Config: config}
}

func answer(text string) []byte {
	b := llm.AppendQuoted([]byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":`), text)
	return append(b, `},"finish_reason":"stop"}]}`...)
}

// TestAnswers runs the finished module in the gateway's host, on whole answers.
func TestAnswers(t *testing.T) {
	t.Parallel()
	p := plugintest.Load(t, settings(t, map[string]any{"unfence": true}))
	is := func(text string, status int, want string) {
		t.Helper()
		o := p.Response(t, answer(text))
		if got, message := o.Refusal(); got != status || status > 0 && message != "The model's answer does not fit the schema: "+want+"." {
			t.Errorf("%s: got %d %q, want %d %q", text, got, message, status, want)
		}
		if status == 0 && !strings.Contains(string(o.Reply.First.Data), string(llm.AppendQuoted(nil, want))) {
			t.Errorf("%s: the answer is %s", text, o.Reply.First.Data)
		}
	}
	is(`{"name":"Ann","age":3}`, 0, `{"name":"Ann","age":3}`)
	is("```json\n{\"name\":\"Ann\"}\n```", 0, `{"name":"Ann"}`)
	is(`{"name":"Ann","age":-3}`, 422, "/age must be at least 0")
	is(`{"name":"Ann"`, 422, "it is not JSON: no comma or closing brace at byte 13")
	is("Sure! Here it is.", 422, "it is not JSON: no value at byte 0")
	o := p.Response(t, []byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[]},"finish_reason":"tool_calls"}]}`))
	if o.Err != nil {
		t.Errorf("an answer without text: %v", o.Err)
	}
}

// TestStreams cuts an answer into single characters. Nothing of one that does not fit leaves.
func TestStreams(t *testing.T) {
	t.Parallel()
	p := plugintest.Load(t, settings(t, nil))
	stream := func(text string) plugintest.Streamed {
		var chunks []string
		for _, c := range text {
			chunks = append(chunks, string(append(llm.AppendQuoted([]byte(`{"choices":[{"index":0,"delta":{"content":`), string(c)), `}}]}`...)))
		}
		return p.StreamChunks(t, wasm.GuardSettings{}, append(chunks, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`))
	}
	if s := stream(`{"name": "Ann", "age": 3}`); s.Err != nil || s.Text() != `{"name": "Ann", "age": 3}` {
		t.Errorf("got %q, error %v", s.Text(), s.Err)
	}
	if s := stream(`{"name": 7, "age": 3}`); s.Err == nil || s.Text() != "" || !strings.Contains(s.Err.Error(), "/name must be of type string") {
		t.Errorf("got %q, error %v", s.Text(), s.Err)
	}
}

// TestRequestSchema takes the schema of the request.
func TestRequestSchema(t *testing.T) {
	t.Parallel()
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, ".")})
	with := func(body string) func(*llm.Exchange) {
		return func(x *llm.Exchange) {
			if err := x.Body.Parse([]byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	format := func(schema string) string {
		return `{"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":` + schema + `}}}`
	}
	is := func(body, text string, status int) {
		t.Helper()
		for range 2 { // the second time the schema is remembered
			if got, message := p.Response(t, answer(text), with(body)).Refusal(); got != status {
				t.Errorf("%s: got %d %q, want %d", body, got, message, status)
			}
		}
	}
	is(`{"messages":[]}`, "hello", 0)
	is(`{"messages":[],"response_format":{"type":"json_object"}}`, "hello", 0)
	is(format(person), `{"name":"Ann"}`, 0)
	is(format(person), `{"nam":"Ann"}`, 422)
	is(format(`{"patternProperties":{}}`), `{}`, 500)
	p = plugintest.Load(t, settings(t, map[string]any{"action": "log"}))
	is(`{"messages":[]}`, "hello", 0)
}

// BenchmarkAnswer measures a whole answer of 2 KB, through the gateway's host.
func BenchmarkAnswer(b *testing.B) {
	p := plugintest.Load(b, wasm.Settings{Path: plugintest.Build(b, "."), Config: map[string]any{
		"schema": map[string]any{"type": "array", "items": map[string]any{"type": "object", "required": []any{"name", "tags"}, "properties": map[string]any{
			"name": map[string]any{"type": "string", "maxLength": 40.0}, "price": map[string]any{"type": "number", "minimum": 0.0},
			"tags": map[string]any{"type": "array", "items": map[string]any{"enum": []any{"a", "b"}}},
		}}},
	}})
	text := "[" + strings.Repeat(`{"name": "a name of something", "price": 12.50, "tags": ["a", "b"]}, `, 28) + `{"name": "x", "tags": []}]`
	data := answer(text)
	b.ReportAllocs()
	for b.Loop() {
		if o := p.Response(b, data); o.Err != nil {
			b.Fatal(o.Err)
		}
	}
}
