package sallyport

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// HTTPRequest is a request to a service. The manifest asks for it with caps.http, and the operator grants the hosts.
type HTTPRequest struct {
	Method   string // empty is GET
	URL      string // absolute
	Headers  []HTTPHeader
	Body     []byte
	Timeout  time.Duration // for the whole answer; 0 is as long as the hook may take
	MaxBytes int           // of the answer's body; 0 is 1 MB, at most 8 MB
	// Redirects is how many redirects are followed, each only to a granted host; 0 is 3, below 0 none.
	Redirects int
}

// HTTPHeader is one header of a request or an answer.
type HTTPHeader struct{ Name, Value string }

// HTTPResponse is a service's answer, whatever its status is.
type HTTPResponse struct {
	Status  int
	URL     string // after redirects
	Headers []HTTPHeader
	Body    []byte
}

// Header returns the first header with the name, in any case, or "".
func (r *HTTPResponse) Header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// HTTPError is why there is no answer. Its message holds neither the request's URL nor its headers.
type HTTPError struct {
	Cause  string // abi.CauseForbidden, CauseTimeout, CauseTooLarge or CauseConnection; "limit" or "argument" of the call itself
	Reason string // for people
}

// Error returns cause and reason.
func (e *HTTPError) Error() string { return "http: " + e.Cause + ": " + e.Reason }

// HTTP sends a request and waits for the whole answer. Any status is an answer; an error is an *HTTPError. The hook's
// CPU time stands still meanwhile, its time does not. The hook ends without a return when the caller has left.
func HTTP(req *HTTPRequest) (*HTTPResponse, error) {
	pending, err := StartHTTP(req)
	if err != nil {
		return nil, err
	}
	return pending.Wait()
}

// HTTPAll sends requests at the same time and waits for all the answers. The lists are as long as reqs: for each
// request there is an answer or an error.
func HTTPAll(reqs ...*HTTPRequest) ([]*HTTPResponse, []error) {
	pending, responses, errs := make([]*Pending, len(reqs)), make([]*HTTPResponse, len(reqs)), make([]error, len(reqs))
	for i, r := range reqs {
		pending[i], errs[i] = StartHTTP(r)
	}
	for i, p := range pending {
		if errs[i] == nil {
			responses[i], errs[i] = p.Wait()
		}
	}
	return responses, errs
}

func (r *HTTPRequest) encode(b []byte) []byte {
	if r.Method != "" {
		b = abi.AppendText(b, abi.TagHTTPMethod, r.Method)
	}
	b = abi.AppendText(b, abi.TagURL, r.URL)
	for _, h := range r.Headers {
		var mark int
		b, mark = abi.Open(b, abi.TagHeader)
		b = abi.Close(abi.AppendText(abi.AppendText(b, abi.TagKey, h.Name), abi.TagText, h.Value), mark)
	}
	if len(r.Body) > 0 {
		b = abi.AppendText(b, abi.TagBody, r.Body)
	}
	if r.Timeout > 0 {
		b = abi.AppendNumber(b, abi.TagTimeout, uint64(max(1, r.Timeout.Milliseconds())))
	}
	if r.MaxBytes > 0 {
		b = abi.AppendNumber(b, abi.TagMaxBytes, uint64(r.MaxBytes))
	}
	if r.Redirects != 0 {
		b = abi.AppendNumber(b, abi.TagRedirects, uint64(max(0, r.Redirects)))
	}
	return b
}

// decodeHTTP reads the records of an answer or a failure.
func decodeHTTP(b []byte) (*HTTPResponse, error) {
	res, failed := &HTTPResponse{}, HTTPError{}
	r := abi.Reader{Rest: b}
	for r.Next() {
		switch r.Tag {
		case abi.TagStatus:
			res.Status = int(r.Number())
		case abi.TagURL:
			res.URL = string(r.Value)
		case abi.TagHeader:
			res.Headers = append(res.Headers, decodeHeader(r.Inside()))
		case abi.TagBody:
			res.Body = r.Value
		case abi.TagCause:
			failed.Cause = string(r.Value)
		case abi.TagReason:
			failed.Reason = string(r.Value)
		default:
			r.Unknown()
		}
	}
	if r.Err != nil {
		return nil, r.Err
	}
	if failed.Cause != "" {
		return nil, &failed
	}
	return res, nil
}

func decodeHeader(in abi.Reader) (h HTTPHeader) {
	for in.Next() {
		switch in.Tag {
		case abi.TagKey:
			h.Name = string(in.Value)
		case abi.TagText:
			h.Value = string(in.Value)
		}
	}
	return h
}

// refused is the error of a request that the gateway did not begin.
func refused(code int32) error {
	switch code {
	case abi.ErrForbidden:
		return &HTTPError{abi.CauseForbidden, "the host is not granted, or the manifest does not ask for it (caps.http)"}
	case abi.ErrLimit:
		return &HTTPError{"limit", "the request is too large, or too many are open"}
	}
	return &HTTPError{"argument", "the URL, the method or a header is malformed"}
}
