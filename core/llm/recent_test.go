package llm_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// TestRecent shows what a process tells of the last minute: what was let pass here, by steps, without what is still asked for,
// and what all had used, as far as it has not left the minute.
func TestRecent(t *testing.T) {
	t.Parallel()
	const base = 1_700_000_000 * second // a step of five seconds begins
	s := scope(llm.ScopeKey, llm.Limits{RPM: 100, TPM: 1000}, llm.Budget{})
	want := func(at int64, want llm.Recent) {
		t.Helper()
		if d := cmp.Diff(want, s.Recent(base+at, 5*time.Second)); d != "" {
			t.Error(d)
		}
	}
	take := func(at, tokens int64, granted bool) *llm.Hold {
		h := &llm.Hold{}
		s.Take(s, &llm.Ask{Now: base + at, Tokens: tokens}, h)
		if granted {
			s.Granted(h, true)
		}
		return h
	}
	want(0, llm.Recent{})
	first := take(0, 10, true)
	take(second, 20, true)
	asked := take(6*second, 5, false)
	want(6*second, llm.Recent{Steps: "340000000 2 30", Reserved: 30})
	s.Granted(asked, true)
	want(6*second, llm.Recent{Steps: "340000001 1 5,340000000 2 30", Reserved: 35})
	s.Settle(first, base+7*second, 7, 0)
	want(7*second, llm.Recent{Steps: "340000001 1 12,340000000 2 20", Reserved: 25})
	s.Undo(take(7*second, 9, false), base+7*second)
	s.SeenMinute(base+7*second, 50, 600)
	want(7*second, llm.Recent{Steps: "340000001 1 12,340000000 2 20", Reserved: 25, AllRequests: 50, AllTokens: 600})
	s.SeenMinute(base, 90, 900) // an older answer, later
	want(37*second, llm.Recent{Steps: "340000001 1 12,340000000 2 20", Reserved: 25, AllRequests: 25, AllTokens: 300})
	want(200*second, llm.Recent{})
}
