package virtualkey

import "github.com/sallyport-ai/sallyport/core/llm"

// keepsGuardrails reports whether the requests of a team may not choose guardrails: {"guardrails": {"modify_guardrails":
// false}} in the team's metadata (litellm/proxy/guardrails/guardrail_helpers.py, can_modify_guardrails).
func keepsGuardrails(p *llm.Principal) bool {
	set, _ := p.TeamMetadata["guardrails"].(map[string]any)
	may, said := set["modify_guardrails"].(bool)
	return said && !may
}

// namesGuardrails reports whether a request chooses guardrails, in its own member or in its metadata. An empty choice is
// none. What cannot be read counts as a choice.
func namesGuardrails(x *llm.Exchange) bool {
	if chosen(x.Controls.Guardrails) {
		return true
	}
	if x.Controls.Metadata == nil {
		return false
	}
	var o llm.Object
	return o.Parse(x.Controls.Metadata) != nil || chosen(o.Get("guardrails"))
}

func chosen(raw []byte) bool {
	switch string(raw) {
	case "", "null", "[]", "{}", "false", `""`:
		return false
	}
	return true
}
