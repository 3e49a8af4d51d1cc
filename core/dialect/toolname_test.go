package dialect

import (
	"strings"
	"testing"
)

func TestToolNames(t *testing.T) {
	t.Parallel()
	long := `"mcp__` + strings.Repeat("server_", 10) + `tool"`
	short := string(ShortToolName([]byte(long)))
	// As the reference cuts it.
	if short != `"mcp__server_server_server_server_server_server_server_s_9f61d1a1"` {
		t.Fatalf("%s", short)
	}
	tools := []byte(`[{"name":"a"},{"name":` + long + `}]`)
	if got := LongToolName(tools, []byte(short)); string(got) != long {
		t.Errorf("got %s", got)
	}
	for _, same := range []string{`"a"`, `"` + strings.Repeat("a", 64) + `"`, `""`, `7`} {
		if got := ShortToolName([]byte(same)); string(got) != same {
			t.Errorf("%s became %s", same, got)
		}
		if got := LongToolName(tools, []byte(same)); string(got) != same {
			t.Errorf("%s became %s", same, got)
		}
	}
	if got := LongToolName(nil, []byte(short)); string(got) != short {
		t.Errorf("got %s", got)
	}
}
