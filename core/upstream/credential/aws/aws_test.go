package aws

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws/awstest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

func variables(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

// The signatures are those of Amazon's test suite for Signature Version 4.
func TestVectors(t *testing.T) {
	t.Parallel()
	s := New(Settings{Env: variables(nil), Now: func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }})
	sign := s.Signer(Options{
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Region: "us-east-1",
	}, "service")
	f := func(method, path, signature string) {
		t.Helper()
		c := &llm.Call{Target: &llm.Target{Scheme: "https", Host: "example.amazonaws.com"}, Method: method, Path: []byte(path)}
		if err := sign.Sign(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + signature
		if got := string(c.Header.Get("authorization")); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", method, path, got, want)
		}
	}
	f("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
	f("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
	f("GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")
}

// vendor is a server that checks signatures.
type vendor struct {
	*upstreamtest.Vendor
	t      *testing.T
	client *upstream.Client
}

func newVendor(t *testing.T) *vendor {
	return &vendor{upstreamtest.New(t, upstreamtest.JSON(200, "{}")), t, upstream.New(upstream.Settings{})}
}

// send makes a signed call and returns what the server makes of the signature.
func (v *vendor) send(s llm.Signer, path string, body ...string) (key, scope string, err error) {
	v.t.Helper()
	c := &llm.Call{
		Target: v.Target(), Method: "POST", Path: []byte(path), Signer: s,
		Head:   []byte("Content-Type: application/json\r\nUser-Agent: x\r\nX-Amzn-Trace: y\r\nX-Amz-Test:  a   b\r\n"),
		Header: llm.Header{{Name: []byte("accept"), Value: []byte("application/json")}},
	}
	for _, b := range body {
		c.Body = append(c.Body, []byte(b))
	}
	var a llm.Answer
	if err := v.client.Do(v.t.Context(), c, &a); err != nil {
		return "", "", err
	}
	defer a.Body.Close()
	r := v.Last()
	return awstest.Verify(awstest.Signed{Method: r.Method, Path: r.Path, Host: r.Host, Header: r.Header, Body: r.Body}, map[string]string{
		"AK1": "SK1", "AK2": "SK2", "AK-r1": "SK-r1", "AK-r2": "SK-r2", "AKC": "SKC",
	})
}

// What a server computes of the request that arrives is what was signed, whatever the path, the query and the pieces of
// the body.
func TestSign(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	s := New(Settings{Env: variables(nil)})
	o := Options{AccessKeyID: "AK1", SecretAccessKey: "SK1", Region: "eu-west-1"}
	f := func(path string, body ...string) {
		t.Helper()
		key, scope, err := v.send(s.Signer(o, "bedrock"), path, body...)
		if err != nil || key != "AK1" || !strings.HasSuffix(scope, "/eu-west-1/bedrock/aws4_request") {
			t.Errorf("%s: got %s, %s, %v", path, key, scope, err)
		}
	}
	f("/model/m/converse", `{"a":`, `1}`)
	f("/model/m/converse")
	f("/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse-stream", "{}")
	f("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/invoke", "{}")
	f("/a?b=c%20d&a=%2F&z", "{}")
	f("/a?b=2&b=1&A=%3D", "{}")

	o.SessionToken = "ST1"
	f("/model/m/converse", "{}")
	if got := v.Last().Header.Get("X-Amz-Security-Token"); got != "ST1" {
		t.Errorf("the session token is %q", got)
	}
	wrong := Options{AccessKeyID: "AK1", SecretAccessKey: "SK2", Region: "eu-west-1"}
	if _, _, err := v.send(s.Signer(wrong, "bedrock"), "/a", "{}"); err == nil {
		t.Error("a wrong secret was taken")
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	v, sts := newVendor(t), awstest.NewSTS(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	shared := write("credentials", "[p1]\naws_access_key_id = AK1\naws_secret_access_key = SK1\n[p2]\naws_access_key_id = AK2\naws_secret_access_key = SK2\n")
	none := write("config", "")
	token := write("token", "jwt1\n")

	f := func(name, wantKey string, env map[string]string, settings map[string]string, calls ...string) {
		t.Helper()
		before := len(sts.Calls())
		e := map[string]string{"AWS_SHARED_CREDENTIALS_FILE": shared, "AWS_CONFIG_FILE": none, "AWS_STS_ENDPOINT": sts.URL, "AWS_REGION_NAME": "eu-west-1"}
		for k, v := range env {
			e[k] = v
		}
		s := New(Settings{Env: variables(e)})
		o := s.Options(variables(settings))
		if setting, problem := o.Check(); problem != "" {
			t.Errorf("%s: %s %s", name, setting, problem)
		}
		for range 2 {
			key, scope, err := v.send(s.Signer(o, "bedrock"), "/model/m/converse", "{}")
			if err != nil || key != wantKey || !strings.Contains(scope, "/eu-west-1/") {
				t.Errorf("%s: got %s, %s, %v", name, key, scope, err)
			}
		}
		var got []string
		for _, c := range sts.Calls()[before:] {
			got = append(got, strings.Join([]string{c.Get("Action"), c.Get("RoleArn"), c.Get("RoleSessionName"), c.Get("ExternalId"), c.Get("WebIdentityToken")}, " "))
		}
		if strings.Join(got, "\n") != strings.Join(calls, "\n") {
			t.Errorf("%s: the token service was asked for %q, want %q", name, got, calls)
		}
	}
	type m = map[string]string
	const r1, r2 = "arn:aws:iam::1:role/r1", "arn:aws:iam::1:role/path/r2"
	keys := m{"aws_access_key_id": "AK2", "aws_secret_access_key": "SK2"}
	own := m{"AWS_ACCESS_KEY_ID": "AK1", "AWS_SECRET_ACCESS_KEY": "SK1"}
	f("keys of the deployment", "AK2", own, keys)
	f("keys of the environment", "AK1", own, nil)
	f("profile of the deployment", "AK2", own, m{"aws_profile_name": "p2"})
	f("profile of the environment", "AK2", m{"AWS_PROFILE_NAME": "p2"}, nil)
	f("profile of Amazon's variable", "AK1", m{"AWS_PROFILE": "p1"}, nil)
	f("role", "AK-r1", own, m{"aws_role_name": r1, "aws_session_name": "s1", "aws_external_id": "x1"}, "AssumeRole "+r1+" s1 x1 ")
	f("role by keys of the deployment", "AK-r1", nil, m{"aws_role_name": r1, "aws_access_key_id": "AK2", "aws_secret_access_key": "SK2"}, "AssumeRole "+r1+" sallyport  ")
	f("role by a profile", "AK-r2", nil, m{"aws_role_name": r2, "aws_profile_name": "p1"}, "AssumeRole "+r2+" sallyport  ")
	f("role of the environment", "AK-r2", m{"AWS_ROLE_NAME": r2, "AWS_SESSION_NAME": "s2", "AWS_ACCESS_KEY_ID": "AK1", "AWS_SECRET_ACCESS_KEY": "SK1"}, nil, "AssumeRole "+r2+" s2  ")
	f("keys before the role of the environment", "AK2", m{"AWS_ROLE_NAME": r2}, keys)
	f("web identity in a file", "AK-r1", nil, m{"aws_role_name": r1, "aws_web_identity_token": token}, "AssumeRoleWithWebIdentity "+r1+" sallyport  jwt1")
	f("web identity by reference", "AK-r1", m{"TOKEN": "a.b.c"}, m{"aws_role_name": r1, "aws_web_identity_token": "oidc/env/TOKEN"}, "AssumeRoleWithWebIdentity "+r1+" sallyport  a.b.c")
	f("web identity itself", "AK-r1", nil, m{"aws_role_name": r1, "aws_web_identity_token": "a.b.c"}, "AssumeRoleWithWebIdentity "+r1+" sallyport  a.b.c")
	f("web identity of the environment", "AK-r1", m{"AWS_ROLE_NAME": r1, "AWS_WEB_IDENTITY_TOKEN": token, "AWS_SESSION_NAME": "s3"}, nil, "AssumeRoleWithWebIdentity "+r1+" s3  jwt1")
	f("web identity of the platform", "AK-r2", m{"AWS_ROLE_ARN": r2, "AWS_WEB_IDENTITY_TOKEN_FILE": token}, nil, "AssumeRoleWithWebIdentity "+r2+" sallyport  jwt1")
	if auth := sts.Signed()[0]; auth.Header.Get("Authorization") == "" {
		t.Error("the call of AssumeRole is not signed")
	}
}

// The credentials of a container come from the address that the platform names.
func TestContainer(t *testing.T) {
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"AccessKeyId":"AKC","SecretAccessKey":"SKC","Token":"STC","Expiration":"2099-01-01T00:00:00Z"}`))
	}))
	t.Cleanup(platform.Close)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", platform.URL)
	v := newVendor(t)
	s := New(Settings{Env: variables(map[string]string{"AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_CONFIG_FILE": empty})})
	key, _, err := v.send(s.Signer(Options{Region: "us-east-1"}, "bedrock"), "/", "{}")
	if key != "AKC" || err != nil {
		t.Errorf("got %s, %v", key, err)
	}
}

// A role is assumed once for all who ask for it, and again when its session ends.
func TestOnce(t *testing.T) {
	t.Parallel()
	v, sts := newVendor(t), awstest.NewSTS(t)
	var mu sync.Mutex
	now := time.Now()
	s := New(Settings{Env: variables(nil), Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	o := Options{AccessKeyID: "AK1", SecretAccessKey: "SK1", Role: "arn:aws:iam::1:role/r1", STSEndpoint: sts.URL, Region: "us-east-1"}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.Signer(o, "bedrock").Sign(t.Context(), &llm.Call{Target: v.Target(), Method: "POST", Path: []byte("/")}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(sts.Calls()); n != 1 {
		t.Errorf("the role was assumed %d times", n)
	}
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	sts.Life(4 * time.Hour)
	if key, _, err := v.send(s.Signer(o, "bedrock"), "/", "{}"); key != "AK-r1" || err != nil {
		t.Errorf("got %s, %v", key, err)
	}
	if n := len(sts.Calls()); n != 2 {
		t.Errorf("the role was assumed %d times after its session had ended", n)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	v, sts := newVendor(t), awstest.NewSTS(t)
	sts.Refuse("AccessDenied")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Settings{Env: variables(map[string]string{"AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_CONFIG_FILE": empty})})
	f := func(o Options, words ...string) {
		t.Helper()
		o.Region, o.STSEndpoint = "us-east-1", sts.URL
		_, _, err := v.send(s.Signer(o, "bedrock"), "/", "{}")
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindAuthentication {
			t.Fatalf("got %v", err)
		}
		for _, w := range words {
			if !strings.Contains(e.Message, w) {
				t.Errorf("the message %q lacks %q", e.Message, w)
			}
		}
		if strings.Contains(e.Error(), "SK1") || strings.Contains(e.Error(), "a.b.c") {
			t.Errorf("the error holds a secret: %v", e)
		}
	}
	f(Options{AccessKeyID: "AK1", SecretAccessKey: "SK1", Role: "arn:aws:iam::1:role/r1"}, "AccessDenied", "not for you")
	f(Options{Role: "arn:aws:iam::1:role/r1", WebIdentity: "a.b.c"}, "AccessDenied")
	f(Options{Role: "arn:aws:iam::1:role/r1", WebIdentity: "/nonexistent"}, "aws_web_identity_token", "neither a file")
	_, _, err := v.send(s.Signer(Options{AccessKeyID: "AK1", SecretAccessKey: "SK1", Role: "arn:aws:iam::1:role/r1",
		STSEndpoint: "http://" + upstreamtest.ClosedPort(t), Region: "us-east-1"}, "bedrock"), "/", "{}")
	if err == nil || !strings.Contains(err.Error(), "STS is not reached") {
		t.Errorf("without the token service: %v", err)
	}
	f(Options{Profile: "nobody"}, "aws_profile_name", "nobody")
	if len(v.Requests()) != 0 {
		t.Error("a call went out without a signature")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.Signer(Options{Profile: "other", Region: "us-east-1"}, "bedrock").Sign(ctx, &llm.Call{Target: v.Target()})
	if !errors.Is(err, &llm.Error{Kind: llm.KindCanceled}) && !errors.Is(err, &llm.Error{Kind: llm.KindAuthentication}) {
		t.Errorf("a caller who left got %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	f := func(o Options, want string) {
		t.Helper()
		if o.Region == "" {
			o.Region = "us-east-1"
		}
		if setting, _ := o.Check(); setting != want {
			t.Errorf("%+v: %q is wrong, want %q", o, setting, want)
		}
	}
	f(Options{}, "")
	f(Options{AccessKeyID: "a"}, "aws_secret_access_key")
	f(Options{SecretAccessKey: "a"}, "aws_access_key_id")
	f(Options{WebIdentity: "a"}, "aws_role_name")
	f(Options{Role: "r1"}, "aws_role_name")
	f(Options{Role: "arn:aws:iam::1:role/r1", WebIdentity: "a"}, "")
	f(Options{Region: "us-east-1.evil.example"}, "aws_region_name")
	f(Options{Region: "US"}, "aws_region_name")
	for endpoint, want := range map[string]string{
		"https://sts.eu-west-1.amazonaws.com": "eu-west-1", "https://sts.cn-north-1.amazonaws.com.cn": "cn-north-1",
		"https://vpce-1.sts.us-east-1.vpce.amazonaws.com": "us-east-1", "https://sts.amazonaws.com": "", "http://127.0.0.1:1": "",
	} {
		if got := stsRegion(endpoint); got != want {
			t.Errorf("%s: %q", endpoint, got)
		}
	}
}
