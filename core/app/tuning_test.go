package app_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// tuner is Vertex AI with its tuning jobs, two on a page, newest first.
func tuner(t *testing.T) *ut.Vendor {
	t.Helper()
	var mu sync.Mutex
	jobs := map[string]string{}
	job := func(id string) string {
		return fmt.Sprintf(`{"name":"projects/9/locations/us-central1/tuningJobs/%s","createTime":"2026-03-01T10:00:00Z","state":"JOB_STATE_%s","baseModel":"gemini-2.5-flash","supervisedTuningSpec":{"trainingDatasetUri":"gs://b/t.jsonl"}}`, id, jobs[id])
	}
	return ut.New(t, func(c *ut.Conn) {
		mu.Lock()
		defer mu.Unlock()
		const list = "/v1/projects/p/locations/us-central1/tuningJobs"
		path, query, _ := strings.Cut(c.Request.Path, "?")
		id := strings.TrimSuffix(strings.TrimPrefix(path, list+"/"), ":cancel")
		switch {
		case strings.HasPrefix(path, "/token"):
			ut.JSON(200, `{"access_token":"tok-1","expires_in":3600,"token_type":"Bearer"}`)(c)
		case path == list && c.Request.Method == "POST":
			id = fmt.Sprint(len(jobs) + 1)
			jobs[id] = "PENDING"
			ut.JSON(200, job(id))(c)
		case path == list && strings.HasSuffix(query, "&pageToken=second"):
			ut.JSON(200, `{"tuningJobs":[`+job("1")+`]}`)(c)
		case path == list:
			ut.JSON(200, `{"tuningJobs":[`+job("3")+","+job("2")+`],"nextPageToken":"second"}`)(c)
		case jobs[id] == "":
			ut.JSON(404, `{"error":{"code":404,"message":"The TuningJob does not exist.","status":"NOT_FOUND"}}`)(c)
		case strings.HasSuffix(path, ":cancel"):
			jobs[id] = "CANCELLED"
			ut.JSON(200, `{}`)(c)
		default:
			ut.JSON(200, job(id))(c)
		}
	})
}

// TestVertexTuning makes, lists, looks at and cancels tuning jobs, each for whoever had it made.
func TestVertexTuning(t *testing.T) {
	t.Parallel()
	v := tuner(t)
	s := apptest.Start(t, fmt.Sprintf("model_list: []\nfinetune_settings: [{custom_llm_provider: vertex_ai, vertex_project: p, api_base: %q, vertex_credentials: %s}]\ngeneral_settings: {master_key: sk-1234}\n",
		v.URL, apptest.ServiceAccount(t, v.URL+"/token")), apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db")))
	ann, bob := newKey(t, s, `{"user_id":"ann"}`), newKey(t, s, `{"user_id":"bob"}`)
	const jobs, vertex = "/v1/fine_tuning/jobs", "?custom_llm_provider=vertex_ai"
	for _, key := range []string{bob, ann, ann} {
		wantStatus(t, s.Post(jobs, `{"model":"gemini-2.5-flash","training_file":"gs://b/t.jsonl","custom_llm_provider":"vertex_ai"}`, key), 200, `"status":"queued"`)
	}
	if q := v.Last(); string(q.Body) != `{"baseModel":"gemini-2.5-flash","supervisedTuningSpec":{"trainingDatasetUri":"gs://b/t.jsonl"}}` || q.Header.Get("Authorization") != "Bearer tok-1" {
		t.Errorf("sent %s %v", q.Body, q.Header)
	}
	f := func(method, path, key string, status int, want ...string) {
		t.Helper()
		r := s.Do(method, path, "", key)
		for _, w := range want {
			if r.Status != status || !strings.Contains(r.Body, w) {
				t.Errorf("%s %s: %d %s, want %s", method, path, r.Status, r.Body, w)
			}
		}
	}
	const admin = "Authorization: Bearer sk-1234"
	f("GET", jobs+"/2"+vertex, ann, 200, `"id":"2"`, `"status":"queued"`)
	f("GET", jobs+"/2"+vertex, bob, 403, "does not have access")
	f("GET", jobs+"/projects%2F9%2Flocations%2Fus-central1%2FtuningJobs%2F2"+vertex, bob, 400, "must be a number")
	f("POST", jobs+"/2/cancel"+vertex, bob, 403, "does not have access")
	f("POST", jobs+"/2/cancel"+vertex, ann, 200, `"id":"2"`, `"status":"cancelled"`)
	f("GET", jobs+"/9"+vertex, admin, 404, "The TuningJob does not exist.")
	f("GET", jobs+vertex, admin, 200, `"data":[{"id":"3",`, `{"id":"2",`, `"has_more":true}`)
	f("GET", jobs+vertex+"&after=3&limit=5", admin, 200, `"data":[{"id":"2",`, `"has_more":true}`)
	f("GET", jobs+vertex+"&after=2", admin, 200, `"data":[{"id":"1",`, `"has_more":false}`)
	f("GET", jobs+vertex+"&after=1", admin, 200, `"data":[]`, `"has_more":false}`)
	f("GET", jobs+vertex+"&after=8", admin, 400, "must be the id of a tuning job that is listed")
	f("GET", jobs+vertex, bob, 200, `"data":[{"id":"1",`, `"first_id":"1","last_id":"1","has_more":false}`)
	f("GET", jobs+vertex, ann, 200, `"data":[{"id":"3",`, `"first_id":"3","last_id":"2","has_more":false}`)
	f("GET", jobs+"/2/events"+vertex, ann, 400, "and nothing else")

	none := apptest.Start(t, "model_list: []\ngeneral_settings: {master_key: sk-1234}\n", apptest.Env("VERTEXAI_PROJECT=p"))
	wantStatus(t, none.Post(jobs, `{"model":"gemini-2.5-flash","training_file":"gs://b/t.jsonl","custom_llm_provider":"vertex_ai"}`), 400, "is not a vendor whose fine_tuning can be reached")
}
