package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Every endpoint that calls a model answers whole and, where OpenAI's API has it, as a stream; records what the vendor says
// was used, and what it costs; and gives a vendor's error with its status, type and message.
// https://platform.openai.com/docs/api-reference
func TestEndpoints(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/some, api_base: "%s/v1", api_key: k, input_cost_per_token: 1, output_cost_per_token: 100, input_cost_per_character: 5}}
general_settings: {master_key: sk-1234}
router_settings: {num_retries: 0}
`, v.URL), apptest.Env(printRecords, "OPENAI_API_KEY=k", "OPENAI_BASE_URL="+v.URL+"/v1"))
	records := func() int { return strings.Count(s.Out.String(), "\n") }
	post := func(path, body, contentType string, a ut.Answer) (*apptest.Response, map[string]any) {
		t.Helper()
		before := records()
		v.Script(a)
		var lines []string
		if contentType != "" {
			lines = append(lines, contentType)
		}
		r := s.Post(path, body, lines...)
		for records() == before && t.Context().Err() == nil {
			s.Reload() // which flushes the records
		}
		return r, lastRecord(t, s)
	}
	const fault = `{"error":{"message":"the vendor says no","type":"invalid_request_error","param":"x","code":"bad"}}`
	f := func(path, body, contentType string, a ut.Answer, call string, in, out, cost float64) {
		t.Helper()
		r, rec := post(path, body, contentType, a)
		if r.Status != 200 || rec["call_type"] != call || number(rec["prompt_tokens"]) != in || number(rec["completion_tokens"]) != out {
			t.Errorf("%s: %d %s\nrecord %v: %v and %v tokens", path, r.Status, r.Body, rec["call_type"], rec["prompt_tokens"], rec["completion_tokens"])
		}
		if got := number(rec["response_cost"]); !closeTo(got, cost) {
			t.Errorf("%s costs %v, want %v", path, got, cost)
		}
		r, rec = post(path, body, contentType, ut.JSON(400, fault))
		if e := readError(t, r.Body); r.Status != 400 || !strings.Contains(e.Error.Message, "the vendor says no") || rec["status"] != "failure" || number(rec["response_cost"]) != 0 {
			t.Errorf("%s: %d %s, record %v %v", path, r.Status, r.Body, rec["status"], rec["response_cost"])
		}
	}
	events := func(last string) ut.Answer {
		return ut.SSERaw("event: a.delta\ndata: {\"type\":\"a.delta\",\"delta\":\"eA==\"}\n\n", "event: a.done\ndata: "+last+"\n\n")
	}
	const used = `"usage":{"input_tokens":10,"output_tokens":2,"total_tokens":12}`
	picture, pictureType := formOf(t, []byte("\x89PNG"), "model=m", "prompt=a hat")
	moving, movingType := formOf(t, []byte("\x89PNG"), "model=m", "prompt=a hat", "stream=true")
	sound, soundType := formOf(t, []byte("RIFF"), "model=m")
	live, liveType := formOf(t, []byte("RIFF"), "model=m", "stream=true")
	form := func(body, contentType string) (string, string) {
		if field := "image"; strings.Contains(body, "PNG") {
			body = strings.Replace(body, `name="file"`, `name="`+field+`"`, 1)
		}
		return body, contentType
	}
	picture, pictureType = form(picture, pictureType)
	moving, movingType = form(moving, movingType)

	f("/v1/images/generations", `{"model":"m","prompt":"cat"}`, "", ut.JSON(200, `{"created":1,"data":[{"b64_json":"eA=="}],`+used+`}`), "aimage_generation", 10, 2, 210)
	f("/v1/images/generations", `{"model":"m","prompt":"cat","stream":true}`, "", events(`{"type":"image_generation.completed","b64_json":"eA==",`+used+`}`), "aimage_generation", 10, 2, 210)
	f("/v1/images/edits", picture, pictureType, ut.JSON(200, `{"created":1,"data":[{"b64_json":"eA=="}],`+used+`}`), "aimage_edit", 10, 2, 210)
	f("/v1/images/edits", moving, movingType, events(`{"type":"image_edit.completed","b64_json":"eA==",`+used+`}`), "aimage_edit", 10, 2, 210)
	f("/v1/images/variations", picture, pictureType, ut.JSON(200, `{"created":1,"data":[{"b64_json":"eA=="}],`+used+`}`), "aimage_variation", 10, 2, 210)
	f("/v1/audio/transcriptions", sound, soundType, ut.JSON(200, `{"text":"hi",`+used+`}`), "atranscription", 10, 2, 210)
	f("/v1/audio/transcriptions", live, liveType, events(`{"type":"transcript.text.done","text":"hi",`+used+`}`), "atranscription", 10, 2, 210)
	f("/v1/audio/translations", sound, soundType, ut.JSON(200, `{"text":"hi",`+used+`}`), "atranscription", 10, 2, 210)
	f("/v1/audio/speech", `{"model":"m","input":"hello","voice":"alloy"}`, "", ut.Whole(200, "audio/mpeg", "ID3"), "aspeech", 0, 0, 25)
	f("/v1/audio/speech", `{"model":"m","input":"hello","voice":"alloy","stream_format":"sse"}`, "", events(`{"type":"speech.audio.done",`+used+`}`), "aspeech", 10, 2, 210)
	f("/v1/completions", `{"model":"m","prompt":"x"}`, "", ut.JSON(200, `{"id":"1","object":"text_completion","model":"some","choices":[{"index":0,"text":"y","finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}`), "atext_completion", 10, 2, 210)
	f("/v1/embeddings", `{"model":"m","input":"x"}`, "", ut.JSON(200, `{"object":"list","model":"some","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"usage":{"prompt_tokens":10,"total_tokens":10}}`), "aembedding", 10, 0, 10)
	f("/v1/moderations", `{"model":"m","input":"x"}`, "", ut.JSON(200, `{"id":"1","model":"some","results":[{"flagged":false}]}`), "amoderation", 0, 0, 0)
}

// Requests about videos go to the vendor as they came, and so do its answers and errors.
func TestVideos(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, "general_settings: {master_key: sk-1234}\n", apptest.Env(printRecords, "OPENAI_API_KEY=k", "OPENAI_BASE_URL="+v.URL+"/v1"))
	f := func(method, path, body, contentType string, a ut.Answer, status int, want string) {
		t.Helper()
		v.Script(a)
		var lines []string
		if contentType != "" {
			lines = append(lines, contentType)
		}
		r := s.Do(method, path, body, lines...)
		if last := v.Last(); r.Status != status || !strings.Contains(r.Body, want) || last.Method != method || last.Path != path {
			t.Errorf("%s %s: %d %s, sent %s %s", method, path, r.Status, r.Body, last.Method, last.Path)
		}
	}
	made := ut.JSON(200, `{"id":"video_1","object":"video","status":"queued"}`)
	form, contentType := formOf(t, []byte("\x89PNG"), "model=sora-2", "prompt=a cat")
	f("POST", "/v1/videos", `{"model":"sora-2","prompt":"a cat"}`, "", made, 200, `"video_1"`)
	f("POST", "/v1/videos", form, contentType, made, 200, `"video_1"`)
	f("GET", "/v1/videos", "", "", ut.JSON(200, `{"object":"list","data":[]}`), 200, `"list"`)
	f("GET", "/v1/videos/video_1", "", "", made, 200, `"queued"`)
	f("GET", "/v1/videos/video_1/content", "", "", ut.Whole(200, "video/mp4", "\x00\x00ftyp"), 200, "ftyp")
	f("POST", "/v1/videos/video_1/remix", `{"prompt":"a dog"}`, "", made, 200, `"video_1"`)
	f("DELETE", "/v1/videos/video_1", "", "", ut.JSON(200, `{"id":"video_1","deleted":true}`), 200, `"deleted":true`)
	f("GET", "/v1/videos/video_9", "", "", ut.JSON(404, `{"error":{"message":"no such video","type":"invalid_request_error","param":null,"code":null}}`), 404, "no such video")
	f("POST", "/v1/videos", `{"model":"sora-2"}`, "", ut.JSON(429, `{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":null}}`), 429, "slow down")
}
