package wasm

import "github.com/sallyport-ai/sallyport/sdk/abi"

// Status is what a plugin is and does at a moment. Calls and failures are counted by name, over all its versions.
type Status struct {
	Name      string
	Version   string
	SHA256    string // of the file, in hex
	Hooks     []string
	State     string // running, or failing while it is not called because it kept failing
	Instances int64
	Memory    int64 // bytes of linear memory
	Calls     uint64
	Failures  uint64
}

// Status returns it.
func (p *Plugin) Status() Status {
	s := Status{
		Name: p.name, Version: p.manifest.Version, SHA256: p.sum, State: "running",
		Instances: p.stats.instances.Load(), Memory: p.stats.memory.Load(),
	}
	if p.stats.open.Load() {
		s.State = "failing"
	}
	for _, h := range p.Hooks() {
		s.Hooks = append(s.Hooks, h.String())
	}
	for i := range p.stats.hooks {
		if abi.Hook(i).String() == "" {
			continue
		}
		h := &p.stats.hooks[i]
		for j := range h.buckets {
			s.Calls += h.buckets[j].Load()
		}
		for j := range h.failures {
			s.Failures += h.failures[j].Load()
		}
	}
	return s
}
