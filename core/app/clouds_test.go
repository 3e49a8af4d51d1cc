package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws/awstest"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

const completion = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`

const converse = `{"output":{"message":{"role":"assistant","content":[{"text":"Hi."}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}`

// hello asks a model for a chat that is answered.
func hello(t *testing.T, s *apptest.Server, model string) {
	t.Helper()
	r := s.Post(chat, `{"model":"`+model+`","messages":[{"role":"user","content":"x"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hi."`) {
		t.Errorf("%s: %d %s", model, r.Status, r.Body)
	}
}

// bedrock is a vendor that answers as Amazon Bedrock does, to calls that are signed with a known key.
type bedrock struct{ *upstreamtest.Vendor }

func newBedrock(t *testing.T) bedrock {
	return bedrock{upstreamtest.New(t, upstreamtest.JSON(200, converse))}
}

func secrets() map[string]string {
	return map[string]string{"AK1": "SK1", "AK2": "SK2", "AK-r1": "SK-r1", "AK-r2": "SK-r2"}
}

// signer is the access key that signed the latest call, and the scope of its signature.
func (b bedrock) signer(t *testing.T) (key, scope string) {
	t.Helper()
	r := b.Last()
	key, scope, err := awstest.Verify(awstest.Signed{Method: r.Method, Path: r.Path, Host: r.Host, Header: r.Header, Body: r.Body}, secrets())
	if err != nil {
		t.Errorf("%s: %v", r.Path, err)
	}
	return key, scope
}

// Every way to Amazon's credentials, from the configuration and from the environment.
func TestAmazonCredentials(t *testing.T) {
	t.Parallel()
	b, sts := newBedrock(t), awstest.NewSTS(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	shared := write("credentials", "[p1]\naws_access_key_id = AK1\naws_secret_access_key = SK1\n[p2]\naws_access_key_id = AK2\naws_secret_access_key = SK2\n")
	token, none := write("token", "jwt1"), write("none", "")

	f := func(name, params string, env []string, key, region string, calls ...string) {
		t.Helper()
		before := len(sts.Calls())
		env = append([]string{"AWS_SHARED_CREDENTIALS_FILE=" + shared, "AWS_CONFIG_FILE=" + none, "AWS_BEDROCK_RUNTIME_ENDPOINT=" + b.URL, "AWS_STS_ENDPOINT=" + sts.URL}, env...)
		s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, "+params+"}}]"+admin, apptest.Env(env...))
		for range 2 {
			r := s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"x"}]}`)
			if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hi."`) {
				t.Fatalf("%s: %d %s", name, r.Status, r.Body)
			}
			if got, scope := b.signer(t); got != key || !strings.Contains(scope, "/"+region+"/bedrock/") {
				t.Errorf("%s: signed by %s for %s", name, got, scope)
			}
		}
		var got []string
		for _, c := range sts.Calls()[before:] {
			got = append(got, c.Get("Action")+" "+c.Get("RoleSessionName")+" "+c.Get("WebIdentityToken"))
		}
		if strings.Join(got, "\n") != strings.Join(calls, "\n") {
			t.Errorf("%s: the token service was asked for %q", name, got)
		}
		if log := s.Log.String(); strings.Contains(log, "SK1") || strings.Contains(log, "SK2") || strings.Contains(log, "jwt1") {
			t.Errorf("%s: the log holds a secret", name)
		}
	}
	keys := []string{"AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1"}
	f("keys of the environment", "", append(keys, "AWS_REGION_NAME=eu-west-1"), "AK1", "eu-west-1")
	f("no region", "", keys, "AK1", "us-west-2")
	f("Amazon's own variable of the region", "", append(keys, "AWS_REGION=eu-west-2"), "AK1", "eu-west-2")
	f("keys of the deployment", "aws_access_key_id: AK2, aws_secret_access_key: SK2, aws_region_name: eu-west-3", keys, "AK2", "eu-west-3")
	f("a session", "aws_access_key_id: AK2, aws_secret_access_key: SK2, aws_session_token: T2", nil, "AK2", "us-west-2")
	if got := b.Last().Header.Get("X-Amz-Security-Token"); got != "T2" {
		t.Errorf("the session token is %q", got)
	}
	f("a profile", "", []string{"AWS_PROFILE_NAME=p2"}, "AK2", "us-west-2")
	f("a profile of the deployment", "aws_profile_name: p1", []string{"AWS_PROFILE_NAME=p2"}, "AK1", "us-west-2")
	f("a role", "", append(keys, "AWS_ROLE_NAME=arn:aws:iam::1:role/r1", "AWS_SESSION_NAME=s1"), "AK-r1", "us-west-2", "AssumeRole s1 ")
	f("a role of the deployment", "aws_role_name: 'arn:aws:iam::1:role/r2', aws_session_name: s2", keys, "AK-r2", "us-west-2", "AssumeRole s2 ")
	f("a web identity", "", []string{"AWS_WEB_IDENTITY_TOKEN=" + token, "AWS_ROLE_NAME=arn:aws:iam::1:role/r1"}, "AK-r1", "us-west-2", "AssumeRoleWithWebIdentity sallyport jwt1")
	f("a web identity of the deployment", "aws_web_identity_token: 'oidc/circleci/x', aws_role_name: 'arn:aws:iam::1:role/r1'",
		[]string{"CIRCLE_OIDC_TOKEN=a.b.c"}, "AK-r1", "us-west-2", "AssumeRoleWithWebIdentity sallyport a.b.c")
	f("a web identity of the other workflow", "aws_web_identity_token: 'oidc/circleci_v2/x', aws_role_name: 'arn:aws:iam::1:role/r1'",
		[]string{"CIRCLE_OIDC_TOKEN_V2=d.e.f"}, "AK-r1", "us-west-2", "AssumeRoleWithWebIdentity sallyport d.e.f")
}

// A configuration that is loaded anew finds the credentials as they were.
func TestAmazonReload(t *testing.T) {
	t.Parallel()
	b, sts := newBedrock(t), awstest.NewSTS(t)
	s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: bedrock/x.y}}]"+admin, apptest.Env(
		"AWS_BEDROCK_RUNTIME_ENDPOINT="+b.URL, "AWS_STS_ENDPOINT="+sts.URL, "AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1", "AWS_ROLE_NAME=arn:aws:iam::1:role/r1"))
	hello(t, s, "m")
	for _, model := range []string{"n", "o"} {
		s.Write("model_list: [{model_name: " + model + ", litellm_params: {model: bedrock/x.y}}]" + admin)
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		hello(t, s, model)
	}
	if n := len(sts.Calls()); n != 1 {
		t.Errorf("the role was assumed %d times", n)
	}
}

// A stream, Claude's own dialect, a bearer token, and what goes wrong.
func TestAmazonBedrock(t *testing.T) {
	t.Parallel()
	b := newBedrock(t)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: nova, litellm_params: {model: bedrock/eu-west-1/amazon.nova-pro-v1:0, aws_bedrock_runtime_endpoint: %[1]q}}
  - {model_name: claude, litellm_params: {model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0, api_base: %[1]q}}
  - {model_name: bearer, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, api_base: %[1]q, api_key: k1}}
  - {model_name: "any/*", litellm_params: {model: "bedrock/*", api_base: %[1]q}}
`, b.URL)+admin, apptest.Env("AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1"))
	event := func(kind, payload string) string {
		return string(eventstream.Append(nil, []byte(payload), ":event-type", kind, ":content-type", "application/json", ":message-type", "event"))
	}
	stream := event("messageStart", `{"role":"assistant"}`) + event("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hi."}}`) +
		event("messageStop", `{"stopReason":"end_turn"}`) + event("metadata", `{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}`)

	b.Script(upstreamtest.Whole(200, eventstream.ContentType, stream))
	r := s.Post(chat, `{"model":"nova","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hi."`) || !strings.HasSuffix(r.Body, "data: [DONE]\n\n") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if _, scope := b.signer(t); b.Last().Path != "/model/amazon.nova-pro-v1%3A0/converse-stream" || !strings.Contains(scope, "/eu-west-1/") {
		t.Errorf("path %s, scope %s", b.Last().Path, scope)
	}

	b.Script(upstreamtest.JSON(200, `{"model":"claude-sonnet-4-5","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}`))
	r = s.Post("/v1/messages", `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"model":"claude"`) || !strings.Contains(r.Body, `"msg_1"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	b.signer(t)
	if got := b.Last(); got.Path != "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke" || !strings.Contains(string(got.Body), `"anthropic_version":"bedrock-2023-05-31"`) {
		t.Errorf("%s %s", got.Path, got.Body)
	}

	b.Script(upstreamtest.JSON(200, converse))
	hello(t, s, "bearer")
	if got := b.Last().Header; got.Get("Authorization") != "Bearer k1" || got.Get("X-Amz-Date") != "" {
		t.Errorf("with a key the call has %v", got)
	}
	hello(t, s, "any/amazon.nova-lite-v1:0")
	if b.signer(t); b.Last().Path != "/model/amazon.nova-lite-v1%3A0/converse" {
		t.Errorf("path %s", b.Last().Path)
	}

	b.Script(upstreamtest.JSON(429, `{"message":"Too many requests, please wait before trying again."}`, "Retry-After: 9"))
	if r := s.Post(chat, `{"model":"nova","num_retries":0,"messages":[{"role":"user","content":"x"}]}`); r.Status != 429 {
		t.Errorf("throttled: %d %s", r.Status, r.Body)
	}
	b.Script(upstreamtest.JSON(403, `{"message":"The request signature we calculated does not match the signature you provided."}`))
	if r := s.Post(chat, `{"model":"claude","num_retries":0,"messages":[{"role":"user","content":"x"}]}`); r.Status != 401 || strings.Contains(r.Body, "SK1") {
		t.Errorf("a wrong secret: %d %s", r.Status, r.Body)
	}
	broken := []byte(stream)
	broken[len(broken)-9] ^= 1
	b.Script(upstreamtest.Whole(200, eventstream.ContentType, string(broken)))
	if r := s.Post(chat, `{"model":"bearer","stream":true,"messages":[{"role":"user","content":"x"}]}`); !strings.Contains(r.Body, `"content":"Hi."`) || !strings.Contains(r.Body, "checksums") {
		t.Errorf("a broken stream: %d %s", r.Status, r.Body)
	}
}

func TestAmazonMistakes(t *testing.T) {
	t.Parallel()
	f := func(params, words string) {
		t.Helper()
		_, err := apptest.Try(t, "model_list: [{model_name: m, litellm_params: {"+params+"}}]"+admin)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: got %v, want an error with %q", params, err, words)
		}
	}
	f("model: bedrock/x.y, aws_access_key_id: AK1", "aws_secret_access_key")
	f("model: bedrock/x.y, aws_role_name: r1", "aws_role_name")
	f("model: bedrock/x.y, aws_region_name: 'us-east-1.evil.example'", "aws_region_name")
	f("model: bedrock/agent/A/B", "model is called through agent")
	f("model: sagemaker/x, aws_region_name: 'X'", "aws_region_name")
}

// Endpoints of SageMaker, with OpenAI's chat completions inside SageMaker's envelope and with Hugging Face's server.
func TestAmazonSageMaker(t *testing.T) {
	t.Parallel()
	b := newBedrock(t)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: chat, litellm_params: {model: sagemaker_chat/my-endpoint, api_base: %[1]q, model_id: c1}}
  - {model_name: tgi, litellm_params: {model: sagemaker/my-endpoint, sagemaker_base_url: %[1]q}}
`, b.URL)+admin, apptest.Env("AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1"))
	part := func(text string) string {
		return string(eventstream.Append(nil, []byte(text), ":event-type", "PayloadPart", ":message-type", "event"))
	}
	b.Script(upstreamtest.Whole(200, eventstream.ContentType,
		part(`data: {"id":"1","object":"chat.completion.chunk","model":"x","choices":[{"index":0,"del`)+part("ta\":{\"content\":\"Hi.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")))
	r := s.Post(chat, `{"model":"chat","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hi."`) || !strings.HasSuffix(r.Body, "data: [DONE]\n\n") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if _, scope := b.signer(t); b.Last().Path != "/endpoints/my-endpoint/invocations-response-stream" || !strings.HasSuffix(scope, "/sagemaker/aws4_request") ||
		b.Last().Header.Get("X-Amzn-SageMaker-Inference-Component") != "c1" || strings.Contains(string(b.Last().Body), "model_id") {
		t.Errorf("path %s, scope %s, header %v, body %s", b.Last().Path, scope, b.Last().Header, b.Last().Body)
	}
	b.Script(upstreamtest.JSON(200, `[{"generated_text":"Hi."}]`))
	r = s.Post(chat, `{"model":"tgi","messages":[{"role":"user","content":"x"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hi."`) || b.Last().Path != "/endpoints/my-endpoint/invocations" {
		t.Errorf("%d %s, path %s", r.Status, r.Body, b.Last().Path)
	}
}

// login gives the token t1 to whoever asks, and remembers who did.
type login struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newLogin(t *testing.T) *login {
	l := &login{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/github" && r.Header.Get("Authorization") == "Bearer gh1" {
			_ = json.NewEncoder(w).Encode(map[string]string{"value": "jwt-" + r.URL.Query().Get("audience")})
			return
		}
		if err := r.ParseForm(); err != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked = append(l.asked, r.URL.Path+" "+r.PostForm.Get("client_id")+" "+r.PostForm.Get("client_secret")+r.PostForm.Get("client_assertion")+r.PostForm.Get("password"))
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "t1", "expires_in": 3600})
	}))
	t.Cleanup(l.Close)
	return l
}

// Every way to an identity at Azure, and every form of the address.
func TestAzure(t *testing.T) {
	t.Parallel()
	v, l := upstreamtest.New(t, upstreamtest.JSON(200, completion)), newLogin(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("jwt1"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(name, params string, env []string, path, credential string, asked ...string) {
		t.Helper()
		l.mu.Lock()
		l.asked = nil
		l.mu.Unlock()
		s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {"+params+"}}]"+admin,
			apptest.Env(append([]string{"AZURE_AUTHORITY_HOST=" + l.URL, "AZURE_API_BASE=" + v.URL}, env...)...))
		for range 2 {
			hello(t, s, "m")
		}
		got := v.Last()
		if have := got.Header.Get("Api-Key") + "|" + got.Header.Get("Authorization"); got.Path != path || have != credential {
			t.Errorf("%s: path %s with %s", name, got.Path, have)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if strings.Join(l.asked, "\n") != strings.Join(asked, "\n") {
			t.Errorf("%s: the login was asked for %q", name, l.asked)
		}
	}
	const dated = "/openai/deployments/dep/chat/completions?api-version="
	const dep = "model: azure/dep"
	f("a key", dep+", api_key: k1, api_version: 2024-07-01-preview", nil, dated+"2024-07-01-preview", "k1|")
	f("a key of the environment", dep, []string{"AZURE_API_KEY=k2", "AZURE_API_VERSION=2024-06-01"}, dated+"2024-06-01", "k2|")
	f("no version", dep+", api_key: k1", nil, dated+"2025-02-01-preview", "k1|")
	f("a token", dep+", azure_ad_token: t0", []string{"AZURE_API_KEY=k2"}, dated+"2025-02-01-preview", "|Bearer t0")
	f("a secret", dep+", tenant_id: d1, client_id: c1, client_secret: s1", nil, dated+"2025-02-01-preview", "|Bearer t1", "/d1/oauth2/v2.0/token c1 s1")
	f("a secret of the environment", dep, []string{"AZURE_TENANT_ID=d2", "AZURE_CLIENT_ID=c2", "AZURE_CLIENT_SECRET=s2"},
		dated+"2025-02-01-preview", "|Bearer t1", "/d2/oauth2/v2.0/token c2 s2")
	f("a password", dep+", client_id: c1, azure_username: u1, azure_password: p1", nil, dated+"2025-02-01-preview", "|Bearer t1", "/organizations/oauth2/v2.0/token c1 p1")
	f("a federated token", dep, []string{"AZURE_TENANT_ID=d2", "AZURE_CLIENT_ID=c2", "AZURE_FEDERATED_TOKEN_FILE=" + file},
		dated+"2025-02-01-preview", "|Bearer t1", "/d2/oauth2/v2.0/token c2 jwt1")
	f("a federated token by reference", dep+", azure_ad_token: oidc/azure/x, tenant_id: d1, client_id: c1", []string{"AZURE_FEDERATED_TOKEN_FILE=" + file},
		dated+"2025-02-01-preview", "|Bearer t1", "/d1/oauth2/v2.0/token c1 jwt1")
	f("a token of GitHub", dep+", azure_ad_token: oidc/github/aud1, tenant_id: d1, client_id: c1",
		[]string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + l.URL + "/github", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=gh1"}, dated+"2025-02-01-preview", "|Bearer t1", "/d1/oauth2/v2.0/token c1 jwt-aud1")
	f("a token of CircleCI", dep+", azure_ad_token: oidc/circleci/x, tenant_id: d1, client_id: c1",
		[]string{"CIRCLE_OIDC_TOKEN=jwt3"}, dated+"2025-02-01-preview", "|Bearer t1", "/d1/oauth2/v2.0/token c1 jwt3")
	f("another token of CircleCI", dep+", azure_ad_token: oidc/circleci_v2/x, tenant_id: d1, client_id: c1",
		[]string{"CIRCLE_OIDC_TOKEN_V2=jwt4"}, dated+"2025-02-01-preview", "|Bearer t1", "/d1/oauth2/v2.0/token c1 jwt4")
	f("version 1", dep+", api_key: k1, api_version: v1", nil, "/openai/v1/chat/completions", "k1|")
	f("the preview of version 1", dep+", api_key: k1, api_version: preview", nil, "/openai/v1/chat/completions?api-version=preview", "k1|")
	f("version 1 in the address", dep+", api_key: k1, api_base: '"+v.URL+"/openai/v1/'", nil, "/openai/v1/chat/completions", "k1|")
	f("a whole address", "model: azure/other, api_key: k1, api_base: '"+v.URL+"/openai/deployments/dep/chat/completions?api-version=2024-01-01'", nil, dated+"2024-01-01", "k1|")
	f("a reasoning model by a word", "model: azure/o_series/dep, api_key: k1", nil, dated+"2025-02-01-preview", "k1|")
	f("an endpoint of one model", "model: azure_ai/mistral-large, api_key: k1, api_base: '"+v.URL+"/v1'", nil, "/v1/chat/completions", "|Bearer k1")
	f("a resource with many models", "model: azure_ai/grok-3", []string{"AZURE_AI_API_KEY=k3", "AZURE_AI_API_BASE=" + v.URL + "/models"}, "/models/chat/completions?api-version=2024-05-01-preview", "k3|")
}

func TestAzureOperations(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, completion))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: azure/dep, api_base: %[1]q, api_key: k1, api_version: "2024-10-21"}}
  - {model_name: o3, litellm_params: {model: azure/dep, api_base: %[1]q, api_key: k1}, model_info: {base_model: azure/o3-mini}}
  - {model_name: rank, litellm_params: {model: azure_ai/cohere-rerank, api_base: %[1]q, api_key: k1}}
  - {model_name: claude, litellm_params: {model: azure_ai/claude-sonnet-4-5, api_base: %[1]q, api_key: k1}}
  - {model_name: claude-by-token, litellm_params: {model: azure_ai/claude-sonnet-4-5, api_base: "%[1]s/anthropic", azure_ad_token: t0}}
  - {model_name: lost, litellm_params: {model: azure/dep, api_base: %[1]q}}
`, v.URL)+admin)
	f := func(path, body, answer, want string) string {
		t.Helper()
		v.Script(upstreamtest.JSON(200, answer))
		if r := s.Post(path, body); r.Status != 200 {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
		if got := v.Last().Path; got != want {
			t.Errorf("%s: called %s, want %s", path, got, want)
		}
		return string(v.Last().Body)
	}
	const dep, version = "/openai/deployments/dep", "?api-version=2024-10-21"
	f("/v1/embeddings", `{"model":"m","input":"x"}`, `{"object":"list","data":[],"usage":{"prompt_tokens":1,"total_tokens":1}}`, dep+"/embeddings"+version)
	f("/v1/completions", `{"model":"m","prompt":"x"}`, `{"id":"1","object":"text_completion","choices":[]}`, dep+"/completions"+version)
	f("/v1/images/generations", `{"model":"m","prompt":"x"}`, `{"created":1,"data":[{"url":"u"}]}`, dep+"/images/generations"+version)
	f("/v1/audio/speech", `{"model":"m","input":"x","voice":"alloy"}`, `{}`, dep+"/audio/speech"+version)
	f("/openai/deployments/m/chat/completions", `{"messages":[{"role":"user","content":"x"}]}`, completion, dep+"/chat/completions"+version)
	if got := f(chat, `{"model":"o3","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`, completion, dep+"/chat/completions?api-version=2025-02-01-preview"); !strings.Contains(got, `"max_completion_tokens":5`) {
		t.Errorf("a reasoning model got %s", got)
	}
	f("/v1/rerank", `{"model":"rank","query":"q","documents":["a"]}`, `{"results":[{"index":0,"relevance_score":0.5}]}`, "/v1/rerank")
	f(chat, `{"model":"claude","messages":[{"role":"user","content":"x"}]}`, `{"id":"1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`, "/anthropic/v1/messages")
	f(chat, `{"model":"claude-by-token","messages":[{"role":"user","content":"x"}]}`, `{"id":"1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`, "/anthropic/v1/messages")
	if got := v.Last().Header; got.Get("Authorization") != "Bearer t0" || got.Get("X-Api-Key") != "" {
		t.Errorf("Claude by a token: %v", got)
	}
	if r := s.Post("/v1/moderations", `{"model":"m","input":"x"}`); r.Status != 400 || !strings.Contains(r.Body, "does not offer moderations") {
		t.Errorf("moderations: %d %s", r.Status, r.Body)
	}
	if r := s.Post(chat, `{"model":"lost","messages":[]}`); r.Status != 401 || !strings.Contains(r.Body, "AZURE_API_KEY") {
		t.Errorf("without a key: %d %s", r.Status, r.Body)
	}

	// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter
	v.Script(upstreamtest.JSON(400, `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}`))
	if r := s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"x"}]}`); r.Status != 400 || !strings.Contains(r.Body, "ContentPolicyViolationError") {
		t.Errorf("a filtered prompt: %d %s", r.Status, r.Body)
	}
	v.Script(upstreamtest.JSON(404, `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`))
	if r := s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"x"}]}`); r.Status != 404 {
		t.Errorf("a deployment that does not exist: %d %s", r.Status, r.Body)
	}
	v.Script(upstreamtest.SSE(
		`{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`,
		`{"id":"1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"Hi."},"finish_reason":"stop","content_filter_results":{}}]}`, "[DONE]"))
	r := s.Post(chat, `{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, "prompt_filter_results") || !strings.Contains(r.Body, `"content":"Hi."`) {
		t.Errorf("a stream: %d %s", r.Status, r.Body)
	}
}
