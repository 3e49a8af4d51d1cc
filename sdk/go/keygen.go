package sallyport

import "github.com/sallyport-ai/sallyport/sdk/abi"

// KeyRequest is what the key_generate hook sees: who asks for a key, and what the key is to be.
type KeyRequest struct {
	ID       string
	ClientIP string
	Caller   Caller
	Params   map[string]any // as sent to /key/generate: models, team_id, max_budget, duration, metadata and so on
}

// KeyVerdict is what the key_generate hook decided.
type KeyVerdict struct {
	kind    abi.Verdict
	message string
	params  map[string]any
}

// AllowKey lets the key be made as it was asked for.
func AllowKey() KeyVerdict { return KeyVerdict{} }

// EditKey lets the key be made with these parameters in place of the ones of the same names.
func EditKey(params map[string]any) KeyVerdict {
	return KeyVerdict{kind: abi.VerdictEdit, params: params}
}

// RefuseKey refuses the key with status 403 and a message for the caller.
func RefuseKey(message string) KeyVerdict {
	return KeyVerdict{kind: abi.VerdictReject, message: message}
}

// FailKey says that the hook could not do its work. No key is made then, unless the operator decided otherwise.
func FailKey(err error) KeyVerdict { return KeyVerdict{kind: abi.VerdictFail, message: err.Error()} }

// Refused returns the message of a refusal.
func (v KeyVerdict) Refused() (message string, ok bool) {
	return v.message, v.kind == abi.VerdictReject
}

// Params returns the parameters that EditKey was given.
func (v KeyVerdict) Params() map[string]any { return v.params }

func (v KeyVerdict) encode(dst []byte) []byte {
	switch v.kind {
	case abi.VerdictContinue:
		return dst
	case abi.VerdictEdit:
		start := len(dst)
		dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(v.kind))
		return orFail(dst, start, abi.TagParams, v.params)
	case abi.VerdictReject:
		return appendVerdict(dst, v.kind, 403, v.message)
	}
	return appendVerdict(dst, v.kind, 0, v.message)
}

func (r *KeyRequest) decode(view []byte) error {
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagRequestID:
			r.ID = text(v.Value)
		case abi.TagClientIP:
			r.ClientIP = text(v.Value)
		case abi.TagParams:
			r.Params = readMap(&v)
		default:
			if !r.Caller.field(v.Tag, v.Value) {
				v.Unknown()
			}
		}
	}
	return v.Err
}
