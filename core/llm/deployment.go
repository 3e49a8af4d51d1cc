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
	Unfit          []Unfit      // parameters that the model refuses although its vendor takes them
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

// Unfit is a parameter of chats that a model refuses, or knows under another name.
type Unfit struct {
	Name string
	As   string // the other name; "" for none
	But  string // a value in JSON that it takes; "" for none
	Idle bool   // it takes any value as long as it does not think: if no reasoning_effort is asked for, or none
}

// Takes reports whether the model takes the parameter with a value all the same. effort is the reasoning_effort of the
// request, in JSON, or nil.
func (u *Unfit) Takes(value, effort []byte) bool {
	switch {
	case u.But != "" && (string(value) == u.But || string(value) == u.But+".0"):
		return true
	case u.Idle:
		return len(effort) == 0 || string(effort) == "null" || string(effort) == `"none"`
	}
	return false
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
