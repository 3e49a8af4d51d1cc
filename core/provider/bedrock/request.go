package bedrock

import (
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// writer writes one request of Converse.
type writer struct {
	t *provider.Turn
	r *openai.ChatRequest
	s *site
	b dialect.Builder

	role      string // of the message that is open; "" if none is
	documents int    // written so far
	jsonTool  bool   // the answer comes as the input of a tool
	budget    int64  // tokens for thinking

	extra []openai.Param // the members of additionalModelRequestFields
}

// request writes the body of Converse. Its members are those of
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html; what the API has no member for goes
// to the model itself, in additionalModelRequestFields.
func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	w := &writer{t: t, r: r, s: own(t), b: dialect.Build(dst)}
	w.b.Open('{')
	for _, write := range [...]func(*writer) error{
		(*writer).messages, (*writer).system, (*writer).format, (*writer).thinking, (*writer).inference, (*writer).tools,
		(*writer).tier, (*writer).members, (*writer).additional,
	} {
		if err := write(w); err != nil {
			return nil, err
		}
	}
	w.b.Close('}')
	return w.b.Bytes(), nil
}

// add takes a member of additionalModelRequestFields, unless it is there.
func (w *writer) add(name string, value []byte) {
	for i := range w.extra {
		if w.extra[i].Name == name {
			return
		}
	}
	w.extra = append(w.extra, openai.Param{Name: name, Value: value})
}

// format decides how JSON is asked for. A strict schema goes to the models that are known to be held to one
// (https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html); everything else becomes a tool whose
// input is the answer, as in the reference.
func (w *writer) format() error {
	f := &w.r.Format
	switch f.Kind {
	case openai.FormatOpen, openai.FormatText:
		return nil
	case openai.FormatSchema:
		if f.Strict && w.s.family == familyClaude && w.s.version(4, 5) {
			w.b.Key("outputConfig").Open('{').Key("textFormat").Open('{').Key("type").Lit(`"json_schema"`)
			w.b.Key("structure").Open('{').Key("jsonSchema").Open('{').Key("schema").QuoteBytes(f.Schema)
			w.b.Member("name", f.Name).Member("description", f.Description).Close('}').Close('}').Close('}').Close('}')
			return nil
		}
	}
	w.jsonTool = true
	return nil
}

// thinking decides how much the model reasons before it answers. A thinking of the caller's own goes out as it is, except to
// Nova and GPT, which have none and refuse it: there it becomes an effort.
// Claude's is that of https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html, with
// the reference's budgets (litellm/constants.py), Nova's that of
// https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html.
func (w *writer) thinking() error {
	own := w.r.Get("thinking")
	if len(own) > 0 && own[0] != '{' {
		return w.r.Bad("thinking", "must be an object")
	}
	byEffort := w.s.family == familyNova || w.s.family == familyGPT
	if own != nil && !byEffort {
		w.budget = dialect.Int(dialect.Get(own, "budget_tokens"))
		w.add("thinking", own)
		return nil
	}
	effort, err := w.r.Effort()
	if effort != "" {
		own = nil
	} else if own != nil {
		effort = effortOf(own)
	}
	if err != nil || effort == "" {
		return err
	}
	budget := map[string]int64{"none": -1, "minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 8192}[effort]
	if budget == 0 {
		return w.r.Bad("reasoning_effort", "must be none, minimal, low, medium, high, xhigh or max")
	}
	none, level := effort == "none", w.level(effort)
	switch w.s.family {
	case familyClaude:
		w.claudeThinking(budget, effort)
	case familyNova:
		return w.novaThinking(level, own != nil)
	case familyGPT:
		if none {
			return w.r.Bad("reasoning_effort", "must be low, medium or high for this model, which always reasons")
		}
		w.add("reasoning_effort", []byte(`"`+level+`"`))
	default:
		if !none && !w.r.Drop {
			return w.r.Bad("reasoning_effort", "cannot be set for this model: remove it or set drop_params")
		}
	}
	return nil
}

// effortOf is the effort that a thinking of Claude's comes to, by the budgets of claudeThinking; none is said for one that
// is disabled.
func effortOf(thinking []byte) string {
	budget := dialect.Int(dialect.Get(thinking, "budget_tokens"))
	switch kind := string(dialect.Get(thinking, "type")); {
	case kind == `"disabled"`:
		return ""
	case kind == `"adaptive"`, budget >= 2048 && budget < 4096:
		return "medium"
	case budget >= 4096:
		return "high"
	}
	return "low"
}

func (w *writer) claudeThinking(budget int64, effort string) {
	switch {
	case effort == "none":
		w.add("thinking", []byte(`{"type":"disabled"}`))
	case w.s.version(4, 6):
		w.add("thinking", []byte(`{"type":"adaptive"}`))
		if effort == "minimal" {
			effort = "low"
		}
		w.add("output_config", []byte(`{"effort":"`+effort+`"}`))
	default:
		w.budget = budget
		w.add("thinking", strconv.AppendInt([]byte(`{"type":"enabled","budget_tokens":`), budget, 10))
		w.extra[len(w.extra)-1].Value = append(w.extra[len(w.extra)-1].Value, '}')
	}
}

// level is an effort of the three that every reasoning model knows.
func (w *writer) level(effort string) string {
	switch effort {
	case "minimal":
		return "low"
	case "xhigh", "max":
		return "high"
	}
	return effort
}

// defaultMaxTokens is how long an answer may get behind the thinking if nobody says so, as in the reference
// (litellm/constants.py, DEFAULT_MAX_TOKENS).
const defaultMaxTokens = 4096

// inference writes inferenceConfig. A budget for thinking counts against maxTokens.
func (w *writer) inference() error {
	maximum, err := w.r.MaxTokens(), error(nil)
	stop, err := w.r.Stop()
	if err != nil {
		return err
	}
	if maximum == nil && w.budget > 0 {
		maximum = strconv.AppendInt(nil, w.budget+defaultMaxTokens, 10)
	}
	temperature, topP := w.r.Get("temperature"), w.r.Get("top_p")
	if names := w.limits(); len(names) > 0 && w.highest() {
		if !w.r.Drop {
			return w.r.Bad(names[0], "cannot be set with the highest effort of this model: remove "+strings.Join(names, ", ")+", ask for a medium effort, or set drop_params")
		}
		maximum, temperature, topP = nil, nil, nil
	}
	if maximum == nil && stop == nil && temperature == nil && topP == nil {
		return nil
	}
	w.b.Key("inferenceConfig").Open('{')
	w.b.Member("maxTokens", maximum).Member("temperature", temperature).Member("topP", topP).Member("stopSequences", stop)
	w.b.Close('}')
	return nil
}

// tier writes serviceTier (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ServiceTier.html).
func (w *writer) tier() error {
	name, err := w.r.Text("service_tier")
	if err != nil {
		return err
	}
	if own := w.r.Get("serviceTier"); own != nil {
		w.b.Member("serviceTier", own)
		return nil
	}
	switch name {
	case "", "auto":
	case "default", "flex", "priority", "reserved":
		w.b.Key("serviceTier").Open('{').Text("type", name).Close('}')
	default:
		return w.r.Bad("service_tier", "must be auto, default, flex, priority or reserved")
	}
	return nil
}

// members writes those of the API's own members that a request or a deployment may bring.
func (w *writer) members() error {
	for _, name := range [...]string{
		"guardrailConfig", "performanceConfig", "requestMetadata", "promptVariables", "additionalModelResponseFieldPaths",
	} {
		if v := w.r.Get(name); v != nil {
			w.b.Member(name, v)
		}
	}
	if v := w.r.Get("outputConfig"); v != nil {
		if w.r.Format.Kind > openai.FormatText {
			return w.r.Bad("outputConfig", "cannot be combined with `response_format`: write one of them")
		}
		w.b.Member("outputConfig", v)
	}
	if v := w.r.Get("top_k"); v != nil {
		if w.s.family == familyNova {
			w.add("inferenceConfig", append(append([]byte(`{"topK":`), v...), '}'))
		} else {
			w.add("top_k", v)
		}
	}
	return nil
}

// additional writes what is for the model itself: the caller's own additionalModelRequestFields, what was made above, and
// every member that nobody knew.
func (w *writer) additional() error {
	made := w.extra
	w.extra = nil
	if own := w.r.Get("additionalModelRequestFields"); own != nil {
		if own[0] != '{' {
			return w.r.Bad("additionalModelRequestFields", "must be an object")
		}
		for c := dialect.Object(own); c.Next(); {
			w.add(string(c.Key()), c.Value())
		}
	}
	for _, p := range made {
		w.add(p.Name, p.Value)
	}
	for name, value := range w.r.Rest {
		if strings.ContainsAny(name, `"\`) {
			return w.r.Bad(name, "cannot be the name of a parameter")
		}
		w.add(name, value)
	}
	if len(w.extra) == 0 {
		return nil
	}
	w.b.Key("additionalModelRequestFields").Open('{')
	for _, p := range w.extra {
		w.b.Member(p.Name, p.Value)
	}
	w.b.Close('}')
	return nil
}
