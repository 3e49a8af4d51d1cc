//go:build !unix

package upstream

// probe is for systems on which a descriptor can be looked at.
type probe struct{ look func(fd uintptr) }

func (c *conn) closedByPeer() bool { return c.closedSlow() }

func (c *conn) poll(uintptr) {}
