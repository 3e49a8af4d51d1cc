package gemini

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// AppendError appends the body of an error as Google's APIs write it (https://google.aip.dev/193): code, message, status.
// A time to wait goes into details as RetryInfo, where Google's clients look for it.
func AppendError(dst []byte, e *llm.Error, message string) []byte {
	code := e.HTTPStatus()
	dst = strconv.AppendInt(append(dst, `{"error":{"code":`...), int64(code), 10)
	dst = llm.AppendQuoted(append(dst, `,"message":`...), message)
	dst = llm.AppendQuoted(append(dst, `,"status":`...), Status(code))
	if e.RetryAfter > 0 {
		dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		dst = strconv.AppendFloat(dst, e.RetryAfter.Seconds(), 'f', -1, 64)
		dst = append(dst, `s"}]`...)
	}
	return append(dst, "}}"...)
}

// Status is the status word of an HTTP status, as https://cloud.google.com/apis/design/errors lists them.
func Status(code int) string {
	switch code {
	case 400, 413, 422:
		return "INVALID_ARGUMENT"
	case 401:
		return "UNAUTHENTICATED"
	case 403:
		return "PERMISSION_DENIED"
	case 404:
		return "NOT_FOUND"
	case 408, 504:
		return "DEADLINE_EXCEEDED"
	case 409:
		return "ABORTED"
	case 429:
		return "RESOURCE_EXHAUSTED"
	case 499:
		return "CANCELLED"
	case 501:
		return "UNIMPLEMENTED"
	case 502, 503:
		return "UNAVAILABLE"
	case 500:
		return "INTERNAL"
	}
	if code >= 400 && code < 500 {
		return "FAILED_PRECONDITION"
	}
	return "UNKNOWN"
}

// Failure is what an error of the API says. Slices are as in Answer.
type Failure struct {
	Code    int64
	Message []byte
	Status  []byte
	Reason  []byte // of ErrorInfo
	Delay   []byte // retryDelay of RetryInfo, such as "3.5s"
}

// ScanFailure reads the body of an error. It is false if b is none. Streams without alt=sse put it into a list.
func ScanFailure(b []byte, f *Failure) bool {
	*f = Failure{}
	if list := dialect.Array(b); list.Next() {
		b = list.Value()
	}
	e := dialect.Get(b, "error")
	if len(e) == 0 || e[0] != '{' {
		return false
	}
	for c := dialect.Object(e); c.Next(); {
		switch string(c.Key()) {
		case "code":
			f.Code = dialect.Int(c.Value())
		case "message":
			f.Message = c.Text()
		case "status":
			f.Status = c.Text()
		case "details":
			f.details(c.Value())
		}
	}
	return f.Message != nil || f.Status != nil
}

func (f *Failure) details(list []byte) {
	for c := dialect.Array(list); c.Next(); {
		switch string(dialect.Get(c.Value(), "@type")) {
		case `"type.googleapis.com/google.rpc.RetryInfo"`:
			f.Delay = dialect.Get(c.Value(), "retryDelay")
		case `"type.googleapis.com/google.rpc.ErrorInfo"`:
			f.Reason = dialect.Get(c.Value(), "reason")
		}
	}
}
