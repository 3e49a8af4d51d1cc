package sdkclients

import (
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Media adds to the mock vendor what it has beside chats: moderations, images, audio, files and batches. Forms are read
// by the standard library, strictly.
func Media(mux *http.ServeMux) {
	m := &media{files: map[string]string{}}
	mux.HandleFunc("POST /v1/moderations", m.moderate)
	mux.HandleFunc("POST /v1/images/generations", m.image)
	mux.HandleFunc("POST /v1/images/edits", m.edit)
	mux.HandleFunc("POST /v1/audio/speech", m.speak)
	mux.HandleFunc("POST /v1/audio/transcriptions", m.transcribe)
	mux.HandleFunc("POST /v1/files", m.upload)
	mux.HandleFunc("GET /v1/files/{id}/content", m.content)
	mux.HandleFunc("DELETE /v1/files/{id}", m.remove)
	mux.HandleFunc("POST /v1/batches", m.batch)
	mux.HandleFunc("POST /v1/batches/{id}/cancel", m.cancel)
}

type media struct {
	mu    sync.Mutex
	next  int
	files map[string]string
}

// modelIs refuses a request for another model.
func modelIs(w http.ResponseWriter, got, want string) bool {
	if got != want {
		refuse(w, http.StatusNotFound, "invalid_request_error", "model_not_found", fmt.Sprintf("The model %q does not exist.", got))
	}
	return got == want
}

func (m *media) moderate(w http.ResponseWriter, r *http.Request) {
	var request struct{ Model, Input string }
	if !read(w, r, &request) || !modelIs(w, request.Model, "omni-moderation-latest") {
		return
	}
	write(w, map[string]any{"id": "modr-1", "model": request.Model, "results": []any{map[string]any{
		"flagged": request.Input == "bad", "categories": map[string]bool{}, "category_scores": map[string]float64{}, "category_applied_input_types": map[string]any{},
	}}})
}

func (m *media) image(w http.ResponseWriter, r *http.Request) {
	var request struct{ Model, Prompt string }
	if !read(w, r, &request) || !modelIs(w, request.Model, "gpt-image-1") {
		return
	}
	write(w, map[string]any{"created": 1700000000, "data": []any{map[string]any{"b64_json": "aGVsbG8="}},
		"usage": map[string]any{"input_tokens": 12, "output_tokens": 6, "total_tokens": 18, "input_tokens_details": map[string]any{"text_tokens": 12, "image_tokens": 0}}})
}

// form reads a form, and the size of its file.
func form(w http.ResponseWriter, r *http.Request, file string) (size int, ok bool) {
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "The form cannot be read: "+err.Error())
		return 0, false
	}
	f, _, err := r.FormFile(file)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "The form has no file "+file+".")
		return 0, false
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return len(b), err == nil
}

func (m *media) edit(w http.ResponseWriter, r *http.Request) {
	size, ok := form(w, r, "image")
	if !ok || !modelIs(w, r.FormValue("model"), "gpt-image-1") {
		return
	}
	write(w, map[string]any{"created": 1700000000, "data": []any{map[string]any{"url": fmt.Sprintf("https://images.example/%d/%s", size, r.FormValue("prompt"))}}})
}

func (m *media) speak(w http.ResponseWriter, r *http.Request) {
	var request struct{ Model, Input, Voice string }
	if !read(w, r, &request) || !modelIs(w, request.Model, "tts-1") {
		return
	}
	w.Header().Set("Content-Type", "audio/mpeg")
	fmt.Fprintf(w, "\xff\xf3%s", request.Input)
}

func (m *media) transcribe(w http.ResponseWriter, r *http.Request) {
	size, ok := form(w, r, "file")
	if !ok || !modelIs(w, r.FormValue("model"), "whisper-1") {
		return
	}
	text := fmt.Sprintf("%d bytes in %s", size, r.FormValue("language"))
	switch {
	case r.FormValue("stream") == "true":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"type\":\"transcript.text.delta\",\"delta\":%q}\n\ndata: {\"type\":\"transcript.text.done\",\"text\":%q}\n\n", text, text)
	case r.FormValue("response_format") == "srt":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "1\n00:00:00,000 --> 00:00:01,000\n%s\n", text)
	default:
		write(w, map[string]any{"text": text, "usage": map[string]any{"type": "duration", "seconds": 1}})
	}
}

func (m *media) upload(w http.ResponseWriter, r *http.Request) {
	size, ok := form(w, r, "file")
	if !ok {
		return
	}
	f, h, err := r.FormFile("file")
	if err != nil {
		return
	}
	defer f.Close()
	b, _ := io.ReadAll(f)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	id := fmt.Sprintf("file-%d", m.next)
	m.files[id] = string(b)
	write(w, map[string]any{"id": id, "object": "file", "bytes": size, "created_at": 1700000000, "filename": h.Filename, "purpose": r.FormValue("purpose"), "status": "processed"})
}

// stored finds a file.
func (m *media) stored(w http.ResponseWriter, id string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[id]
	if !ok {
		refuse(w, http.StatusNotFound, "invalid_request_error", "", "No such File object: "+id)
	}
	return b, ok
}

func (m *media) content(w http.ResponseWriter, r *http.Request) {
	if b, ok := m.stored(w, r.PathValue("id")); ok {
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprint(w, b)
	}
}

func (m *media) remove(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := m.stored(w, id); !ok {
		return
	}
	m.mu.Lock()
	delete(m.files, id)
	m.mu.Unlock()
	write(w, map[string]any{"id": id, "object": "file", "deleted": true})
}

func (m *media) batch(w http.ResponseWriter, r *http.Request) {
	var request struct {
		File     string            `json:"input_file_id"`
		Endpoint string            `json:"endpoint"`
		Window   string            `json:"completion_window"`
		Metadata map[string]string `json:"metadata"`
	}
	if !read(w, r, &request) {
		return
	}
	if _, ok := m.stored(w, request.File); ok {
		write(w, map[string]any{"id": "batch_1", "object": "batch", "endpoint": request.Endpoint, "input_file_id": request.File,
			"completion_window": request.Window, "status": "validating", "created_at": 1700000000, "metadata": request.Metadata})
	}
}

func (m *media) cancel(w http.ResponseWriter, r *http.Request) {
	write(w, map[string]any{"id": r.PathValue("id"), "object": "batch", "endpoint": "", "input_file_id": "file-1", "completion_window": "24h", "status": "cancelling", "created_at": 1700000000})
}
