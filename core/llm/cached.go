package llm

import (
	"slices"
	"strings"
	"time"
)

// CacheUse is what the cache of answers did with an exchange. The zero value is an exchange that it had no part in.
type CacheUse struct {
	Key        string  // of the entry; "" if the exchange is not one for the cache
	Hit        bool    // the answer came from the cache; no model was called
	Similarity float64 // of the prompt to that of the entry, if they are not the same; 0 if they are
	Saved      float64 // US dollars that the answer cost when a model gave it
	State      any     // the cache's own
}

// Again makes an exchange that asks the same for the same principal, and borrows nothing of x. It has an ID of its own, and
// nothing is held for it. The error is that of a request that cannot be parsed again.
func (x *Exchange) Again() (*Exchange, error) {
	y := new(Exchange)
	y.Reset()
	y.Start = time.Now()
	y.ID = NewID(y.Start)
	y.Op, y.Method, y.Path, y.Remote = x.Op, strings.Clone(x.Method), strings.Clone(x.Path), strings.Clone(x.Remote)
	y.Header, y.Query, y.Added = x.Header.Clone(), slices.Clone(x.Query), x.Added.Clone()
	y.Dialect, y.toChat, y.Call, y.Tail = x.Dialect, x.toChat, x.Call, strings.Clone(x.Tail)
	y.Lost, y.Home, y.Wanted, y.Model = x.Lost, x.Home, x.Wanted, strings.Clone(x.Model)
	y.Streamed, y.WantUsage = x.Streamed, x.WantUsage
	y.Principal, y.EndUser, y.Tags = x.Principal, strings.Clone(x.EndUser), slices.Clone(x.Tags)
	y.Controls = x.Controls.clone()
	if err := x.copyBodies(y); err != nil {
		return nil, err
	}
	return y, nil
}

// copyBodies copies the request in all its forms.
func (x *Exchange) copyBodies(y *Exchange) error {
	if raw := x.Native.Raw(); raw != nil {
		if err := y.Native.Parse(slices.Clone(raw)); err != nil {
			return err
		}
	}
	if raw := x.Body.Raw(); raw != nil {
		if err := y.Body.Parse(slices.Clone(raw)); err != nil {
			return err
		}
		switch {
		case x.chat == nil:
		case x.Edited():
			y.chat = []byte{} // whatever it was
		default:
			y.chat = y.Body.Raw()
		}
	}
	if x.Form.Raw() != nil {
		y.Form = Form{raw: slices.Clone(x.Form.raw), limit: strings.Clone(x.Form.limit), parts: slices.Clone(x.Form.parts)}
		for i := range y.Form.parts {
			y.Form.parts[i].Type = slices.Clone(y.Form.parts[i].Type)
		}
	}
	return nil
}

func (c Controls) clone() Controls {
	for _, raw := range []*[]byte{
		&c.Fallbacks, &c.Mock, &c.Guardrails, &c.Metadata, &c.AdditionalDrop, &c.AllowedParams, &c.ExtraHeaders, &c.ExtraBody, &c.User,
	} {
		*raw = slices.Clone(*raw)
	}
	return c
}
