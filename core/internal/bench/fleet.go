package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The servers under test.
const (
	bareServer      = "bare proxy"
	bareAgain       = "bare proxy again"
	bareStreaming   = "bare streaming proxy"
	sallyport       = "sallyport"
	sallyportGuards = "sallyport + guardrail"
	sallyportClaude = "sallyport to Anthropic"    // the same process as sallyport
	sallyportCached = "sallyport, from its cache" // the same answer each time, in memory
	sallyportRedis  = "sallyport, from Redis"     // the same answer each time, one look-up in Redis
	sallyportFull   = "sallyport, key to spend"   // a key, its team's limits and budgets, cost and spend log on SQLite
)

// otherBuild ends the name of a gateway that the binary of --against serves.
const otherBuild = ", other build"

const (
	masterKey   = "sk-1234"
	gatewayName = "gpt-4o"
)

// fleet starts the processes when they are first needed and ends them all.
type fleet struct {
	ctx     context.Context
	opt     options
	cpus    layout
	dir     string
	mock    net.Listener
	running map[string]*process
	// missing are the servers that cannot be started, and why.
	missing map[string]string
}

func startFleet(ctx context.Context, opt options, cpus layout) (*fleet, error) {
	dir, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return nil, err
	}
	f := &fleet{ctx: ctx, opt: opt, cpus: cpus, dir: dir, running: map[string]*process{}, missing: map[string]string{}}
	if err := f.find(); err != nil {
		f.remove()
		return nil, err
	}
	// The mock vendor is a part of this process: two processes that never sleep would share a CPU in turns of milliseconds.
	if f.mock, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		f.remove()
		return nil, err
	}
	go func() { _ = serveMock(f.mock) }() // ends when the listener is closed
	return f, nil
}

// find makes the paths of what is tested absolute and notes what is not there.
func (f *fleet) find() error {
	var err error
	if f.opt.sallyport, err = filepath.Abs(f.opt.sallyport); err != nil {
		return err
	}
	if f.opt.guardrail, err = filepath.Abs(f.opt.guardrail); err != nil {
		return err
	}
	if f.opt.against != "" {
		if f.opt.against, err = filepath.Abs(f.opt.against); err != nil {
			return err
		}
		if _, err := os.Stat(f.opt.against); err != nil {
			return fmt.Errorf("--against: %w", err)
		}
	}
	if _, err := os.Stat(f.opt.guardrail); err != nil {
		f.missing[sallyportGuards] = err.Error()
	}
	if _, err := os.Stat(f.opt.sallyport); err != nil {
		for _, name := range []string{sallyport, sallyportGuards, sallyportClaude, sallyportFull, sallyportCached, sallyportRedis} {
			f.missing[name] = err.Error()
		}
	}
	if _, err := exec.LookPath(redisServer); err != nil {
		f.missing[sallyportRedis] = err.Error()
	}
	for name, why := range f.missing {
		progress("without %s: %s", name, why)
	}
	return nil
}

// stop ends all children.
func (f *fleet) stop() {
	for name, p := range f.running {
		if name != sallyportClaude && name != sallyportClaude+otherBuild {
			p.stop()
		}
	}
	clear(f.running)
	if f.mock != nil {
		f.mock.Close()
	}
}

// remove ends all children and removes their files.
func (f *fleet) remove() {
	f.stop()
	if err := os.RemoveAll(f.dir); err != nil {
		progress("%v", err)
	}
}

// get returns the running server of a name and starts it when it is the first time.
func (f *fleet) get(name string) (*process, error) {
	if p := f.running[name]; p != nil {
		return p, nil
	}
	if build, ok := strings.CutPrefix(name, sallyportClaude); ok {
		p, err := f.get(sallyport + build)
		if err == nil {
			f.running[name] = p
		}
		return p, err
	}
	p, err := f.start(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.running[name] = p
	return p, nil
}

// start starts a new process of a server, which the caller ends.
func (f *fleet) start(name string) (*process, error) {
	switch name {
	case bareServer, bareAgain:
		return startPart(f.cpus.server, "bare", f.mock.Addr().String())
	case bareStreaming:
		return startPart(f.cpus.server, "bare-streaming", f.mock.Addr().String())
	}
	dir, err := os.MkdirTemp(f.dir, "gateway-")
	if err != nil {
		return nil, err
	}
	binary := f.opt.sallyport
	if base, other := strings.CutSuffix(name, otherBuild); other {
		name, binary = base, f.opt.against
	}
	guardrail := ""
	if name == sallyportGuards {
		guardrail = f.opt.guardrail
	}
	config := gatewayConfig(f.mock.Addr().String(), guardrail)
	if name == sallyportCached {
		config += "litellm_settings: {cache: true, cache_params: {type: local}}\n"
	}
	if name == sallyportRedis {
		server, err := startRedis(f.ctx, f.cpus.load, dir)
		if err != nil {
			return nil, err
		}
		f.running[redisServer] = server
		host, port, _ := strings.Cut(server.addr, ":")
		config += fmt.Sprintf("litellm_settings: {cache: true, cache_params: {type: redis, host: %s, port: %q, ttl: 86400, lookup_timeout: 10}}\n", host, port)
	}
	if name == sallyportFull {
		config += "  database_url: sqlite://" + filepath.Join(dir, "keys.db") + "\n"
	}
	args := []string{binary}
	if f.opt.profile != "" {
		args = append(args, "--cpu_profile", filepath.Join(dir, profileName))
	}
	p, err := startGateway(f.ctx, f.cpus.server, dir, config, args...)
	if err == nil && name == sallyportFull {
		err = makeKey(f.ctx, p.addr)
	}
	return p, err
}

// gatewayConfig is the configuration of a gateway in front of the mock vendor,
// with the quickstart's guardrail on every request when there is one.
func gatewayConfig(upstream, guardrail string) string {
	var b strings.Builder
	b.WriteString("model_list:\n")
	for _, model := range [][2]string{{gatewayName, "gpt-4o-mini"}, {dripModel, dripModel}, {slowModel, slowModel}} {
		fmt.Fprintf(&b, `  - model_name: %s
    litellm_params:
      model: openai/%s
      api_base: http://%s/v1
      api_key: sk-upstream
`, model[0], model[1], upstream)
	}
	fmt.Fprintf(&b, `  - model_name: %s
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_base: http://%s
      api_key: sk-upstream
`, claudeModel, upstream)
	if guardrail != "" {
		fmt.Fprintf(&b, `guardrails:
  - guardrail_name: bench
    litellm_params:
      guardrail: %q
      mode: pre_call
      default_on: true
      config: {words: [project falcon]}
`, guardrail)
	}
	fmt.Fprintf(&b, "general_settings:\n  master_key: %s\n", masterKey)
	return b.String()
}

// cpuTimes is the CPU time that servers have used so far.
func (f *fleet) cpuTimes(names []string) (map[string]time.Duration, error) {
	times := map[string]time.Duration{}
	for _, name := range names {
		used, err := cpuTime(f.running[name].pid())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		times[name] = used
	}
	return times, nil
}
