package sdkclients

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/fasthttp/websocket"
)

// Stored adds to the mock vendor what it keeps and runs besides files: fine-tuning jobs, assistants, threads, vector
// stores, and conversations over WebSockets.
func Stored(mux *http.ServeMux) {
	const at = 1700000000
	job := func(status string) map[string]any {
		return map[string]any{"id": "ftjob-1", "object": "fine_tuning.job", "created_at": at, "model": "gpt-4.1-mini", "status": status,
			"training_file": "file-1", "organization_id": "org", "result_files": []string{}, "seed": 1, "hyperparameters": map[string]any{}}
	}
	store := map[string]any{"id": "vs_1", "object": "vector_store", "created_at": at, "name": "notes", "status": "completed", "usage_bytes": 5,
		"file_counts": map[string]int{"total": 1, "completed": 1, "in_progress": 0, "failed": 0, "cancelled": 0}}
	answer := func(pattern string, of func(r *http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { write(w, of(r).(map[string]any)) })
	}
	fixed := func(pattern string, v map[string]any) { answer(pattern, func(*http.Request) any { return v }) }
	fixed("POST /v1/fine_tuning/jobs", job("validating_files"))
	fixed("POST /v1/fine_tuning/jobs/{id}/cancel", job("cancelled"))
	fixed("GET /v1/fine_tuning/jobs/{id}/events", map[string]any{"object": "list", "has_more": false, "data": []any{
		map[string]any{"id": "ev", "object": "fine_tuning.job.event", "created_at": at, "level": "info", "message": "Queued", "type": "message"},
	}})
	fixed("POST /v1/assistants", map[string]any{"id": "asst_1", "object": "assistant", "created_at": at, "model": "gpt-4.1-mini", "name": "helper", "tools": []any{}, "metadata": map[string]any{}})
	fixed("DELETE /v1/assistants/{id}", map[string]any{"id": "asst_1", "object": "assistant.deleted", "deleted": true})
	fixed("POST /v1/threads", map[string]any{"id": "thread_1", "object": "thread", "created_at": at, "metadata": map[string]any{}})
	fixed("POST /v1/threads/{id}/messages", map[string]any{"id": "msg_1", "object": "thread.message", "created_at": at, "thread_id": "thread_1", "role": "user", "status": "completed", "content": []any{}, "attachments": []any{}, "metadata": map[string]any{}})
	mux.HandleFunc("POST /v1/threads/{id}/runs", runThread)
	fixed("POST /v1/vector_stores", store)
	fixed("POST /v1/vector_stores/{id}/files", map[string]any{"id": "file-1", "object": "vector_store.file", "created_at": at, "vector_store_id": "vs_1", "status": "completed", "usage_bytes": 5})
	answer("POST /v1/vector_stores/{id}/search", func(r *http.Request) any {
		var q struct{ Query string }
		_ = json.NewDecoder(r.Body).Decode(&q) // what cannot be read finds nothing
		return map[string]any{"object": "vector_store.search_results.page", "search_query": []string{q.Query}, "has_more": false, "next_page": nil, "data": []any{
			map[string]any{"file_id": "file-1", "filename": "notes.txt", "score": 0.5, "attributes": map[string]any{}, "content": []any{map[string]any{"type": "text", "text": "about " + q.Query}}},
		}}
	})
	fixed("DELETE /v1/vector_stores/{id}", map[string]any{"id": "vs_1", "object": "vector_store.deleted", "deleted": true})
	mux.HandleFunc("GET /v1/realtime", talk)
}

// runThread answers with the events of a run, which only the beta of assistants has.
func runThread(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("OpenAI-Beta") != "assistants=v2" {
		refuse(w, http.StatusBadRequest, "invalid_beta", "", "You must provide the 'OpenAI-Beta' header to access the Assistants API.")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, text := range []string{"Hel", "lo"} {
		fmt.Fprintf(w, "event: thread.message.delta\ndata: {\"id\":\"msg_2\",\"object\":\"thread.message.delta\",\"delta\":{\"content\":[{\"index\":0,\"type\":\"text\",\"text\":{\"value\":%q,\"annotations\":[]}}]}}\n\n", text)
	}
	fmt.Fprint(w, "event: done\ndata: [DONE]\n\n")
}

// talk holds a conversation: it says who it is, and answers each response.create.
func talk(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	say := func(format string, v ...any) {
		_ = conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, v...)) // a caller who left reads nothing
	}
	say(`{"type":"session.created","event_id":"e1","session":{"type":"realtime","model":%q}}`, r.URL.Query().Get("model"))
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		var event struct{ Type string }
		if json.Unmarshal(raw, &event) == nil && event.Type == "response.create" {
			say(`{"type":"response.created","event_id":"e2","response":{"id":"resp_1","object":"realtime.response"}}`)
			say(`{"type":"response.output_text.delta","event_id":"e3","response_id":"resp_1","item_id":"i","output_index":0,"content_index":0,"delta":"Hello"}`)
			say(`{"type":"response.done","event_id":"e4","response":{"id":"resp_1","object":"realtime.response","status":"completed","usage":{"total_tokens":3,"input_tokens":1,"output_tokens":2}}}`)
		}
	}
}
