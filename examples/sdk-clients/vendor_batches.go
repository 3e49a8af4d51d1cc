package sdkclients

import "net/http"

// Batches adds to the mock vendor Anthropic's Message Batches (https://docs.anthropic.com/en/api/creating-message-batches).
func Batches(mux *http.ServeMux) {
	batch := func(status string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			write(w, map[string]any{
				"id": "msgbatch_1", "type": "message_batch", "processing_status": status, "created_at": "2024-09-24T18:37:24Z",
				"expires_at": "2024-09-25T18:37:24Z", "ended_at": nil, "archived_at": nil, "cancel_initiated_at": nil, "results_url": nil,
				"request_counts": map[string]int{"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
			})
		}
	}
	mux.HandleFunc("POST /v1/messages/batches", batch("in_progress"))
	mux.HandleFunc("GET /v1/messages/batches/{id}", batch("ended"))
	mux.HandleFunc("POST /v1/messages/batches/{id}/cancel", batch("canceling"))
}
