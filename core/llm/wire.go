package llm

import (
	"context"
	"io"
	"strconv"
	"sync/atomic"
	"time"
)

// Target is a server to call and how to reach it. A provider makes one for each deployment when it is loaded; calls
// share it. Targets with the same Key share connections, also across a reload.
type Target struct {
	Scheme string // "http" or "https"
	Host   string // host and port as in the URL
	Addr   string // host:port to dial

	// Trust says whose certificates are good for the server: those that are for all ("") or anybody's ("*"), or else those
	// of the authorities in a file, by its path.
	Trust string

	// Pool is a place for the transport to keep the connections of this target. Nobody else touches it.
	Pool atomic.Value
}

// Key tells targets apart that must not share connections.
func (t *Target) Key() string { return t.Scheme + "://" + t.Addr + "/" + t.Host + "#" + t.Trust }

// Call is a request to a vendor, ready to be written. The slices are borrowed from the exchange and from the endpoint
// that encoded it; they stay valid until the answer is closed.
type Call struct {
	Target *Target
	Method string
	Path   []byte   // request target: path and query
	Head   []byte   // header lines prepared at load, each ending in CR LF
	Header Header   // further header lines of this call
	Body   [][]byte // pieces written one after another

	Timeout   time.Duration // for a whole answer: until its last byte; 0 none
	FirstByte time.Duration // until the header of the answer; 0 none
	Idle      time.Duration // between two reads of a stream; 0 none

	// Signer completes the call before it is written, when a header line cannot be prepared at load.
	Signer Signer

	// Socket makes the call the beginning of a WebSocket: Method and Body are not used, and the answer has a Socket in
	// place of a body.
	Socket bool

	// Next, if it is not nil, is asked about an answer that is no stream, for vendors where the first call only prepares the
	// one that counts, or says where the answer is. It may make c another call: if again is set, that is done after the
	// wait, and else the answer is the one. It does no I/O and keeps nothing of body. It sets Next again if it wants to be
	// asked about the next answer too.
	Next func(status int, body []byte, c *Call) (wait time.Duration, again bool, err error)
	// Seen are the header lines of the answer that Next is asked about. They are borrowed until it returns.
	Seen Header

	// Local answers in place of a vendor when it is set: a mocked model, or a plugin that is one.
	Local func(ctx context.Context, a *Answer) error
}

// Reset empties the call and keeps its lists for reuse.
func (c *Call) Reset() {
	header, body := c.Header[:0], c.Body[:0]
	clear(header[:cap(header)])
	clear(body[:cap(body)])
	*c = Call{Header: header, Body: body}
}

// Signer adds to a call what proves who sends it: a token that expires, or a signature over the request.
type Signer interface {
	// Sign adds header lines to c. It may do I/O of its own, bounded by ctx, to fetch or renew a credential, and caches
	// what it fetched. An error is an *llm.Error of kind KindAuthentication, and never holds a secret. It is safe for
	// concurrent use.
	Sign(ctx context.Context, c *Call) error
}

// Size is the length of the body.
func (c *Call) Size() (n int) {
	for _, p := range c.Body {
		n += len(p)
	}
	return n
}

// Answer is what a vendor sent back: the header, and a body still to be read. Whoever took it closes Body, on every
// path; until then Header stays valid.
type Answer struct {
	Status    int
	Header    Header
	Streamed  bool // the content type is text/event-stream
	Size      int  // length of the body, -1 unknown
	Body      io.ReadCloser
	Socket    Socket    // the conversation that a call with Socket began; its owner closes it
	Began     time.Time // when the call began, connecting included
	FirstByte time.Time // when the header of the answer was there
}

// Reset empties the answer and keeps its header list for reuse.
func (a *Answer) Reset() {
	header := a.Header[:0]
	clear(header[:cap(header)])
	*a = Answer{Header: header}
}

// Socket is a conversation of messages. One goroutine reads and one writes at a time.
type Socket interface {
	// Read returns the next message; it is valid until the next Read. When the other side closed the conversation, the
	// error is a *SocketClosed.
	Read() (text bool, message []byte, err error)
	// Write sends a message.
	Write(text bool, message []byte) error
	// Close ends the conversation and says why, unless it has ended. It may be called at any time, also more than once,
	// and by anybody.
	Close(code int, reason string)
}

// SocketClosed says that the other side ended a conversation, and why (RFC 6455, section 7.4).
type SocketClosed struct {
	Code   int
	Reason string
}

// Error describes the end.
func (e *SocketClosed) Error() string {
	return "the WebSocket was closed with code " + strconv.Itoa(e.Code)
}

// Part is one event of a streamed reply, or a whole reply. Data is one JSON document in the caller's dialect. The
// slices are valid until the next call of Next or Close.
type Part struct {
	Event []byte // name of the event in dialects that name them; nil otherwise
	Data  []byte
	More  bool // another part is already at hand, so this one need not be sent off alone
}

// Stream yields the parts of a reply.
type Stream interface {
	// Next fills p with the next part. At the end it returns io.EOF; any other error broke the reply off.
	Next(p *Part) error
	// Close releases everything the stream holds. It is called exactly once, also after an error.
	Close() error
}

// KeptMark stands between the parts in Reply.Kept. It is no byte of a JSON document.
const KeptMark = 0x1e

// Reply is an answer on its way to the caller. A whole reply is a stream of one part. The first part is already
// fetched, so a reply that exists has begun well; the others are pulled as they are sent.
type Reply struct {
	Status     int
	Streamed   bool    // the parts go out as server-sent events
	Dialect    Dialect // of the parts; OpenAI's unless the call went out as the caller's own
	Verbatim   bool    // status, header and body go out as the vendor sent them, in as many pieces as they come
	First      Part
	Socket     Socket      // in place of parts: a conversation with the vendor. Rest is closed when it is over.
	Rest       Stream      // what follows First; nil if nothing does. Whoever sends the reply closes it.
	Header     Header      // the vendor's headers, borrowed until Rest is closed
	Deployment *Deployment // who answered; nil if no model was called
	Usage      Usage       // complete once the reply was read to its end
	Kept       []byte      // for whoever records the exchange: the data of the parts sent so far, with KeptMark between them
	Parts      int         // how many parts were pulled
	Sent       int         // how many bytes of data they had
	Estimated  bool        // Usage is an estimate: the vendor reported none
	Finish     string      // finish reason of the first choice, where the dialect has one
	Began      time.Time   // when the first byte of the answer was there
}
