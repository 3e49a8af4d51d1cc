package sallyport

import "github.com/sallyport-ai/sallyport/sdk/abi"

// RouteRequest is what the route hook sees: who asks for what, and which deployments may answer. It is valid during the
// call.
type RouteRequest struct {
	ID          string
	CallType    string
	Method      string
	Path        string
	ClientIP    string
	Model       string // the model group asked for
	Stream      bool
	Caller      Caller
	Tags        []string // of the request
	Retries     int      // attempts that failed in this group
	Deployments []Deployment

	metadata []byte
	more     More
}

// Deployment is one place where a model can be called.
type Deployment struct {
	ID       string
	Group    string // the model group it belongs to; that of a fallback is another than the one asked for
	Model    string // the vendor's name for the model
	Provider string
	Base     string
	Tags     []string
	Weight   float64 // 0 if it is not set, like RPM and TPM
	RPM      float64
	TPM      float64
	InFlight int // calls under way in this gateway

	info []byte
}

// Info decodes model_info.
func (d *Deployment) Info() (map[string]any, error) { return abi.Map(d.info) }

// Metadata decodes the metadata of the caller's key, if the manifest needs "metadata".
func (r *RouteRequest) Metadata() (map[string]any, error) { return abi.Map(r.metadata) }

// Header asks the gateway for a header of the request, as Request.Header does.
func (r *RouteRequest) Header(name string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldHeader, name)
	return text(b), ok
}

// Value asks the gateway for a value in the request body, as Request.Value does.
func (r *RouteRequest) Value(path string) (value string, ok bool) {
	b, ok := r.more.field(abi.FieldValue, path)
	return text(b), ok
}

// RouteVerdict is what the route hook decided.
type RouteVerdict struct {
	kind    abi.Verdict
	ids     []string
	ordered bool
	message string
}

// AnyDeployment leaves the choice to the gateway.
func AnyDeployment() RouteVerdict { return RouteVerdict{} }

// Only lets the gateway choose, as it usually does, among the deployments with these ids. None means that nobody can
// answer: the caller gets status 429, after fallbacks were tried.
func Only(ids ...string) RouteVerdict { return RouteVerdict{kind: abi.VerdictEdit, ids: ids} }

// InOrder has the gateway call the first of these deployments, and after a failure asks the hook again.
func InOrder(ids ...string) RouteVerdict {
	return RouteVerdict{kind: abi.VerdictEdit, ids: ids, ordered: true}
}

// FailRoute says that the hook could not do its work. The gateway chooses without it, unless the operator decided
// otherwise.
func FailRoute(err error) RouteVerdict {
	return RouteVerdict{kind: abi.VerdictFail, message: err.Error()}
}

// IDs returns the deployments that the verdict names, and whether their order counts; ok is false if it leaves the
// choice to the gateway.
func (v RouteVerdict) IDs() (ids []string, ordered, ok bool) {
	return v.ids, v.ordered, v.kind == abi.VerdictEdit
}

func (v RouteVerdict) encode(dst []byte) []byte {
	switch v.kind {
	case abi.VerdictContinue:
		return dst
	case abi.VerdictFail:
		return appendVerdict(dst, v.kind, 0, v.message)
	}
	dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(v.kind))
	if v.ordered {
		dst = appendFlag(dst, abi.TagOrdered)
	}
	for _, id := range v.ids {
		dst = abi.AppendText(dst, abi.TagDeploymentID, id)
	}
	return dst
}

func (r *RouteRequest) decode(view []byte) error {
	*r = RouteRequest{Deployments: r.Deployments[:0], Tags: r.Tags[:0]}
	v := abi.Reader{Rest: view}
	for v.Next() {
		switch v.Tag {
		case abi.TagRequestID:
			r.ID = text(v.Value)
		case abi.TagCallType:
			r.CallType = text(v.Value)
		case abi.TagMethod:
			r.Method = text(v.Value)
		case abi.TagPath:
			r.Path = text(v.Value)
		case abi.TagClientIP:
			r.ClientIP = text(v.Value)
		case abi.TagModel:
			r.Model = text(v.Value)
		case abi.TagStream:
			r.Stream = true
		case abi.TagTag:
			r.Tags = append(r.Tags, text(v.Value))
		case abi.TagRetries:
			r.Retries = int(v.Number())
		case abi.TagMetadata:
			r.metadata = v.Value
		case abi.TagDeployment:
			var d Deployment
			if err := d.decode(v.Inside()); err != nil {
				return err
			}
			r.Deployments = append(r.Deployments, d)
		default:
			if !r.Caller.field(v.Tag, v.Value) {
				v.Unknown()
			}
		}
	}
	return v.Err
}

func (d *Deployment) decode(v abi.Reader) error {
	for v.Next() {
		switch v.Tag {
		case abi.TagDeploymentID:
			d.ID = text(v.Value)
		case abi.TagModel:
			d.Group = text(v.Value)
		case abi.TagVendorModel:
			d.Model = text(v.Value)
		case abi.TagProvider:
			d.Provider = text(v.Value)
		case abi.TagBase:
			d.Base = text(v.Value)
		case abi.TagTag:
			d.Tags = append(d.Tags, text(v.Value))
		case abi.TagWeight:
			d.Weight = double(&v)
		case abi.TagRPM:
			d.RPM = double(&v)
		case abi.TagTPM:
			d.TPM = double(&v)
		case abi.TagInFlight:
			d.InFlight = int(v.Number())
		case abi.TagInfo:
			d.info = v.Value
		default:
			v.Unknown()
		}
	}
	return v.Err
}
