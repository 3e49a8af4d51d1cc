package listener

import (
	"bytes"
	"math"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// What a stream costs is known at its end, when its header is long gone. With
// litellm_settings.include_cost_in_streaming_usage it stands in the usage that the stream ends with, as "cost", in US
// dollars (litellm/proxy/common_request_processing.py, _process_chunk_with_cost_injection). The reference leaves it out of
// streams of Google's, whose clients pass over members that they do not know.

// tellsCost reports whether the stream under way is to end with its cost.
func (c *session) tellsCost() bool {
	d := c.reply.Deployment
	return d != nil && d.Price != nil && c.s.Gateway.Edge().StreamCost
}

// withCost returns the data of an event with the cost in its usage, if there is one and the cost is known.
func (c *session) withCost(data []byte) []byte {
	at := usagePath(c.x.Dialect, data)
	if at == "" {
		return data
	}
	u := c.reply.Usage
	cost, known := price.Of(c.reply.Deployment.Price, u, price.CallOf(&c.x, u))
	if !known {
		return data
	}
	next, err := dialect.Set(nil, data, at+".cost", appendCost(nil, cost.Total))
	if err != nil {
		return data
	}
	return next
}

// usageName is how the name of the usage begins in every dialect.
const usageName = `"usage`

// usagePath is where the usage of the whole answer is in an event; "" if it holds none.
func usagePath(d llm.Dialect, data []byte) string {
	if !bytes.Contains(data, []byte(usageName)) {
		return ""
	}
	path := "usage"
	if d == llm.DialectGoogle {
		// Each event of a stream has the usage so far. The reason that it ends for is in the last one that has a candidate.
		if !bytes.Contains(data, []byte(`"finishReason"`)) {
			return ""
		}
		path = "usageMetadata"
	}
	usage := dialect.Get(data, path)
	switch kind, _ := llm.Text(dialect.Get(data, "type")); d {
	case llm.DialectResponses:
		if string(kind) != "response.completed" && string(kind) != "response.incomplete" {
			return ""
		}
		path, usage = "response.usage", dialect.Get(dialect.Get(data, "response"), "usage")
	case llm.DialectMessages:
		if string(kind) != "message_delta" {
			return ""
		}
	}
	if len(usage) == 0 || usage[0] != '{' {
		return ""
	}
	return path
}

func appendCost(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendFloat(dst, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// costInEvents does for events as they go out what withCost does for one: out from at on holds some.
func (c *session) costInEvents(out []byte, at int) []byte {
	if !bytes.Contains(out[at:], []byte(usageName)) {
		return out
	}
	events := bytes.Clone(out[at:])
	out = out[:at]
	for line := range bytes.Lines(events) {
		from, to := bodyOf(line)
		out = append(append(append(out, line[:from]...), c.withCost(line[from:to])...), line[to:]...)
	}
	return out
}

// bodyOf is where the JSON is in a line of a stream: behind the name of an event's data, or between the brackets and commas of
// Google's list.
func bodyOf(line []byte) (from, to int) {
	if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
		from = len(line) - len(data)
		return from, from + len(bytes.TrimRight(data, "\r\n"))
	}
	if item := bytes.TrimLeft(line, "["); len(item) > 0 && item[0] == '{' {
		from = len(line) - len(item)
		return from, from + len(bytes.TrimRight(item, "],\r\n"))
	}
	return 0, 0
}
