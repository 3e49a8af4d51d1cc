package sallyport

import "github.com/sallyport-ai/sallyport/sdk/abi"

// Extras is what a request brings along for guardrails. It is valid during the call.
type Extras struct {
	Tags  []string // of the request
	State []byte   // what an earlier hook of this plugin kept with SetState, for the same request

	params, requestMetadata, teamMetadata []byte
	keep                                  []byte
	keeps                                 bool
}

// SetState keeps up to 16 KB for the later hooks of this plugin that look at the same request, in whichever instance.
// The moderation hook cannot keep anything.
func (e *Extras) SetState(state []byte) { e.keep, e.keeps = append(e.keep[:0], state...), true }

// Params decodes what the request says to this guardrail: guardrails: [{NAME: {extra_body: THIS}}]. It is nil if the
// request says nothing. It allocates on every call.
func (e *Extras) Params() (map[string]any, error) { return decoded(e.params) }

// RequestMetadata decodes the metadata of the request, if the manifest needs "request_metadata".
func (e *Extras) RequestMetadata() (map[string]any, error) { return decoded(e.requestMetadata) }

// TeamMetadata decodes the metadata of the caller's team, if the manifest needs "metadata".
func (e *Extras) TeamMetadata() (map[string]any, error) { return decoded(e.teamMetadata) }

func decoded(b []byte) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return abi.Map(b)
}

// reset keeps the room. Lengths alone are set; see empty.
func (e *Extras) reset() {
	if len(e.State) > 0 {
		e.State = nil // what a hook appends to it must not go into the view
	}
	e.keeps = false
	e.Tags = e.Tags[:0]
	e.keep = e.keep[:0]
	e.params = e.params[:0]
	e.requestMetadata = e.requestMetadata[:0]
	e.teamMetadata = e.teamMetadata[:0]
}

// field takes a record and reports whether it is one of these.
func (e *Extras) field(tag abi.Tag, value []byte) bool {
	switch tag {
	case abi.TagTag:
		e.Tags = append(e.Tags, text(value))
	case abi.TagState:
		e.State = value
	case abi.TagGuardParams:
		e.params = value
	case abi.TagCallerMetadata:
		e.requestMetadata = value
	case abi.TagTeamMetadata:
		e.teamMetadata = value
	default:
		return false
	}
	return true
}

// encode appends the state, after a verdict.
func (e *Extras) encode(dst []byte) []byte {
	if !e.keeps {
		return dst
	}
	if len(dst) == 0 {
		dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictContinue))
	}
	return abi.AppendText(dst, abi.TagState, e.keep)
}

// changes are what a request hook wants otherwise, as records.
type changes struct {
	records []byte
	err     error
}

func (c *changes) pair(tag abi.Tag, name, value string) {
	var mark int
	c.records, mark = abi.Open(c.records, tag)
	c.records = abi.AppendText(abi.AppendText(c.records, abi.TagKey, name), abi.TagText, value)
	c.records = abi.Close(c.records, mark)
}

// SetJSON puts a JSON value at a path of the request body, see Value. Objects that are missing on the way are made. The
// members model, stream, stream_options and guardrails cannot be changed; see SetModel.
func (r *Request) SetJSON(path, json string) { r.changes.pair(abi.TagSetJSON, path, json) }

// SetValue puts text at a path of the request body.
func (r *Request) SetValue(path, text string) {
	r.changes.pair(abi.TagSetJSON, path, string(appendJSON(nil, text)))
}

// Remove removes what is at a path of the request body.
func (r *Request) Remove(path string) {
	r.changes.records = abi.AppendText(r.changes.records, abi.TagRemove, path)
}

// SetHeader sets a header of the request, which later hooks see, and vendors where the gateway forwards headers. Its
// name begins with "x-" and is none that the gateway takes for its own.
func (r *Request) SetHeader(name, value string) { r.changes.pair(abi.TagSetHeader, name, value) }

// AddTag adds a tag to the request.
func (r *Request) AddTag(tag string) {
	r.changes.records = abi.AppendText(r.changes.records, abi.TagTag, tag)
}

// SetMetadata sets a member of the request's metadata: text, a number, a boolean, nil, []any or map[string]any.
func (r *Request) SetMetadata(key string, value any) {
	b, err := abi.AppendMap(r.changes.records, abi.TagCallerMetadata, map[string]any{key: value})
	if err != nil {
		r.changes.err = err
		return
	}
	r.changes.records = b
}

// appendJSON appends text as a JSON string.
func appendJSON(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
