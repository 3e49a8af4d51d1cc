package printer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/callback/printer"
)

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no disk") }

func TestPrinter(t *testing.T) {
	t.Parallel()
	batch := []callback.Record{
		{ID: "1", ModelGroup: "gpt-4o", Messages: []byte(`[{"content":"the prompt"}]`)},
		{ID: "2", CallType: "acompletion", Cost: 0.5, CostKnown: true},
	}
	check := func(messages bool) {
		t.Helper()
		var out bytes.Buffer
		if err := printer.New(&out, messages).Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "the prompt"); got != messages {
			t.Errorf("messages %v: printed %s", messages, out.String())
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines", len(lines))
		}
		for i, line := range lines {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil || m["id"] != batch[i].ID || m["response_cost"] != batch[i].Cost {
				t.Errorf("line %d: %v, %s", i, err, line)
			}
			for _, name := range []string{"call_type", "model", "metadata", "status", "startTime", "total_tokens", "hidden_params"} {
				if _, ok := m[name]; !ok {
					t.Errorf("line %d has no %s", i, name)
				}
			}
		}
	}
	check(false)
	check(true)

	if err := printer.New(broken{}, false).Write(t.Context(), batch); err == nil {
		t.Error("a write error was lost")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := printer.New(&out, false).Write(ctx, batch); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("got %v and %d bytes", err, out.Len())
	}
}
