package llm

import "time"

// Asides is what the exchange used besides its reply and was not settled yet: attempts that the gateway gave up although a
// vendor worked on them. cost is in US dollars.
func (x *Exchange) Asides() (u Usage, cost float64) {
	for i := range x.Earlier {
		if e := &x.Earlier[i]; e.Aside && !e.Settled {
			u, cost = u.Plus(e.Usage), cost+e.Cost
		}
	}
	return u, cost
}

// Late reports whether the exchange must have an answer before that much more time is over. One without a deadline has
// all the time there is.
func (x *Exchange) Late(in time.Duration) bool {
	return !x.Deadline.IsZero() && !time.Now().Add(in).Before(x.Deadline)
}

// Fork makes y an exchange that asks for the same as x, from another model perhaps, while x waits. It borrows what x
// borrows, so it must end before x does. It has a lifetime of its own, holds nothing, and is not to be Reset.
func (x *Exchange) Fork(y *Exchange) error {
	y.ID, y.Start, y.Op, y.Method, y.Path, y.Remote = x.ID, x.Start, x.Op, x.Method, x.Path, x.Remote
	y.Header, y.Query, y.Added, y.Form, y.Raw = x.Header, x.Query, x.Added, x.Form, x.Raw
	y.Call, y.Tail, y.Home, y.Wanted, y.Model = x.Call, x.Tail, x.Home, x.Wanted, x.Model
	y.Streamed, y.WantUsage, y.Dialect, y.Lost = x.Streamed, x.WantUsage, x.Dialect, x.Lost
	y.Region = x.Region
	y.Controls, y.Principal, y.EndUser, y.Tags, y.Asked, y.Deadline = x.Controls, x.Principal, x.EndUser, x.Tags, x.Asked, x.Deadline
	y.toChat, y.chat = x.toChat, x.chat
	if raw := x.Native.Raw(); raw != nil {
		if err := y.Native.Parse(raw); err != nil {
			return err
		}
	}
	if raw := x.Body.Raw(); raw != nil {
		return y.Body.Parse(raw)
	}
	return nil
}
