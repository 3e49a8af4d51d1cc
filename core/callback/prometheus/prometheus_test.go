package prometheus_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/callback/prometheus"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

func records() []callback.Record {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := &llm.Deployment{ID: "id-1", Group: "gpt-4o", Provider: "openai", Model: "gpt-4o-2024", Written: "openai/gpt-4o-2024", Base: "https://api.openai.com"}
	ok := callback.Record{
		CallType: "acompletion", Route: "/v1/chat/completions", Stream: true, ModelGroup: "gpt-4o", Deployment: d,
		Start: start, FirstToken: start.Add(300 * time.Millisecond), End: start.Add(2 * time.Second), Upstream: 1900 * time.Millisecond,
		Usage: llm.Usage{Prompt: 10, Completion: 5, Total: 15}, Cost: 0.25, Status: 200,
		Principal: &llm.Principal{KeyHash: "hash", KeyAlias: "alias", TeamID: "t", TeamName: "team", UserID: "u"}, EndUser: "someone",
		Remote: "10.0.0.1", UserAgent: "curl",
	}
	failed := ok
	failed.Status, failed.Fallbacks = 429, 1
	failed.Error = &callback.Error{Kind: llm.KindRateLimit, Status: 429, Provider: "openai"}
	refused := callback.Record{Route: "/v1/chat/completions", ModelGroup: "gpt-4o", Start: start, End: start, Status: 401, Error: &callback.Error{Kind: llm.KindAuth, Status: 401}}
	return []callback.Record{ok, ok, failed, refused}
}

func TestSink(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics()
	write := func(s prometheus.Settings) string {
		t.Helper()
		s.Metrics = m
		sink, err := prometheus.New(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := sink.Write(t.Context(), records()); err != nil {
			t.Fatal(err)
		}
		text, _, err := m.Text()
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	has := func(text string, lines ...string) {
		t.Helper()
		for _, l := range lines {
			if !strings.Contains(text, l+"\n") {
				t.Errorf("no %s", l)
			}
		}
	}
	const key = `api_key_alias="alias"`
	text := write(prometheus.Settings{Success: true})
	has(text,
		`litellm_proxy_total_requests_metric_total{api_key_alias="alias",client_ip="10.0.0.1",end_user="None",hashed_api_key="hash",model_id="id-1",requested_model="gpt-4o",route="/v1/chat/completions",status_code="200",team="t",team_alias="team",user="u",user_agent="curl",user_email="None"} 2`,
		`litellm_input_tokens_metric_total{api_key_alias="alias",end_user="None",hashed_api_key="hash",model="gpt-4o-2024",model_id="id-1",requested_model="gpt-4o",team="t",team_alias="team",user="u",user_email="None"} 20`,
		`litellm_spend_metric_total{api_key_alias="alias",client_ip="10.0.0.1",end_user="None",hashed_api_key="hash",model="gpt-4o-2024",model_id="id-1",team="t",team_alias="team",user="u",user_agent="curl",user_email="None"} 0.5`,
		`litellm_request_total_latency_metric_bucket{api_key_alias="alias",end_user="None",hashed_api_key="hash",model="gpt-4o-2024",model_id="id-1",requested_model="gpt-4o",team="t",team_alias="team",user="u",le="2"} 2`,
		`litellm_llm_api_time_to_first_token_metric_sum{api_key_alias="alias",end_user="None",hashed_api_key="hash",model="gpt-4o-2024",model_id="id-1",requested_model="gpt-4o",team="t",team_alias="team",user="u"} 0.6`,
		`litellm_deployment_latency_per_output_token_sum{api_base="https://api.openai.com",`+key+`,api_provider="openai",hashed_api_key="hash",litellm_model_name="openai/gpt-4o-2024",model_id="id-1",team="t",team_alias="team"} 0.76`,
		`litellm_deployment_state{api_base="https://api.openai.com",api_provider="openai",litellm_model_name="openai/gpt-4o-2024",model_id="id-1"} 0`)
	if strings.Contains(text, "litellm_proxy_failed_requests_metric_total{") || strings.Contains(text, "someone") {
		t.Error("failures, or end users, are counted")
	}
	text = write(prometheus.Settings{Failure: true, EndUser: true})
	has(text,
		`litellm_proxy_failed_requests_metric_total{api_key_alias="alias",client_ip="10.0.0.1",end_user="someone",exception_class="Openai.RateLimitError",exception_status="429",hashed_api_key="hash",model_id="id-1",requested_model="gpt-4o",route="/v1/chat/completions",team="t",team_alias="team",user="u",user_agent="curl",user_email="None"} 1`,
		`litellm_proxy_total_requests_metric_total{api_key_alias="None",client_ip="None",end_user="None",hashed_api_key="None",model_id="None",requested_model="gpt-4o",route="/v1/chat/completions",status_code="401",team="None",team_alias="None",user="None",user_agent="None",user_email="None"} 1`,
		`litellm_deployment_state{api_base="https://api.openai.com",api_provider="openai",litellm_model_name="openai/gpt-4o-2024",model_id="id-1"} 1`)
	for _, name := range []string{"litellm_deployment_failure_responses_total{", "litellm_deployment_failed_fallbacks_total{", "litellm_llm_api_failed_requests_metric_total{"} {
		if strings.Count(text, "\n"+name) != 1 {
			t.Errorf("%d series of %s", strings.Count(text, "\n"+name), name)
		}
	}
	if strings.Contains(text, `status_code="200",team="t"} 3`) {
		t.Error("a success was counted by a sink for failures")
	}
}

// Callers cannot make the gateway keep more series than the limit.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics()
	sink, err := prometheus.New(prometheus.Settings{Metrics: m, Failure: true})
	if err != nil {
		t.Fatal(err)
	}
	rec := records()[3]
	batch := make([]callback.Record, prometheus.MaxSeries+500)
	for i := range batch {
		batch[i] = rec
		batch[i].UserAgent = "agent \xff " + strconv.Itoa(i)
	}
	if err := sink.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	body, _, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	if n := strings.Count(text, "\nlitellm_proxy_total_requests_metric_total{"); n != prometheus.MaxSeries+1 {
		t.Errorf("%d series", n)
	}
	if !strings.Contains(text, `user_agent="other",user_email="other"} 500`) {
		t.Error("what is beyond the limit is not counted")
	}
}
