package bedrock

import (
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Batch is what batches of a deployment need to know
// (https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html).
type Batch struct {
	Model  string // the id or ARN that is called
	Name   string // what says which model it is, in lower case
	Region string // the one that the model's name holds, or ""
	Claude bool
	Nova   bool
}

// BatchOf reads it from the deployment, which New must have been able to bind.
func BatchOf(d *llm.Deployment) (b Batch, ok bool) {
	m, problem := parse(d)
	if problem != "" {
		return b, false
	}
	id, err := url.PathUnescape(m.id)
	return Batch{Model: id, Name: m.name, Region: m.region, Claude: m.family == familyClaude, Nova: m.family == familyNova}, err == nil
}

// Control is the server of the API that begins batches, beside the one that runs models
// (https://docs.aws.amazon.com/general/latest/gr/bedrock.html). A server of the operator's own stands for both, unless base,
// the address of the other one, is given: private endpoints have one for each
// (https://docs.aws.amazon.com/bedrock/latest/userguide/vpc-interface-endpoints.html). problem says what is wrong with it.
func Control(runtime *llm.Target, base string) (t *llm.Target, problem string) {
	if base != "" {
		t = &llm.Target{Trust: runtime.Trust}
		path, query, problem := provider.Target(base, t)
		if problem == "" && path+query != "" {
			problem = "must be an address without a path, such as https://bedrock.us-east-1.amazonaws.com"
		}
		return t, problem
	}
	change := func(s string) string { return strings.Replace(s, "bedrock-runtime", "bedrock", 1) }
	return &llm.Target{Scheme: runtime.Scheme, Host: change(runtime.Host), Addr: change(runtime.Addr), Trust: runtime.Trust}, ""
}

// HasTools reports whether a request of Converse offers tools to the model.
func HasTools(converse []byte) bool { return dialect.Get(converse, "toolConfig") != nil }

// NovaInvoke makes a request of InvokeModel from one of Converse: Nova has the same members in both, and parameters of its
// own at the top in place of additionalModelRequestFields
// (https://docs.aws.amazon.com/nova/latest/nova2-userguide/using-invoke-api.html). without is a member that it does not have
// there.
func NovaInvoke(converse []byte) (body []byte, without string, err error) {
	const more = "additionalModelRequestFields"
	body, err = dialect.Remove(nil, converse, more)
	if err != nil {
		return nil, "", err
	}
	for c := dialect.Object(dialect.Get(converse, more)); c.Next(); {
		if string(c.Key()) != "inferenceConfig" {
			if body, err = dialect.Set(nil, body, string(c.Key()), c.Value()); err != nil {
				return nil, "", err
			}
			continue
		}
		for p := dialect.Object(c.Value()); p.Next(); {
			if body, err = dialect.Set(nil, body, "inferenceConfig."+string(p.Key()), p.Value()); err != nil {
				return nil, "", err
			}
		}
	}
	for c := dialect.Object(body); c.Next(); {
		switch name := string(c.Key()); name {
		case "messages", "system", "inferenceConfig", "toolConfig", "schemaVersion", "reasoningConfig":
		default:
			without = name
		}
	}
	return body, without, nil
}
