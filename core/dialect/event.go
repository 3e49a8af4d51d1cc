package dialect

import "bytes"

// AppendEvent appends a server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html). A nil name
// leaves the line for it out. Data of several lines becomes several lines.
func AppendEvent(dst, name, data []byte) []byte {
	if name != nil {
		dst = append(append(append(dst, "event: "...), name...), '\n')
	}
	dst = append(dst, "data: "...)
	for {
		line, rest, more := bytes.Cut(data, []byte("\n"))
		dst = append(append(dst, line...), '\n')
		if !more {
			return append(dst, '\n')
		}
		dst, data = append(dst, "data: "...), rest
	}
}

// BeginEvent begins an event whose data is an object that repeats the event's name as its type, as events of the
// Messages API and of the Responses API do. What follows are further members; EndEvent ends it.
func BeginEvent(dst []byte, name string) Builder {
	dst = append(append(append(dst, "event: "...), name...), "\ndata: {\"type\":\""...)
	return Resumed(append(append(dst, name...), '"'))
}

// EndEvent returns the bytes of an event that BeginEvent began, closed.
func EndEvent(b *Builder) []byte { return append(b.b, "}\n\n"...) }
