package sdkclients

import (
	"net/http"
	"strings"
)

// Batches adds to the mock vendor Anthropic's Message Batches (https://docs.anthropic.com/en/api/creating-message-batches).
func Batches(mux *http.ServeMux) {
	// The address is the vendor's, as it knows nothing of a gateway.
	results := map[string]any{"ended": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"}
	batch := func(status string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			write(w, map[string]any{
				"id": "msgbatch_1", "type": "message_batch", "processing_status": status, "created_at": "2024-09-24T18:37:24Z",
				"expires_at": "2024-09-25T18:37:24Z", "ended_at": nil, "archived_at": nil, "cancel_initiated_at": nil, "results_url": results[status],
				"request_counts": map[string]int{"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
			})
		}
	}
	mux.HandleFunc("POST /v1/messages/batches", batch("in_progress"))
	mux.HandleFunc("GET /v1/messages/batches/{id}", batch("ended"))
	mux.HandleFunc("POST /v1/messages/batches/{id}/cancel", batch("canceling"))
	mux.HandleFunc("GET /v1/messages/batches/{id}/results", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-jsonl")
		line := strings.ReplaceAll(`{"custom_id":"one","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant",
			"model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hello from the mock vendor."}],"stop_reason":"end_turn","stop_sequence":null,
			"usage":{"input_tokens":12,"output_tokens":6}}}}`, "\n", "")
		_, _ = w.Write([]byte(line + "\n")) // whose reader has left needs none
	})
}
