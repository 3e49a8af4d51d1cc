package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/router"
)

// Snapshot is everything an exchange needs that comes from the configuration. It is immutable once given to a gateway.
type Snapshot struct {
	KeyHeader string             // header that carries the caller's key; empty takes the usual ones
	Auth      auth.Authenticator // never has "no opinion"
	Pipeline  *pipeline.Chain
	Router    *router.Router
	Recorder  Recorder // may be nil
	Keep      int      // bytes of an answer that are kept in Reply.Kept for the recorder; a longer one is not kept at all
	Edge      Edge
	Forward   Forward

	TotalTimeout time.Duration // until an answer begins, over all attempts; 0 none
	Resume       bool          // streams that break off are continued by others
	Hedging      *Hedging      // nil for none

	// Own returns the deployment to call when the request brings an address or a key of its own for the vendor: d itself
	// if it brings none, or an error if it may not. It is asked only if the request holds controls, or for every request
	// with OwnAlways. It may be nil.
	Own       func(ctx context.Context, x *llm.Exchange, d *llm.Deployment) (*llm.Deployment, error)
	OwnAlways bool

	// Failed is told of every call to a vendor that failed, also when another one answered in the end. It must not
	// block. It may be nil.
	Failed func(x *llm.Exchange, d *llm.Deployment, err *llm.Error)

	// Measure fills in the usage of a reply whose vendor told none. answer is its data, parts with llm.KeptMark between
	// them; it is empty if a stream was not kept. It may be nil.
	Measure func(x *llm.Exchange, r *llm.Reply, answer []byte)

	// Close releases what the snapshot holds, such as plugins. It runs once, when no exchange uses the snapshot any
	// more, on the goroutine that noticed. It may be nil.
	Close func()

	users atomic.Int64 // exchanges that hold the snapshot, plus one while it is current
}

// Edge is what the listener must know before an exchange begins.
type Edge struct {
	MaxRequest     int64                    // bytes of a request body; 0 takes the listener's own
	MaxResponse    int64                    // bytes of an answer; 0 is no limit
	TrustForwarded bool                     // the caller's address is what X-Forwarded-For says
	DefaultModel   map[llm.Operation]string // for requests that name no model
	ForceModel     map[llm.Operation]string // in place of whatever model a request names
	StreamCost     bool                     // streams end with their cost
	Pass           []Pass                   // endpoints of the operator's own, longest path first

	// Resources are where requests go for what vendors store, unless they name a model. A key without a kind is for
	// the kinds that have none of their own; one without a vendor is for requests that name none.
	Resources map[Resource]*llm.Deployment

	// Stores are the vector stores that the operator has listed, by their ids.
	Stores map[string]*llm.Deployment
}

// Resource is a kind of things that vendors store, such as "files", and a vendor.
type Resource struct{ Kind, Vendor string }

// Resource returns the deployment for a kind at a vendor, or nil.
func (e *Edge) Resource(kind, vendor string) *llm.Deployment {
	if d := e.Resources[Resource{kind, vendor}]; d != nil {
		return d
	}
	return e.Resources[Resource{"", vendor}]
}

// Pass is a path whose requests go to one target as they are.
type Pass struct {
	Path       string
	Subpaths   bool     // also serves what lies below Path
	Methods    []string // empty is all
	Deployment *llm.Deployment

	// Vendor is the vendor whose API is below the path; empty for an endpoint of the operator's own. The model that a
	// request to a vendor names is found, and must be allowed to the caller.
	Vendor  string
	ByModel map[string]*llm.Deployment // in place of Deployment, for requests that name one of the models
	Guards  *Guards                    // guardrails that look at requests; nil for none but those of everybody
}

// Guards are the guardrails of a pass-through endpoint.
type Guards struct {
	Names  []byte   // a JSON list
	Fields []string // of a JSON body, whose texts they are shown, such as "documents[*].text"; empty is all there are
}

// Recorder learns of each exchange when it has ended.
type Recorder interface {
	// Record is called once for each exchange, before its reply's Close returns. It must not block, and copies what it
	// keeps of x and r. r is nil if there was no reply; tried is the last deployment called, if any.
	Record(x *llm.Exchange, r *llm.Reply, tried *llm.Deployment, err error)
}

// current holds the snapshot in use. Readers take a reference without a lock; the last one out closes a snapshot that
// was swapped away.
type current struct{ p atomic.Pointer[Snapshot] }

func (c *current) acquire() *Snapshot {
	for {
		s := c.p.Load()
		s.users.Add(1)
		if c.p.Load() == s {
			return s
		}
		// Swapped between the two loads: the snapshot may already be closed.
		s.release()
	}
}

func (c *current) swap(next *Snapshot) {
	next.users.Add(1)
	if old := c.p.Swap(next); old != nil {
		old.release()
	}
}

const closedMark = -1 << 32

func (s *Snapshot) release() {
	if s.users.Add(-1) == 0 && s.users.CompareAndSwap(0, closedMark) && s.Close != nil {
		s.Close()
	}
}
