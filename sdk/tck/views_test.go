package tck_test

import (
	"math"
	"testing"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/tck"
)

// builder puts a view together.
type builder struct {
	t *testing.T
	b []byte
}

func (v *builder) text(tag abi.Tag, s string) *builder {
	v.b = abi.AppendText(v.b, tag, s)
	return v
}

func (v *builder) number(tag abi.Tag, n uint64) *builder {
	v.b = abi.AppendNumber(v.b, tag, n)
	return v
}

func (v *builder) double(tag abi.Tag, f float64) *builder { return v.number(tag, math.Float64bits(f)) }

func (v *builder) object(tag abi.Tag, m map[string]any) *builder {
	v.t.Helper()
	b, err := abi.AppendMap(v.b, tag, m)
	if err != nil {
		v.t.Fatal(err)
	}
	v.b = b
	return v
}

func (v *builder) inside(tag abi.Tag, fill func(*builder)) *builder {
	var mark int
	v.b, mark = abi.Open(v.b, tag)
	fill(v)
	v.b = abi.Close(v.b, mark)
	return v
}

func (v *builder) header(name, value string) *builder {
	return v.inside(abi.TagHeader, func(v *builder) { v.text(abi.TagKey, name).text(abi.TagText, value) })
}

// request appends what is told of a request.
func (v *builder) request(model string) *builder {
	v.text(abi.TagRequestID, "id-1").text(abi.TagMethod, "POST").text(abi.TagPath, "/v1/chat/completions")
	v.text(abi.TagClientIP, "192.0.2.1")
	if model != "" {
		v.text(abi.TagModel, model)
	}
	return v.text(abi.TagCallType, "acompletion").number(abi.TagStream, 1)
}

func (v *builder) caller() *builder {
	texts := []string{"hash", "alias", "user", "e@example.com", "team", "team-alias", "org", "end-user", "internal_user"}
	for i, s := range texts {
		v.text(abi.TagKeyHash+abi.Tag(i), s)
	}
	return v
}

// extras appends what guardrails are told besides.
func (v *builder) extras() *builder {
	v.object(abi.TagMetadata, full()).object(abi.TagTeamMetadata, map[string]any{"t": 1})
	v.object(abi.TagCallerMetadata, map[string]any{"r": "s"}).object(abi.TagGuardParams, map[string]any{"level": 2.5})
	return v.text(abi.TagTag, "red").text(abi.TagTag, "blue").text(abi.TagState, "earlier")
}

func (v *builder) texts() *builder {
	v.text(abi.TagMessage, "system").text(abi.TagText, "be brief")
	v.text(abi.TagMessage, "") // of a message without texts the host names no role
	return v.text(abi.TagMessage, "user").text(abi.TagText, "one \"quoted\"").text(abi.TagText, "zwölf\n")
}

// argument begins a text of a call's arguments.
func (v *builder) argument(call uint64, key string) *builder {
	v.text(abi.TagTextKind, "arguments").number(abi.TagIndex, call)
	if key != "" {
		v.text(abi.TagKey, key)
	}
	return v
}

// media appends two images: one that the message holds, and one that is elsewhere.
func (v *builder) media() *builder {
	v.inside(abi.TagMedia, func(v *builder) {
		v.number(abi.TagIndex, 2).text(abi.TagMessage, "user").text(abi.TagMediaType, "image").text(abi.TagMIME, "image/png")
		v.number(abi.TagSize, 3).text(abi.TagAt, "messages.2.content.1").text(abi.TagCallID, "file-1").text(abi.TagKey, "a.png")
	})
	return v.inside(abi.TagMedia, func(v *builder) {
		v.number(abi.TagIndex, 0).text(abi.TagMediaType, "image").text(abi.TagAt, "prompt").text(abi.TagURL, "https://example.com/b")
	})
}

func (v *builder) outcome() *builder {
	v.text(abi.TagFinish, "stop").number(abi.TagPromptTokens, 3).number(abi.TagCompletionTokens, 4).number(abi.TagTotalTokens, 7)
	return v.text(abi.TagDeploymentID, "d1").text(abi.TagProvider, "openai")
}

func full() map[string]any {
	return map[string]any{
		"bool": true, "no": false, "float": 1.5, "int": -7, "large": int64(math.MaxInt64), "null": nil, "text": "é \"x\"", "empty": "",
		"list": []any{"a", 1, []any{}, map[string]any{"k": "v"}}, "map": map[string]any{"k": map[string]any{}},
	}
}

// views builds the views of all cases, by hook.
func views(t *testing.T) (cases []tck.Case) {
	add := func(hook abi.Hook, name string) *builder {
		cases = append(cases, tck.Case{Hook: hook, Name: name})
		return &builder{t: t}
	}
	end := func(v *builder) { cases[len(cases)-1].View = v.b }
	for _, hook := range []abi.Hook{abi.HookRequest, abi.HookModeration} {
		end(add(hook, "echo").request("echo").caller().extras().texts())
		v := add(hook, "echo-arguments").request("echo").text(abi.TagMessage, "assistant").text(abi.TagText, "said")
		v.argument(0, "").text(abi.TagText, "to").argument(0, "to").text(abi.TagText, "ann").argument(1, "").text(abi.TagText, "no JSON")
		end(v.text(abi.TagMessage, "tool").text(abi.TagText, "done").media())
		v = add(hook, "echo-kinds").request("echo").number(abi.TagSealed, 1).text(abi.TagTextKind, "definition").text(abi.TagText, "send")
		v.text(abi.TagTextKind, "definition").text(abi.TagText, "Sends it.").text(abi.TagMessage, "assistant").text(abi.TagText, "so")
		end(v.number(abi.TagSealed, 1).text(abi.TagTextKind, "reasoning").text(abi.TagText, "because").text(abi.TagText, "then"))
		end(add(hook, "echo-less").text(abi.TagModel, "echo").text(abi.TagText, "without a message"))
		for _, verdict := range []string{"continue", "reject", "respond", "filtered", "fail", "state", "edit", "change"} {
			end(add(hook, verdict).request(verdict).texts())
		}
		end(add(hook, "empty"))
	}
	for _, key := range []string{"echo", "allow", "bare", "limits", "rights", "fail", "refuse"} {
		v := add(abi.HookAuth, key).text(abi.TagRequestID, "id-1").text(abi.TagMethod, "POST").text(abi.TagPath, "/v1/models")
		v.text(abi.TagClientIP, "192.0.2.1").text(abi.TagModel, "m").text(abi.TagCredential, key).text(abi.TagCredentialRaw, "Bearer "+key)
		end(v.header("x-given", "g").header("x-other", ""))
	}
	end(add(abi.HookAuth, "pass").text(abi.TagRequestID, "id-1"))

	end(add(abi.HookResponse, "echo").request("echo").caller().extras().outcome().
		number(abi.TagChoice, 0).text(abi.TagMessage, "assistant").text(abi.TagText, "hello").
		number(abi.TagChoice, 1).text(abi.TagTextKind, "reasoning").text(abi.TagText, "hm").text(abi.TagTextKind, "refusal").text(abi.TagText, "no"))
	end(add(abi.HookResponse, "echo-arguments").request("echo").number(abi.TagChoice, 0).text(abi.TagText, "hello").
		number(abi.TagChoice, 0).argument(0, "").text(abi.TagText, "to").number(abi.TagChoice, 0).argument(1, "to").text(abi.TagText, "ann").
		number(abi.TagChoice, 1).text(abi.TagTextKind, "transcript").text(abi.TagText, "aloud").media())
	end(add(abi.HookResponse, "echo-part").request("echo").number(abi.TagChoice, 2).text(abi.TagText, "llo wor").
		number(abi.TagPartial, 1).text(abi.TagContext, "he").number(abi.TagFresh, 3).number(abi.TagFinal, 1))
	end(add(abi.HookResponse, "echo-asked").request("echo").number(abi.TagAsked, 1).number(abi.TagRetryLeft, 2))
	end(add(abi.HookStreamChunk, "echo").request("echo").caller().extras().number(abi.TagChoice, 2).text(abi.TagTextKind, "reasoning").
		text(abi.TagContext, "he").text(abi.TagText, "llo wor").number(abi.TagFresh, 3).number(abi.TagFinal, 1))
	end(add(abi.HookStreamChunk, "echo-arguments").request("echo").argument(1, "to").text(abi.TagText, "ann").number(abi.TagFinal, 1))
	end(add(abi.HookStreamChunk, "echo-media").request("echo").media().inside(abi.TagMedia, func(v *builder) {
		v.number(abi.TagIndex, 0).text(abi.TagMediaType, "file").number(abi.TagSize, 4).text(abi.TagFormField, "file").text(abi.TagKey, "a.pdf")
	}))
	end(add(abi.HookStreamEnd, "echo").request("echo").caller().extras().outcome().number(abi.TagLeft, 1))
	end(add(abi.HookFailure, "echo").request("echo").caller().extras().text(abi.TagErrorKind, "rate_limit").number(abi.TagStatus, 429).
		text(abi.TagReason, "slow down").text(abi.TagErrorType, "throttling_error").text(abi.TagDeploymentID, "d1").text(abi.TagProvider, "openai"))
	answer := func(hook abi.Hook, verdicts ...string) {
		for _, verdict := range verdicts {
			end(add(hook, verdict).request(verdict).number(abi.TagChoice, 0).text(abi.TagText, "hello"))
		}
	}
	answer(abi.HookResponse, "continue", "edit", "fail", "retry")
	answer(abi.HookStreamChunk, "continue", "edit", "hold", "drop", "fail", "retry")
	for _, verdict := range []string{"continue", "state", "fail"} {
		end(add(abi.HookStreamEnd, verdict).request(verdict))
	}
	for _, verdict := range []string{"continue", "type", "fail"} {
		end(add(abi.HookFailure, verdict).request(verdict).number(abi.TagStatus, 500).text(abi.TagReason, "oops"))
	}
	rest(add, end)
	return cases
}

// rest builds the views of the hooks off the way of a request.
func rest(add func(abi.Hook, string) *builder, end func(*builder)) {
	record := func(v *builder) {
		v.request("echo").caller().text(abi.TagUserAgent, "curl").number(abi.TagCacheHit, 1)
		v.text(abi.TagVendorModel, "gpt-4o").text(abi.TagProvider, "openai").text(abi.TagDeploymentID, "d1").text(abi.TagBase, "https://example.com")
		v.number(abi.TagStart, 1_700_000_000_000_001).number(abi.TagEnd, 1_700_000_000_000_003).number(abi.TagFirstToken, 1_700_000_000_000_002)
		v.number(abi.TagPromptTokens, 1).number(abi.TagCompletionTokens, 2).number(abi.TagTotalTokens, 3).number(abi.TagCachedTokens, 4)
		v.number(abi.TagReasoningTokens, 5).double(abi.TagCost, 0.25).number(abi.TagStatus, 429).text(abi.TagFinish, "stop")
		v.text(abi.TagErrorClass, "RateLimitError").text(abi.TagReason, "slow down").text(abi.TagTag, "red").text(abi.TagTag, "blue")
		v.text(abi.TagGuardrail, "g1").text(abi.TagGuardrail, "g2").number(abi.TagRetries, 6).number(abi.TagFallbacks, 7)
		v.text(abi.TagMessages, "[]").text(abi.TagAnswer, "{}").object(abi.TagMetadata, full()).object(abi.TagCallerMetadata, map[string]any{"r": "s"})
	}
	plain := func(model string) func(*builder) { return func(v *builder) { v.text(abi.TagModel, model) } }
	end(add(abi.HookLog, "echo").inside(abi.TagRecord, record))
	end(add(abi.HookLog, "delivered").inside(abi.TagRecord, plain("m")))
	end(add(abi.HookLog, "retry").inside(abi.TagRecord, plain("retry")).inside(abi.TagRecord, plain("m")).inside(abi.TagRecord, plain("retry")))
	end(add(abi.HookTick, "tick"))

	deployments := func(v *builder) *builder {
		v.inside(abi.TagDeployment, func(v *builder) {
			v.text(abi.TagDeploymentID, "d1").text(abi.TagModel, "group").text(abi.TagVendorModel, "gpt-4o").text(abi.TagProvider, "openai")
			v.text(abi.TagBase, "https://example.com").text(abi.TagTag, "red").text(abi.TagTag, "blue").double(abi.TagWeight, 0.5)
			v.double(abi.TagRPM, 10).double(abi.TagTPM, 1000).number(abi.TagInFlight, 3).object(abi.TagInfo, full())
		})
		return v.inside(abi.TagDeployment, func(v *builder) { v.text(abi.TagDeploymentID, "d2") })
	}
	end(deployments(add(abi.HookRoute, "echo").request("echo").caller().object(abi.TagMetadata, full()).text(abi.TagTag, "red").number(abi.TagRetries, 2)))
	for _, verdict := range []string{"any", "only", "order"} {
		end(deployments(add(abi.HookRoute, verdict).request(verdict)))
	}
	end(add(abi.HookPrompt, "echo").request("m").caller().text(abi.TagPromptID, "echo").object(abi.TagVariables, full()).
		text(abi.TagLabel, "production").text(abi.TagRevision, "3").texts())
	for _, verdict := range []string{"use", "json", "fail"} {
		end(add(abi.HookPrompt, verdict).request("m").text(abi.TagPromptID, verdict))
	}
	for _, mode := range []string{"echo", "allow", "edit", "fail"} {
		m := full()
		m["mode"] = mode
		end(add(abi.HookKeyGenerate, mode).text(abi.TagRequestID, "id-1").text(abi.TagClientIP, "192.0.2.1").caller().object(abi.TagParams, m))
	}
	for _, hook := range []abi.Hook{abi.HookSSOBegin, abi.HookSSOCallback} {
		for _, verdict := range []string{"echo", "default", "user", "redirect", "fail"} {
			v := add(hook, verdict).text(abi.TagRequestID, "id-1").text(abi.TagMethod, "GET").text(abi.TagPath, "/sso/callback")
			v.text(abi.TagClientIP, "192.0.2.1").text(abi.TagQuery, verdict).header("x-given", "g").object(abi.TagParams, full())
			end(v)
		}
	}
	for _, verdict := range []string{"echo", "call", "answer", "fail"} {
		v := add(abi.HookProvider, "encode-"+verdict).number(abi.TagPhase, uint64(abi.PhaseEncode)).text(abi.TagRequestID, "id-1")
		v.text(abi.TagCallType, "acompletion").text(abi.TagVendorModel, verdict).text(abi.TagBase, "https://example.com").text(abi.TagCredential, "key")
		end(v.number(abi.TagStream, 1).caller().texts())
	}
	decode := func(name, event string, phase abi.Phase) {
		v := add(abi.HookProvider, "decode-"+name).number(abi.TagPhase, uint64(phase)).number(abi.TagStatus, 200)
		if event != "" {
			v.text(abi.TagEvent, event)
		}
		end(v.text(abi.TagBody, "{\"a\":1}").text(abi.TagState, "earlier").header("x-given", "g"))
	}
	decode("whole", "", abi.PhaseWhole)
	decode("event", "echo", abi.PhaseEvent)
	decode("end", "", abi.PhaseEnd)
	for _, event := range []string{"reading", "json", "nothing", "fail"} {
		decode(event, event, abi.PhaseEvent)
	}
}
