// Bedrock-guardrails is a guardrail that applies a guardrail of Amazon Bedrock to the texts of a request or an answer,
// whichever model serves the request.
//
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
package main

import (
	_ "embed"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

type plugin struct {
	service     *jsonapi.Service
	path        string // of ApplyGuardrail, escaped
	host        string
	credentials *credentials // nil with a bearer token
	mask        bool
	message     string
	status      int
}

// New builds the guardrail from its config block. README.md lists the settings, whose names are those of LiteLLM.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		mask: c.Bool("mask_request_content", true), message: c.String("message", ""), status: c.Int("status", 400),
	}
	id, version := c.String("guardrailIdentifier", ""), c.String("guardrailVersion", "DRAFT")
	region := firstSetting(c, "aws_region_name", "AWS_REGION_NAME", "AWS_REGION")
	switch {
	case !matches(`^([a-z0-9]+|arn:aws(-[^:/]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+)$`, id):
		return sallyport.Hooks{}, errors.New(`setting "guardrailIdentifier" must be the id or ARN of a guardrail`)
	case !matches(`^([1-9][0-9]{0,7}|DRAFT)$`, version):
		return sallyport.Hooks{}, errors.New(`setting "guardrailVersion" must be a number or DRAFT`)
	case !matches(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`, region):
		return sallyport.Hooks{}, errors.New(`setting "aws_region_name" must be a region, such as us-east-1; or grant the secret AWS_REGION_NAME`)
	case p.status < 400 || p.status > 499:
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	p.path = "/guardrail/" + escape(id) + "/version/" + version + "/apply"
	var err error
	p.service, err = jsonapi.New(c, "bedrock guardrails", "aws_bedrock_runtime_endpoint", "", "https://bedrock-runtime."+region+".amazonaws.com")
	if err != nil {
		return sallyport.Hooks{}, err
	}
	base, err := url.Parse(p.service.Base)
	if err != nil || base.Host == "" || base.Path != "" || base.RawQuery != "" {
		return sallyport.Hooks{}, errors.New(`setting "aws_bedrock_runtime_endpoint" must be an address without a path`)
	}
	p.host = hostOf(base)
	if err := p.keys(c, region); err != nil {
		return sallyport.Hooks{}, err
	}
	return sallyport.RefuseMedia(c, p.status, nil, sallyport.Hooks{Request: p.request, Moderation: p.moderation, Response: p.response})
}

// hostOf is the header that the request will have: without the port if that is the scheme's own.
func hostOf(u *url.URL) string {
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		return strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return u.Host
}

func matches(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }

// firstSetting returns the setting, or the first secret that is granted.
func firstSetting(c *sallyport.Config, key string, secrets ...string) string {
	for _, s := range secrets {
		if v := jsonapi.Setting(c, key, s); v != "" {
			return v
		}
	}
	return ""
}

// keys takes a bearer token, or else credentials to sign with.
func (p *plugin) keys(c *sallyport.Config, region string) error {
	creds := &credentials{
		id:     jsonapi.Setting(c, "aws_access_key_id", "AWS_ACCESS_KEY_ID"),
		secret: jsonapi.Setting(c, "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
		token:  jsonapi.Setting(c, "aws_session_token", "AWS_SESSION_TOKEN"),
		region: region, service: "bedrock",
	}
	if err := p.service.Key(c, "aws_bearer_token", "AWS_BEARER_TOKEN_BEDROCK", false); err != nil || len(p.service.Headers) > 0 {
		return err
	}
	if creds.id == "" || creds.secret == "" {
		return errors.New(`credentials are missing: grant the secrets AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK (grants.secrets)`)
	}
	if strings.ContainsAny(creds.id+creds.token, "\r\n\x00") {
		return errors.New("the AWS credentials hold a line break")
	}
	p.credentials = creds
	return nil
}

func (p *plugin) request(r *sallyport.Request) sallyport.Verdict { return p.input(r, p.mask) }

// moderation cannot mask: the model has the request already.
func (p *plugin) moderation(r *sallyport.Request) sallyport.Verdict { return p.input(r, false) }

func (p *plugin) input(r *sallyport.Request, mask bool) sallyport.Verdict {
	texts := make([]string, len(r.Texts))
	for i := range r.Texts {
		texts[i] = r.Texts[i].Text
	}
	return p.apply("INPUT", texts, mask, func(i int, text string) { r.Texts[i].Replace(text) })
}

func (p *plugin) response(r *sallyport.Response) sallyport.Verdict {
	texts := make([]string, len(r.Texts))
	for i := range r.Texts {
		texts[i] = r.Texts[i].Text
	}
	return p.apply("OUTPUT", texts, p.mask, func(i int, text string) { r.Texts[i].Replace(text) })
}

// apply has the guardrail applied to the texts that are not blank, and masks with replace.
func (p *plugin) apply(source string, texts []string, mask bool, replace func(i int, text string)) sallyport.Verdict {
	q := question{Source: source}
	var at []int
	for i, t := range texts {
		if strings.TrimSpace(t) != "" {
			at = append(at, i)
			q.Content = append(q.Content, block{Text: content{t}})
		}
	}
	if len(at) == 0 {
		return sallyport.Continue()
	}
	a, err := p.ask(&q)
	if err != nil {
		return sallyport.Fail(err)
	}
	if a.Action == "NONE" {
		return sallyport.Continue()
	}
	if masked, ok := a.masked(len(at)); ok && mask {
		for i, text := range masked {
			if text != texts[at[i]] {
				replace(at[i], text)
			}
		}
		return sallyport.Continue()
	}
	return sallyport.Reject(p.status, a.why(p.message))
}

func (p *plugin) ask(q *question) (a answer, err error) {
	body, err := jsonapi.Marshal(q)
	if err != nil {
		return a, err
	}
	r := p.service.Request(p.path, body)
	if p.credentials != nil {
		p.sign(r, time.Now())
	}
	res, err := sallyport.HTTP(r)
	if err := p.service.Read(res, err, &a); err != nil {
		return a, err
	}
	if a.Action != "NONE" && a.Action != "GUARDRAIL_INTERVENED" {
		return a, p.service.Odd("has an action that is neither NONE nor GUARDRAIL_INTERVENED")
	}
	return a, nil
}

func (p *plugin) sign(r *sallyport.HTTPRequest, now time.Time) {
	add := func(name, value string) {
		r.Headers = append(r.Headers, sallyport.HTTPHeader{Name: name, Value: value})
	}
	date := now.UTC().Format(timeFormat)
	s := &signed{method: "POST", path: p.path, body: r.Body, headers: [][2]string{
		{"content-type", "application/json"}, {"host", p.host}, {"x-amz-date", date},
	}}
	add("X-Amz-Date", date)
	if t := p.credentials.token; t != "" {
		add("X-Amz-Security-Token", t)
		s.headers = append(s.headers, [2]string{"x-amz-security-token", t})
	}
	add("Authorization", p.credentials.authorization(s, now))
}
