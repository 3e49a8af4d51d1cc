package llm

import "time"

// GuardStatus is what came of a guardrail, in the words of the reference's StandardLoggingGuardrailInformation.
type GuardStatus string

// The statuses.
const (
	GuardPassed     GuardStatus = "success"
	GuardIntervened GuardStatus = "guardrail_intervened"
	GuardFailed     GuardStatus = "guardrail_failed_to_respond"
)

// GuardRun is one look of a guardrail at an exchange.
type GuardRun struct {
	Name   string
	Mode   string // "pre_call", "during_call" or "post_call"
	Status GuardStatus
	Start  time.Time
	Took   time.Duration // its own time; of a stream, the sum over all windows
}

// Guarded notes that a guardrail looked at the exchange: in GuardRuns, and, once by name, in Applied. A guardrail that
// only failed is not among the applied ones.
func (x *Exchange) Guarded(run GuardRun) {
	x.GuardRuns = append(x.GuardRuns, run)
	if run.Status == GuardFailed {
		return
	}
	for _, name := range x.Applied {
		if name == run.Name {
			return
		}
	}
	x.Applied = append(x.Applied, run.Name)
}

// Earlier is an answer that did not become the reply, and was paid for: a guardrail did not let it out and had a model asked
// again; or, with Aside, the gateway gave it up, as a stream that broke off and went on elsewhere, or as the slower of two
// calls.
type Earlier struct {
	By         string // the guardrail, or the setting
	Aside      bool
	Settled    bool // an aside that the scopes of the request were charged for
	Deployment *Deployment
	Usage      Usage
	Cost       float64 // US dollars; 0 if it is not known
}

// Used is what the exchange used in all, if u is what its last answer used.
func (x *Exchange) Used(u Usage) Usage {
	for i := range x.Earlier {
		u = u.Plus(x.Earlier[i].Usage)
	}
	return u
}

// SpentBefore is what the earlier answers cost in US dollars.
func (x *Exchange) SpentBefore() (sum float64) {
	for i := range x.Earlier {
		sum += x.Earlier[i].Cost
	}
	return sum
}

// AskedAgain is how often the guardrail had a model asked again.
func (x *Exchange) AskedAgain(guardrail string) (n int) {
	for i := range x.Earlier {
		if x.Earlier[i].By == guardrail {
			n++
		}
	}
	return n
}

// AskedAnew is how often guardrails had a model asked again.
func (x *Exchange) AskedAnew() (n int) {
	for i := range x.Earlier {
		if !x.Earlier[i].Aside {
			n++
		}
	}
	return n
}

// MaxState is how many bytes a plugin may keep with an exchange.
const MaxState = 16 << 10

// State returns what a plugin kept with the exchange, or nil. It is valid until the next SetState under the same name.
func (x *Exchange) State(name string) []byte {
	for i := range x.states {
		if x.states[i].name == name {
			return x.states[i].data
		}
	}
	return nil
}

// SetState copies data as what the plugin keeps with the exchange; empty data drops it. It must not run at the same
// time as State.
func (x *Exchange) SetState(name string, data []byte) {
	for i := range x.states {
		if x.states[i].name == name {
			x.states[i].data = append(x.states[i].data[:0], data...)
			return
		}
	}
	if len(data) > 0 {
		x.states = append(x.states, state{name, append([]byte(nil), data...)})
	}
}

// state is what one plugin keeps.
type state struct {
	name string
	data []byte
}
