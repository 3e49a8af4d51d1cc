//go:build !linux

package listener

type poller struct{}

func (p *poller) start(func(id uint64)) error { return nil }
func (p *poller) add(*conn)                   {}
func (p *poller) close()                      {}
