package listener

import (
	"testing"
)

func TestEscapeSegment(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"resp_a-1.b": "resp_a-1.b", "../x": "%2E.%2Fx", "a?b#c": "a%3Fb%23c", "é": "%C3%A9"} {
		if got := escapeSegment(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
