// Package sallyport is what a plugin for the Sallyport gateway is written with. A plugin is an ordinary Go program
// without a main loop: it registers a constructor, and the gateway calls the hooks that the constructor returns.
//
//	//go:embed manifest.json
//	var manifest string
//
//	var _ = sallyport.Register(manifest, New)
//
//	func main() {}
//
//	func New(c *sallyport.Config) (sallyport.Hooks, error) {
//		word := c.String("word", "secret")
//		return sallyport.Hooks{Request: func(r *sallyport.Request) sallyport.Verdict {
//			for i := range r.Texts {
//				if strings.Contains(r.Texts[i].Text, word) {
//					return sallyport.Reject(400, "This word is not allowed here.")
//				}
//			}
//			return sallyport.Continue()
//		}}, nil
//	}
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -o word.wasm .
//
// The package also compiles natively, so that New and the hooks are tested with plain go test; sdk/plugintest runs the
// finished module in the gateway's own host.
//
// Strings that a hook receives point into a buffer that the next call reuses: clone what is kept (strings.Clone). One
// instance runs one call at a time, so a hook needs no locks; a gateway runs several instances, so what one of them
// remembers the others do not know.
package sallyport

import "github.com/sallyport-ai/sallyport/sdk/abi"

// Hooks are the functions of a plugin. The manifest's "hooks" names those that are set.
type Hooks struct {
	// Auth decides who is asking: custom_auth of the gateway's configuration.
	Auth func(*AuthRequest) AuthVerdict
	// Request looks at a request before a model is called: a guardrail in mode pre_call.
	Request func(*Request) Verdict
	// Moderation looks at a request while a model works on it: mode during_call. It changes nothing, but may refuse.
	Moderation func(*Request) Verdict
	// Response looks at an answer before the caller gets it: mode post_call.
	Response func(*Response) Verdict
	// Stream looks at the texts of a streamed answer on their way: mode post_call.
	Stream func(*Window) Verdict
	// StreamEnd runs at the end of a streamed answer, also when the caller has left.
	StreamEnd func(*StreamEnd) Verdict
	// Failure may rewrite the error that the caller gets. It runs in every mode.
	Failure func(*Failure) Verdict
	// Log takes records of exchanges that have ended, off the path of requests.
	Log func(*LogBatch) error
	// Tick runs every tick_seconds of the manifest. An error goes to the operator's log.
	Tick func() error
	// Route filters and orders the deployments that may be called.
	Route func(*RouteRequest) RouteVerdict
	// Prompt supplies the messages of a stored prompt.
	Prompt func(*PromptRequest) PromptVerdict
	// Provider speaks a vendor's API.
	Provider Provider
	// KeyGenerate is asked before a virtual key is made.
	KeyGenerate func(*KeyRequest) KeyVerdict
	// SSOBegin is asked when somebody wants to sign in.
	SSOBegin func(*SSORequest) SSOVerdict
	// SSOCallback makes a user of what the identity provider said.
	SSOCallback func(*SSORequest) SSOVerdict
}

// Register makes the plugin known: its manifest, and the constructor that the gateway calls once in every instance with
// the plugin's config block. An error of the constructor stops the gateway's start, so it should name the setting and
// the fix. Register belongs in a package variable, as shown above, and is called once; a second call panics.
func Register(manifest string, construct func(*Config) (Hooks, error)) struct{} {
	if registered != nil {
		panic("sallyport: Register was called twice")
	}
	tuneMemory()
	registered = newGuest(manifest, construct)
	return struct{}{}
}

//repocheck:constant the exported functions of a module have no receiver; set by Register while packages initialise, before the host calls
var registered *guest

func newGuest(manifest string, construct func(*Config) (Hooks, error)) *guest {
	g := &guest{manifest: manifest, construct: construct}
	g.texts, g.windows = g.req.fields(), g.guards.window.fields()
	return g
}

// guest is the plugin as the host sees it.
type guest struct {
	manifest  string // keeps the manifest in the module, where the gateway finds it without running the plugin
	construct func(*Config) (Hooks, error)
	hooks     Hooks

	in, out []byte // what the host wrote last, and the last result
	req     Request
	texts   *fields // of req
	windows *fields // of guards.window
	guards  guards
	auth    AuthRequest
	batch   LogBatch
	route   RouteRequest
	part    ProviderAnswer
}

// buffer returns room for the host to write n bytes.
func (g *guest) buffer(n uint32) []byte {
	if uint32(cap(g.in)) < n || cap(g.in) == 0 {
		g.in = nil // lets the collector have the old one first
		g.in = make([]byte, max(n, 64))
	}
	return g.in[:n]
}

// call runs a hook on a view and returns the result's records, or nil for "continue, nothing changed". The result is
// valid until the next call.
func (g *guest) call(hook abi.Hook, view []byte) []byte {
	switch {
	case hook == abi.HookConfigure:
		if err := g.configure(view); err != nil {
			return g.fail(err.Error())
		}
		return nil
	case hook == abi.HookRequest && g.hooks.Request != nil:
		if err := g.req.decode(view, g.texts); err != nil {
			return g.fail(err.Error())
		}
		v := g.hooks.Request(&g.req)
		g.out = v.encode(g.out[:0], &g.req)
		return result(g.out)
	case hook == abi.HookAuth && g.hooks.Auth != nil:
		if err := g.auth.decode(view); err != nil {
			return g.fail(err.Error())
		}
		v := g.hooks.Auth(&g.auth)
		g.out = v.encode(g.out[:0])
		return result(g.out)
	}
	if out, known := g.guard(hook, view); known {
		return out
	}
	return g.further(hook, view)
}

func result(out []byte) []byte {
	if len(out) == 0 {
		return nil
	}
	return out
}

func (g *guest) fail(message string) []byte {
	g.out = appendVerdict(g.out[:0], abi.VerdictFail, 0, message)
	return g.out
}

func (g *guest) configure(view []byte) error {
	c := &Config{}
	var wanted []abi.Hook
	r := abi.Reader{Rest: view}
	for r.Next() {
		switch r.Tag {
		case abi.TagName:
			c.name = string(r.Value)
		case abi.TagConfig:
			values, err := abi.Map(r.Value)
			if err != nil {
				return err
			}
			c.values = values
		case abi.TagHook:
			wanted = append(wanted, abi.Hook(r.Number()))
		default:
			r.Unknown()
		}
	}
	if r.Err != nil {
		return r.Err
	}
	hooks, err := build(c, g.construct)
	if err != nil {
		return err
	}
	g.hooks = hooks
	return hooks.check(wanted)
}

// check compares the hooks with those the manifest made the host expect.
func (h Hooks) check(wanted []abi.Hook) error {
	for _, hook := range wanted {
		if hook == abi.HookRequest && h.Request == nil || hook == abi.HookAuth && h.Auth == nil || h.lacks(hook) || h.lacksGuard(hook) {
			return errorString("the manifest names the hook " + hook.String() + ", which the plugin does not return")
		}
	}
	return nil
}

// errorString is an error made without package fmt, which would double the size of a small module.
type errorString string

// Error returns the message.
func (e errorString) Error() string { return string(e) }
