package sallyport

import (
	"errors"
	"slices"
	"strconv"
)

// RefuseMedia gives a guardrail that reads texts only the settings for what it cannot read: "media", which is "allow" or
// "refuse", and "media_message", what a caller reads then. It returns the hooks with a look at Media in front of those for
// requests and answers, which refuses with status. roles are those of the messages that the guardrail looks at; empty is all.
// Answers have the role "assistant". With "allow" a window or part of a stream that holds nothing but media passes by the
// hook. The manifest needs "media" and says "min_minor": 4.
func RefuseMedia(c *Config, status int, roles []string, h Hooks) (Hooks, error) {
	const what = " contains an image, sound, video or file, which is not allowed."
	request, answer := c.String("media_message", "The request"+what), c.String("media_message", "The answer"+what)
	refuse := false
	switch media := c.String("media", "allow"); media {
	case "allow":
	case "refuse":
		refuse = true
	default:
		return Hooks{}, errors.New(`setting "media" is ` + strconv.Quote(media) + `: it is "allow" or "refuse"`)
	}
	looks := func(role string) bool { return len(roles) == 0 || slices.Contains(roles, role) }
	answers := looks("assistant")
	before := func(hook func(*Request) Verdict) func(*Request) Verdict {
		if hook == nil || !refuse {
			return hook
		}
		return func(r *Request) Verdict {
			for i := range r.Media {
				if looks(r.Media[i].Role) {
					return Reject(status, request)
				}
			}
			return hook(r)
		}
	}
	h.Request, h.Moderation = before(h.Request), before(h.Moderation)
	if hook := h.Response; hook != nil {
		h.Response = func(r *Response) Verdict {
			switch {
			case len(r.Media) == 0:
				return hook(r)
			case refuse && answers:
				return Reject(status, answer)
			case r.Partial:
				return Continue()
			}
			return hook(r)
		}
	}
	if hook := h.Stream; hook != nil {
		h.Stream = func(w *Window) Verdict {
			switch {
			case len(w.Media) == 0:
				return hook(w)
			case refuse && answers:
				return Reject(status, answer)
			}
			return Continue()
		}
	}
	return h, nil
}
