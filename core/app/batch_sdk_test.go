package app_test

import (
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Anthropic's SDK makes a batch below /anthropic, looks it up, lists, cancels and deletes it, and reads its results, whose
// address leads to the gateway: the vendor's own would get the gateway's key.
func TestAnthropicBatchSDK(t *testing.T) {
	t.Parallel()
	const batch = `{"id":"msgbatch_1","type":"message_batch","processing_status":"ended","request_counts":{"processing":0,"succeeded":1,"errored":0,"canceled":0,"expired":0},` +
		`"created_at":"2024-09-24T18:37:24Z","expires_at":"2024-09-25T18:37:24Z","ended_at":"2024-09-24T19:00:00Z","archived_at":null,"cancel_initiated_at":null,` +
		`"results_url":"https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"}`
	const result = `{"custom_id":"one","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"see https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}}}`
	v := ut.New(t, func(c *ut.Conn) {
		switch q := c.Request; {
		case q.Header.Get("X-Api-Key") != "sk-ant":
			ut.JSON(401, `{"type":"error","error":{"type":"authentication_error","message":"whose key is that"}}`)(c)
		case strings.HasSuffix(q.Path, "/results"):
			ut.Whole(200, "application/x-jsonl", result+"\n")(c)
		case q.Method == "DELETE":
			ut.JSON(200, `{"id":"msgbatch_1","type":"message_batch_deleted"}`)(c)
		case strings.Contains(q.Path, "limit=1"):
			ut.JSON(200, `{"data":[`+batch+`],"has_more":false,"first_id":"msgbatch_1","last_id":"msgbatch_1"}`)(c)
		default:
			ut.JSON(200, batch)(c)
		}
	})
	f := func(home string, env ...string) {
		t.Helper()
		s := apptest.Start(t, "model_list: []\ngeneral_settings: {master_key: sk-1234}", apptest.Env(append(env, "ANTHROPIC_API_KEY=sk-ant", "ANTHROPIC_API_BASE="+v.URL)...))
		client := anthropic.NewClient(option.WithBaseURL(s.URL+"/anthropic"), option.WithAPIKey(apptest.MasterKey), option.WithMaxRetries(0))
		batches := client.Messages.Batches
		made, err := batches.New(t.Context(), anthropic.MessageBatchNewParams{Requests: []anthropic.MessageBatchNewParamsRequest{{
			CustomID: "one", Params: anthropic.MessageBatchNewParamsRequestParams{
				Model: "claude-sonnet-4-5", MaxTokens: 10, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		found, err := batches.Get(t.Context(), made.ID, anthropic.MessageBatchGetParams{})
		if err != nil || found.ResultsURL != home+"/v1/messages/batches/msgbatch_1/results" || made.ResultsURL != found.ResultsURL {
			t.Fatalf("%v: %+v", err, found)
		}
		list, err := batches.List(t.Context(), anthropic.MessageBatchListParams{Limit: anthropic.Int(1)})
		if err != nil || len(list.Data) != 1 || list.Data[0].ResultsURL != found.ResultsURL {
			t.Errorf("%v: %+v", err, list)
		}
		results := batches.ResultsStreaming(t.Context(), made.ID, anthropic.MessageBatchResultsParams{})
		count := 0
		for results.Next() {
			count++
			if r := results.Current(); r.CustomID != "one" || !strings.Contains(r.Result.RawJSON(), "see https://api.anthropic.com/v1") {
				t.Errorf("%s", r.RawJSON())
			}
		}
		if err := results.Err(); err != nil || count != 1 {
			t.Errorf("%d results: %v", count, err)
		}
		if c, err := batches.Cancel(t.Context(), made.ID, anthropic.MessageBatchCancelParams{}); err != nil || c.ID != made.ID {
			t.Errorf("%v: %+v", err, c)
		}
		if _, err := batches.Delete(t.Context(), made.ID, anthropic.MessageBatchDeleteParams{}); err != nil {
			t.Error(err)
		}
	}
	f("")
	f("https://gw.example.com/anthropic", "PROXY_BASE_URL=https://gw.example.com/")
}
