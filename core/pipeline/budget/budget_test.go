package budget_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/budget"
	"github.com/sallyport-ai/sallyport/core/router"
)

func priced(in, out float64) *llm.Price {
	r := llm.Rates{Input: in, Output: out}
	return &llm.Price{Levels: []llm.Level{{Rates: [llm.ServiceTiers]llm.Rates{r, r, r, r}}}}
}

func request(t testing.TB, model, body string) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Model = llm.OpChat, model
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestEstimate shows what requests may cost at most.
func TestEstimate(t *testing.T) {
	asked := 0
	q := budget.NewQuotes(map[string]budget.Quote{
		"m":    {Prices: []*llm.Price{priced(0, 1), priced(0, 2)}, MaxOutput: 300},
		"free": {Prices: []*llm.Price{priced(0, 0)}},
		"half": {Prices: []*llm.Price{priced(0, 0), nil}},
	}, func(string) budget.Quote { asked++; return budget.Quote{Prices: []*llm.Price{priced(0, 3)}} })
	f := func(model, body string, cost float64, free bool) {
		t.Helper()
		_, got, isFree := q.Estimate(request(t, model, body))
		if got != cost || isFree != free {
			t.Errorf("%s %s: %v %v, want %v %v", model, body, got, isFree, cost, free)
		}
	}
	f("m", `{"max_tokens":10}`, 20, false)
	f("m", `{"max_completion_tokens":10,"max_tokens":500}`, 20, false)
	f("m", `{"max_tokens":10,"n":3}`, 60, false)
	f("m", `{}`, 600, false)
	f("m", `{"max_tokens":"many"}`, 600, false)
	f("m", `{"max_tokens":-5}`, 0, false)
	f("free", `{}`, 0, true)
	f("half", `{}`, 0, false)
	f("wild/x", `{"max_tokens":1}`, 3, false)
	f("wild/x", `{"max_tokens":2}`, 6, false)
	if asked != 1 {
		t.Errorf("asked %d times for one model", asked)
	}
	x := request(t, "m", `{"model":"m","messages":[],"max_tokens":10,"user":"u"}`)
	if n := testing.AllocsPerRun(100, func() { q.Estimate(x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRefuse shows that an error says whose budget it is, how much it is, and when it begins anew.
func TestRefuse(t *testing.T) {
	t.Parallel()
	reset := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	f := func(s llm.Scope, want ...string) {
		t.Helper()
		s.Live = llm.NewLive(s.Kind, s.ID)
		s.Budget.Limited = true
		s.Charge(&s, 1, 0.1+0.2)
		e := budget.Refuse(&s, llm.OverBudget, &llm.Ask{Now: 1})
		for _, w := range want {
			if !strings.Contains(e.Message, w) {
				t.Errorf("%q lacks %q", e.Message, w)
			}
		}
		if e.HTTPStatus() != 400 || e.Type != "budget_exceeded" || e.Param != "" {
			t.Errorf("%+v", e)
		}
	}
	f(llm.Scope{Kind: llm.ScopeKey, ID: "hash", Alias: "al", Budget: llm.Budget{Max: 0.3, Duration: "1d", ResetAt: reset}},
		"Budget has been exceeded! Current cost: 0.3, Max budget: 0.3", "key hash (al)", "0.3 US dollars in 1d", "resets at 2030-01-02T00:00:00Z")
	f(llm.Scope{Kind: llm.ScopeTeam, ID: "t", Budget: llm.Budget{Max: 0.25}}, "Budget has been exceeded! Team=t Current cost: 0.3, Max budget: 0.25", "does not reset")
	f(llm.Scope{Kind: llm.ScopeTeamMember, ID: "t:u:1"}, "User=u:1 in Team=t Current cost: 0.3, Max budget: 0.0")
	f(llm.Scope{Kind: llm.ScopeUser, ID: "u"}, "ExceededBudget: User=u over budget. Spend=0.3, Budget=0.0")
	f(llm.Scope{Kind: llm.ScopeEndUser, ID: "e"}, "ExceededBudget: End User=e over budget. Spend=0.3, Budget=0.0")
	f(llm.Scope{Kind: llm.ScopeTag, ID: "g"}, "Tag=g Current cost")
	f(llm.Scope{Kind: llm.ScopeModelPerKey, ID: "hash:m:1", Model: "m:1"}, "LiteLLM Virtual Key: hash, key_alias: None, exceeded budget for model=m:1")
	// Those of authenticators speak of whom they are for, and of what was spent elsewhere.
	f(llm.Scope{Kind: llm.ScopeGrantedKey, ID: "hash", Budget: llm.Budget{Max: 2.3, Before: 2, Soft: 9}},
		"Budget has been exceeded! Current cost: 2.3, Max budget: 2.3. Budget of key hash: 2.3 US dollars;")
	f(llm.Scope{Kind: llm.ScopeGrantedTeam, ID: llm.GrantedID("t", 1_893_542_400), Budget: llm.Budget{Max: 0.25, ResetAt: reset}},
		"Team=t Current cost: 0.3, Max budget: 0.25. Budget of team t: ", "resets at 2030-01-02T00:00:00Z")
	f(llm.Scope{Kind: llm.ScopeGrantedMember, ID: "t:u:1"}, "User=u:1 in Team=t Current", "Budget of user u:1 in team t")
	f(llm.Scope{Kind: llm.ScopeGrantedUser, ID: "u"}, "ExceededBudget: User=u over budget", "Budget of user u")
	f(llm.Scope{Kind: llm.ScopeGrantedEndUser, ID: "e"}, "ExceededBudget: End User=e over budget", "Budget of end user e")
	f(llm.Scope{Kind: llm.ScopeGrantedOrg, ID: "o"}, "Organization=o Current", "Budget of organization o")
	f(llm.Scope{Kind: llm.ScopeGrantedModelPerKey, ID: "hash:m", Model: "m"}, "LiteLLM Virtual Key: hash, key_alias: None, exceeded budget for model=m")
	f(llm.Scope{Kind: llm.ScopeGrantedModelPerTeam, ID: "t:m", Model: "m"}, "model per team t, model=m")
}

func TestDollars(t *testing.T) {
	t.Parallel()
	f := func(v float64, want string) {
		t.Helper()
		if got := budget.Dollars(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	f(0, "0.0")
	f(10, "10.0")
	f(0.1+0.2, "0.3")
	f(0.0012, "0.0012")
	f(0.00001, "1e-05")
	f(1234567.5, "1234567.5")
}

// TestDeployments shows which deployments are left when the budgets of some are spent.
func TestDeployments(t *testing.T) {
	deployment := func(id string, spent float64) *llm.Deployment {
		s := &llm.Scope{Kind: llm.ScopeDeployment, ID: id, Live: llm.NewLive(llm.ScopeDeployment, id), Budget: llm.Budget{Limited: true, Max: 1}}
		s.Charge(s, 1, spent)
		return &llm.Deployment{ID: id, Scopes: []*llm.Scope{s}}
	}
	x := &llm.Exchange{Start: time.Now()}
	var check router.Check = budget.Deployments{}
	if check.Allows(x, deployment("a", 2)) || !check.Allows(x, deployment("b", 0.5)) || !check.Allows(x, &llm.Deployment{}) {
		t.Error("the one over its budget is called, or the other is not")
	}
	err := check.Refusal(x, []*llm.Deployment{deployment("a", 1), deployment("b", 2)})
	if e := llm.AsError(err); e == nil || e.HTTPStatus() != 429 || !strings.Contains(e.Message, "deployment a: 1.0 >= 1.0; Exceeded budget for deployment b: 2.0 >= 1.0") {
		t.Errorf("%v", err)
	}
	d := deployment("a", 0.5)
	if n := testing.AllocsPerRun(100, func() { check.Allows(x, d) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
