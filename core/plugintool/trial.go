package plugintool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Trial is a hook and what it is tried on.
type Trial struct {
	Settings wasm.Settings // its grants are added to those that the manifest asks for
	Hook     string        // empty takes the first of the plugin's
	Input    Input
	View     []byte   // run the bare hook on these records; what it returns is written as records
	Network  bool     // HTTP requests go out instead of into the script, and secrets may be environment variables
	Hosts    []string // with Network: hosts that the plugin may send requests to, besides those that its manifest names
}

// What a hook decided, in words. Failed is also a hook that broke a limit or the interface.
const (
	Continue = "continue"
	Edit     = "edit"
	Reject   = "reject"
	Respond  = "respond"
	Allow    = "allow"
	Pass     = "pass"
	Retry    = "retry" // a model is asked again
	Failed   = "fail"
)

// Verdicts returns all verdicts a trial may end with.
func Verdicts() []string {
	return []string{Continue, Edit, Reject, Respond, Allow, Pass, Retry, Failed}
}

// Outcome is what a hook did.
type Outcome struct {
	Hook    string   `json:"hook"`
	Verdict string   `json:"verdict"`
	Status  int      `json:"status,omitempty"`  // of a rejection
	Message string   `json:"message,omitempty"` // of a rejection or a failure
	Reply   string   `json:"reply,omitempty"`   // the answer in place of a model's, as the caller gets it
	Changes []Change `json:"changes,omitempty"` // of the request, the answer, the error or the key
	Caller  []Change `json:"caller,omitempty"`  // who was let in
	Steps   []Step   `json:"steps,omitempty"`   // what came after what
	Calls   []string `json:"calls,omitempty"`   // of the host: HTTP requests, the key-value store
	Metrics []string `json:"metrics,omitempty"` // that the plugin wrote
	Records string   `json:"records,omitempty"` // what a bare hook returned
	TookUS  float64  `json:"took_us"`
}

// Step is one thing that happened in a trial in which several do: a stream, a call of a vendor, a batch of records.
type Step struct {
	Who  string `json:"who"` // model, hook, caller, call, vendor, record
	Text string `json:"text"`
	Did  string `json:"did,omitempty"` // what the hook did with the text
}

// attempt is a hook with what it is tried on, called as the gateway calls it.
type attempt interface {
	// reset prepares a run, as if there had been none.
	reset() error
	// run calls the hook, once or as often as the input gives reason to.
	run(ctx context.Context)
	// outcome says what the last run did.
	outcome() (*Outcome, error)
}

// subject is what attempts have in common.
type subject struct {
	t *Trial
	p *wasm.Plugin
	h *host
	x *llm.Exchange
}

// Run loads the plugin with its limits, runs the hook on the input, and closes it.
func (t Trial) Run(ctx context.Context) (*Outcome, error) {
	var watch watch
	trace := t.Settings.Trace
	t.Settings.Trace = func(r wasm.Traced) {
		watch.see(r)
		if trace != nil {
			trace(r)
		}
	}
	p, h, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	defer closePlugin(p)
	hook, err := t.hook(p)
	if err != nil {
		return nil, err
	}
	a, err := t.attempt(p, h, hook, &watch)
	if err == nil {
		err = a.reset()
	}
	if err != nil {
		return nil, err
	}
	began := time.Now()
	a.run(ctx)
	took := time.Since(began)
	o, err := a.outcome()
	if err != nil {
		return nil, err
	}
	o.Hook, o.TookUS, o.Calls = hook.String(), micro(took), h.calls
	o.Metrics, err = h.counted()
	return o, err
}

func closePlugin(p *wasm.Plugin) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = p.Close(ctx) // nothing is left to be done with it
}

// hooks returns the hooks that can be tried, those first that a plugin is most likely written for.
func hooks() []abi.Hook {
	return []abi.Hook{
		abi.HookRequest, abi.HookAuth, abi.HookModeration, abi.HookResponse, abi.HookStreamChunk, abi.HookStreamEnd, abi.HookFailure,
		abi.HookLog, abi.HookRoute, abi.HookProvider, abi.HookPrompt, abi.HookKeyGenerate, abi.HookSSOCallback, abi.HookSSOBegin, abi.HookTick,
	}
}

// ParseHook returns the hook of a name: that of a manifest, or one that stands for several hooks, such as "stream".
func ParseHook(name string) (abi.Hook, bool) {
	switch name = strings.ReplaceAll(name, "-", "_"); name {
	case "stream":
		return abi.HookStreamChunk, true
	case "sso":
		return abi.HookSSOCallback, true
	case abi.HookConfigure.String():
		return 0, false
	}
	return abi.ParseHook(name)
}

func (t *Trial) hook(p *wasm.Plugin) (abi.Hook, error) {
	if t.Hook == "" {
		for _, h := range hooks() {
			if p.Has(h) {
				return h, nil
			}
		}
		return 0, fmt.Errorf("the plugin has no hook: its manifest names %s", strings.Join(p.Manifest().Hooks, ", "))
	}
	h, ok := ParseHook(t.Hook)
	switch {
	case !ok:
		return 0, fmt.Errorf("there is no hook %q: there are %s", t.Hook, strings.Join(Hooks(), ", "))
	case !p.Has(h):
		return 0, fmt.Errorf("the plugin has no hook %s: its manifest names %s", h, strings.Join(p.Manifest().Hooks, ", "))
	}
	return h, nil
}

// attempt makes the attempt for a hook. watch sees what the hook is given, unless it is nil.
func (t *Trial) attempt(p *wasm.Plugin, h *host, hook abi.Hook, w *watch) (attempt, error) {
	s := subject{t: t, p: p, h: h, x: &llm.Exchange{}}
	if t.View != nil {
		return &bareAttempt{subject: s, hook: hook}, nil
	}
	switch hook {
	case abi.HookRequest:
		return &requestAttempt{subject: s}, nil
	case abi.HookModeration:
		return &moderationAttempt{subject: s}, nil
	case abi.HookFailure:
		return &failureAttempt{subject: s}, nil
	case abi.HookAuth:
		return newAuthAttempt(s)
	case abi.HookResponse:
		if t.Input.Stream == nil {
			return newResponseAttempt(s)
		}
		return newStreamAttempt(s, hook, w)
	case abi.HookStreamChunk, abi.HookStreamEnd:
		return newStreamAttempt(s, hook, w)
	case abi.HookLog:
		return newLogAttempt(s, w)
	case abi.HookRoute:
		return newRouteAttempt(s)
	case abi.HookProvider:
		return newProviderAttempt(s)
	case abi.HookPrompt:
		return newPromptAttempt(s)
	case abi.HookKeyGenerate:
		return &keyAttempt{subject: s}, nil
	case abi.HookSSOBegin, abi.HookSSOCallback:
		return &ssoAttempt{subject: s, hook: hook}, nil
	case abi.HookTick:
		return &tickAttempt{subject: s}, nil
	}
	return nil, fmt.Errorf("the hook %s cannot be tried", hook)
}

// reset makes the exchange as the listener and the authenticators do.
func (s *subject) reset() error { return s.prepare("/v1/chat/completions", "POST") }

func (s *subject) prepare(path, method string) error {
	in, x := &s.t.Input, s.x
	s.h.reset()
	x.Reset()
	now := time.Now()
	x.ID, x.Start, x.Remote, x.Principal = llm.NewID(now), now, "127.0.0.1", in.Caller.principal()
	x.Path, x.Method, x.Query = in.Path, in.Method, []byte(in.Query)
	if x.Path == "" {
		x.Path = path
	}
	if x.Method == "" {
		x.Method = method
	}
	switch {
	case strings.HasSuffix(x.Path, "/chat/completions"):
		x.Op = llm.OpChat
	case strings.HasSuffix(x.Path, "/completions"):
		x.Op = llm.OpCompletion
	case strings.HasSuffix(x.Path, "/embeddings"):
		x.Op = llm.OpEmbedding
	}
	x.Header = append(x.Header, in.header()...)
	if len(in.Request) == 0 {
		return nil
	}
	if err := x.Body.Parse(in.Request); err != nil {
		return fmt.Errorf("the request: %w", err)
	}
	if err := openai.Decode(x); err != nil {
		return fmt.Errorf("the request: %w", err)
	}
	return nil
}

// asked is reset for hooks that look at what is asked of a model.
func (s *subject) asked() error {
	if err := s.reset(); err != nil {
		return err
	}
	if s.x.Op == llm.OpNone {
		return fmt.Errorf("path %s: the hook sees requests to chat/completions, completions and embeddings, such as /v1/chat/completions", s.x.Path)
	}
	return nil
}

func (s *subject) guardrail() *wasm.Guardrail {
	return s.p.Guardrail(wasm.GuardSettings{Name: s.p.Name(), Respond: openai.FinishedReply})
}

func (o *Outcome) change(path string, before, after any) {
	if b, a := fmt.Sprint(before), fmt.Sprint(after); a != b {
		o.Changes = append(o.Changes, diffText(path, b, a)...)
	}
}

// edited makes an edit of "continue" where something changed.
func (o *Outcome) edited() *Outcome {
	if o.Verdict == Continue && len(o.Changes) > 0 {
		o.Verdict = Edit
	}
	return o
}

// refusal makes an outcome of what the gateway made of a hook's error; without one it is the verdict given.
func refusal(verdict string, err error) *Outcome {
	o := &Outcome{Verdict: verdict}
	if err == nil {
		return o
	}
	e := llm.AsError(err)
	o.Verdict, o.Status, o.Message = Reject, e.HTTPStatus(), e.Message
	if !slices.Contains([]llm.Kind{llm.KindRejected, llm.KindAuth, llm.KindInvalid, llm.KindNoDeployment}, e.Kind) {
		o.Verdict, o.Status = Failed, 0
	}
	if e.Err != nil {
		o.Verdict, o.Status, o.Message = Failed, 0, e.Err.Error()
	}
	return o
}
