package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// probeTimeout is how long a health check may take unless model_info.health_check_timeout says otherwise
// (HEALTH_CHECK_TIMEOUT_SECONDS in litellm/constants.py).
const probeTimeout = 60 * time.Second

// probe is how one deployment is checked: with the cheapest call that its mode allows.
type probe struct {
	d       *llm.Deployment // as requests know it
	call    *llm.Deployment // what is called; nil if nothing can be, for the reason in problem
	problem error
	mode    string
	tokens  int // asked for; 0 takes the least
	voice   string
	timeout time.Duration
	skip    bool // not in the background
}

// healthInfo writes what model_info says about health checks, as given, for GET /model/info.
func healthInfo(out map[string]any, h *config.ModelHealth) {
	if h.HealthCheckModel != "" {
		out["health_check_model"] = h.HealthCheckModel
	}
	if h.HealthCheckTimeout != nil {
		out["health_check_timeout"] = *h.HealthCheckTimeout
	}
	if h.HealthCheckMaxTokens != nil {
		out["health_check_max_tokens"] = *h.HealthCheckMaxTokens
	}
	if h.HealthCheckVoice != "" {
		out["health_check_voice"] = h.HealthCheckVoice
	}
	if h.DisableBackgroundHealthCheck {
		out["disable_background_health_check"] = true
	}
}

// probes makes a probe for each deployment.
func (b *builder) probes(l *loaded) []*probe {
	written := l.written()
	out := make([]*probe, 0, len(l.deployments))
	for _, d := range l.deployments {
		m := written[d.ID]
		if m == nil {
			m = &config.Model{}
		}
		out = append(out, b.probe(l, d, m))
	}
	return out
}

func (b *builder) probe(l *loaded, d *llm.Deployment, m *config.Model) *probe {
	h := &m.ModelInfo.ModelHealth
	p := &probe{d: d, timeout: probeTimeout, tokens: or(h.HealthCheckMaxTokens), voice: h.HealthCheckVoice, skip: h.DisableBackgroundHealthCheck}
	if h.HealthCheckTimeout != nil && *h.HealthCheckTimeout > 0 {
		p.timeout = h.HealthCheckTimeout.Duration()
	}
	if p.voice == "" {
		p.voice = "alloy"
	}
	p.call, p.problem = b.probed(l, d, m)
	if p.mode, _ = d.Info["mode"].(string); p.mode == "" && p.call != nil {
		p.mode = knownMode(l.prices.entry(p.call).Mode())
	}
	return p
}

// probed is the deployment that a check calls: d itself, or what stands in for a model that cannot be called.
func (b *builder) probed(l *loaded, d *llm.Deployment, m *config.Model) (*llm.Deployment, error) {
	model := m.ModelInfo.HealthCheckModel
	if model == "" {
		if !strings.Contains(d.Model, "*") {
			return d, nil
		}
		if model = cheapest(l.prices.table, d); model == "" {
			return nil, errors.New("a wildcard names no model to call: set model_info.health_check_model")
		}
		return b.expand(d, model)
	}
	if strings.Contains(model, "*") {
		return nil, errors.New("model_info.health_check_model is a wildcard: name one model")
	}
	c := *d
	c.Model, c.Written, c.Bound = model, model, nil
	vendor, rest, ok := strings.Cut(model, "/")
	switch {
	case ok && vendor == d.Provider:
		c.Model = rest
	case ok && b.knownVendor(vendor):
		c.Provider, c.Base, c.APIKey = "", strings.TrimRight(m.LiteLLMParams.APIBase, "/"), m.LiteLLMParams.APIKey.Reveal()
	}
	if err := b.bindNamed(&c); err != nil {
		return nil, fmt.Errorf("model_info.health_check_model: %w", err)
	}
	return &c, nil
}

// cheapest is the chat model with the lowest price that a wildcard serves, in the vendor's own words; "" if none is
// known.
func cheapest(t *price.Table, d *llm.Deployment) (model string) {
	least := math.Inf(1)
	t.All(func(e price.Entry) bool {
		if e.Provider() != d.Provider || e.Mode() != "chat" {
			return true
		}
		name := strings.TrimPrefix(e.Key(), d.Provider+"/")
		if ok, err := path.Match(d.Model, name); !ok || err != nil {
			return true // a * stands for what has no slash in it, which is good enough for models to try
		}
		p, err := price.Make(e, price.Override{})
		if err != nil {
			return true
		}
		if r, known := p.Base(); known && r.Input > 0 && r.Input+r.Output < least {
			least, model = r.Input+r.Output, name
		}
		return true
	})
	return model
}

// knownMode is a mode of the price table if there is a check for it; a chat otherwise.
func knownMode(mode string) string {
	switch mode {
	case "embedding", "completion", "image_generation", "audio_speech", "audio_transcription", "rerank", "moderation", "responses", "realtime":
		return mode
	}
	return "chat"
}

// request is the exchange that checks the deployment.
func (p *probe) request() (*llm.Exchange, error) {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Pinned, x.Model, x.Method = p.call, p.d.Group, "POST"
	tokens := max(p.tokens, 1)
	var body string
	switch p.mode {
	case "chat":
		x.Op, body = llm.OpChat, fmt.Sprintf(`{"messages":[{"role":"user","content":"ping"}],"max_tokens":%d}`, tokens)
	case "completion":
		x.Op, body = llm.OpCompletion, fmt.Sprintf(`{"prompt":"ping","max_tokens":%d}`, tokens)
	case "embedding":
		x.Op, body = llm.OpEmbedding, `{"input":["ping"]}`
	case "image_generation":
		x.Op, body = llm.OpImage, `{"prompt":"ping","n":1}`
	case "audio_speech":
		x.Op, body = llm.OpSpeech, `{"input":"ping","voice":`+string(llm.AppendQuoted(nil, p.voice))+`}`
	case "audio_transcription":
		return x, transcription(x)
	case "rerank":
		x.Op, body = llm.OpRerank, `{"query":"ping","documents":["ping"]}`
	case "moderation":
		x.Op, body = llm.OpModeration, `{"input":"ping"}`
	case "realtime":
		x.Op, x.Streamed, body = llm.OpRealtime, true, `{}`
	case "batch":
		// Making one would cost; to list them shows that address and key are good.
		x.Op, x.Method, x.Call, x.Tail, body = llm.OpResource, "GET", "alist_batches", "/batches", `{}`
		x.Query = []byte("limit=1")
	case "responses": // 16 is the least that the API takes
		x.Op, x.Dialect = llm.OpChat, llm.DialectResponses
		if p.tokens == 0 {
			tokens = 16
		}
		body = fmt.Sprintf(`{"messages":[{"role":"user","content":"ping"}],"max_tokens":%d}`, tokens)
		if err := x.Native.Parse(fmt.Appendf(nil, `{"input":"ping","max_output_tokens":%d}`, tokens)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("mode %q has no health check: set model_info.mode to chat, completion, embedding, image_generation, "+
			"audio_speech, audio_transcription, rerank, realtime, batch, responses or moderation", p.mode)
	}
	return x, x.Body.Parse([]byte(body))
}

// transcription asks for the text of half a second of silence.
func transcription(x *llm.Exchange) error {
	x.Op = llm.OpTranscription
	const boundary = "sallyport-health-check"
	var form bytes.Buffer
	form.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"silence.wav\"\r\nContent-Type: audio/wav\r\n\r\n")
	form.Write(silence())
	form.WriteString("\r\n--" + boundary + "--\r\n")
	if err := x.Form.Parse([]byte("multipart/form-data; boundary="+boundary), form.Bytes()); err != nil {
		return err
	}
	body, err := openai.FormBody(&x.Form)
	if err != nil {
		return err
	}
	x.Header = append(x.Header, llm.Field{Name: []byte("Content-Type"), Value: []byte("multipart/form-data; boundary=" + boundary)})
	return x.Body.Parse(body)
}

// silence is half a second of it as a WAV file: 8 kHz, 16 bits, one channel (RIFF WAVE, PCM).
func silence() []byte {
	const rate, size = 8000, 8000
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, 36+size)...)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	for _, n := range []uint16{1, 1} { // PCM, one channel
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*2)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, size)
	return append(b, make([]byte, size)...)
}

// run makes the call and says what came of it. It is bounded by the probe's own time, whatever becomes of others.
func (p *probe) run(ctx context.Context, a *App) (r healthResult) {
	r = healthResult{ID: p.d.ID, Group: p.d.Group, By: a.replica, At: time.Now().UTC()}
	defer func() { r.Took = time.Since(r.At) }()
	failed := func(err error) {
		e := llm.AsError(err)
		r.Error, r.Status = openai.Message(e), e.HTTPStatus()
	}
	if p.problem != nil {
		failed(&llm.Error{Kind: llm.KindInvalid, Message: p.problem.Error()})
		return r
	}
	x, err := p.request()
	if err != nil {
		failed(&llm.Error{Kind: llm.KindInvalid, Message: err.Error()})
		return r
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, &llm.Error{
		Op: "app.probe", Kind: llm.KindTimeout, Message: "The health check took longer than " + p.timeout.String() + ".",
	})
	defer cancel()
	reply, err := a.gateway.Probe(ctx, x)
	if err != nil {
		if ctx.Err() != nil && context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		if failed(err); p.spentAll(llm.AsError(err)) {
			r.Healthy, r.Error, r.Status = true, "", 0
		}
		return r
	}
	r.Healthy, r.Limits = true, limitsOf(reply.Header)
	if reply.Socket != nil {
		reply.Socket.Close(1000, "health check")
	}
	_ = reply.Rest.Close()
	return r
}

// spentAll reports whether a model only refused because it thought longer than the one token it may: it is there, and
// takes the key. OpenAI's reasoning models answer like that.
func (p *probe) spentAll(e *llm.Error) bool {
	return e.Kind == llm.KindBadRequest && strings.Contains(e.Message, "max_tokens or model output limit was reached")
}

// limitsOf are the lines of an answer that a health report shows.
func limitsOf(h llm.Header) map[string]string {
	var out map[string]string
	for _, name := range []string{"x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens", "x-ms-region"} {
		if v := h.Get(name); len(v) > 0 {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = string(v)
		}
	}
	return out
}
