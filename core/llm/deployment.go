package llm

import "time"

// Deployment is one place where a model can be called: a vendor, an address, a key and its settings. It is immutable
// after it was built; what a router learns about it is kept elsewhere, under its ID.
type Deployment struct {
	ID       string // stable across restarts as long as the settings stay
	Group    string // the public model name that callers use
	Provider string // the vendor, such as "openai"
	Model    string // the vendor's own name for the model
	Written  string // the model as the operator wrote it
	Base     string // base URL of the vendor's API, without a trailing slash

	APIKey       string
	APIVersion   string
	Organization string

	Weight, RPM, TPM float64 // shares for simple-shuffle; 0 unset
	Parallel         int64   // calls that may be open at the same time; 0 any number
	Order            int

	Timeout       time.Duration // for the whole call; 0 takes the router's
	StreamTimeout time.Duration // until the first byte of a stream; 0 takes the router's
	Retries       int           // -1 takes the router's
	Cooldown      time.Duration // how long it is left alone after failures; 0 takes the router's, negative is never

	DropParams     bool         // leave out parameters the vendor does not know, instead of refusing them
	AdditionalDrop []string     // parameters to leave out always
	AllowedParams  []string     // parameters to pass although the vendor table does not list them
	ExtraHeaders   []Pair       // sent with every request
	ExtraBody      []Pair       // members set in every request body; Value is JSON
	Settings       []Pair       // what else the operator set for the vendor's API, such as aws_region_name; never sent as it is
	Defaults       []Pair       // members added to the body when the caller did not set them; Value is JSON
	CachePoints    []CachePoint // where requests are marked for the vendor's prompt cache
	Mock           string       // mock_response: answer with this instead of calling the vendor
	Tags           []string
	Price          *Price // nil if nothing says what a call costs
	Open           bool   // a pass-through endpoint that needs no key
	Info           map[string]any
	Scopes         []*Scope // whose money its calls spend: vendor, deployment, tags
	Bound          any      // what the provider prepared at load; read by the gateway
}

// CachePoint says what of a chat is marked for the vendor's prompt cache (cache_control_injection_points).
type CachePoint struct {
	Tools   bool   // the tools; else messages
	Role    string // of the messages, unless ByIndex
	ByIndex bool
	Index   int    // of the message; negative counts from the end
	Control string // the mark, a JSON object
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Setting returns the value of one of Settings, or "".
func (d *Deployment) Setting(name string) string {
	for i := range d.Settings {
		if d.Settings[i].Name == name {
			return d.Settings[i].Value
		}
	}
	return ""
}
