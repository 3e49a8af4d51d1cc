package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

// scenario is one kind of request, sent to several servers in turn.
type scenario struct {
	name, title string
	request     []byte
	streamed    bool
	// part of the requests of a round, for calls that take long.
	part float64
	// servers under test; the first is the one the others are compared with.
	servers []string
	// requests of servers that do not get the usual one.
	requests map[string][]byte
	// rest is how long the servers may work on after the last round until they are done with all that was asked.
	rest time.Duration
	// backend is what the last server asks for each request; how often is counted. "" for most.
	backend string
}

// asks is the request that a server gets.
func (s scenario) asks(server string) []byte {
	server = strings.TrimSuffix(server, otherBuild)
	if r := s.requests[server]; r != nil {
		return r
	}
	return s.request
}

// against is the scenario with each gateway twice, the second time as the other build. Whoever has a backend stays alone:
// its commands are counted.
func (s scenario) against() scenario {
	var servers []string
	for _, name := range s.servers {
		servers = append(servers, name)
		if strings.HasPrefix(name, sallyport) && s.backend == "" {
			servers = append(servers, name+otherBuild)
		}
	}
	s.servers = servers
	return s
}

const memoryScenario = "memory"

func scenarios() []scenario {
	return []scenario{
		{
			name: "whole", title: "whole reply, 2 KB request", part: 1,
			request: chatRequest(gatewayName, 2<<10, false),
			servers: []string{bareServer, bareAgain, sallyport, sallyportGuards},
		},
		{
			name: "full", title: "whole reply with key, team, limits, budgets, cost and spend log, 2 KB request", part: 1,
			request:  chatRequest(gatewayName, 2<<10, false),
			servers:  []string{bareServer, sallyport, sallyportFull},
			requests: map[string][]byte{sallyportFull: bytes.Replace(chatRequest(gatewayName, 2<<10, false), []byte(masterKey), []byte(virtualKey), 1)},
			rest:     11 * time.Second, // spend is written to the database each ten
		},
		{
			name: "cached", title: "whole reply from the cache in memory, 2 KB request", part: 1,
			request: chatRequest(gatewayName, 2<<10, false),
			servers: []string{bareServer, sallyport, sallyportCached},
		},
		{
			name: "cached-redis", title: "whole reply from the cache in Redis, 2 KB request", part: 1,
			request: chatRequest(gatewayName, 2<<10, false),
			servers: []string{bareServer, sallyport, sallyportRedis},
			backend: redisServer,
		},
		{
			name: "large", title: "whole reply, 100 KB request", part: 0.5,
			request: chatRequest(gatewayName, 100<<10, false),
			servers: []string{bareServer, sallyport},
		},
		{
			name: "stream", title: "streamed reply in one burst, 2 KB request", part: 0.75, streamed: true,
			request: chatRequest(gatewayName, 2<<10, true),
			servers: []string{bareStreaming, bareServer, sallyport},
		},
		{
			name: "drip", title: fmt.Sprintf("streamed reply, an event each %s, 2 KB request", dripGap), part: 0.1, streamed: true,
			request: chatRequest(dripModel, 2<<10, true),
			servers: []string{bareStreaming, sallyport},
		},
		{
			name: "anthropic", title: "whole reply of Anthropic's API to a chat completion, 2 KB request", part: 1,
			request:  chatRequest(gatewayName, 2<<10, false),
			servers:  []string{bareServer, sallyport, sallyportClaude},
			requests: map[string][]byte{sallyportClaude: chatRequest(claudeModel, 2<<10, false)},
		},
		{
			name: "anthropic-stream", title: "streamed reply of Anthropic's API to a chat completion, in one burst, 2 KB request",
			part: 0.75, streamed: true,
			request:  chatRequest(gatewayName, 2<<10, true),
			servers:  []string{sallyport, sallyportClaude},
			requests: map[string][]byte{sallyportClaude: chatRequest(claudeModel, 2<<10, true)},
		},
	}
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return append(names, semanticScenario, memoryScenario)
}

// sample is what one server did in one round.
type sample struct {
	// cpu is the server's CPU time per request.
	cpu time.Duration
	// rate is in requests a second.
	rate     float64
	p50, p99 time.Duration
	// busy is the part of the time in which the server used its CPU.
	busy float64
}

// scenarioResult holds a sample per round of each server, by name.
type scenarioResult struct {
	scenario
	// tested are the servers that took part, in the order of the scenario.
	tested  []string
	samples map[string][]sample
	// total is the CPU time per request from the first round until a server was done with all that was asked, which the
	// rounds need not show: rows for the database are written in few of them. Zero for most scenarios.
	total map[string]time.Duration
	// asked is how many commands the backend got for each request.
	asked float64
}

// run measures the servers in short rounds, each round beginning with another one:
// what the machine does besides then hits all alike.
func (s scenario) run(ctx context.Context, opt options, f *fleet) (scenarioResult, error) {
	result := scenarioResult{scenario: s, samples: map[string][]sample{}}
	crowds := map[string]crowd{}
	defer func() {
		for _, callers := range crowds {
			callers.hangUp()
		}
	}()
	for _, name := range s.servers {
		if f.missing[name] != "" {
			continue
		}
		server, err := f.get(name)
		if err != nil {
			return result, err
		}
		crowds[name] = newCrowd(server.addr, opt.concurrency)
		result.tested = append(result.tested, name)
	}
	begun, err := f.cpuTimes(result.tested)
	if err != nil {
		return result, err
	}
	var commands int64
	requests := max(int(float64(opt.requests)*s.part), 2*opt.concurrency)
	progress("%s: %d rounds of %d requests to each of %s", s.title, opt.rounds, requests, strings.Join(result.tested, ", "))

	for round := range opt.rounds + 1 {
		for i := range result.tested {
			name := result.tested[(round+i)%len(result.tested)]
			one, err := s.round(ctx, crowds[name], f.running[name], s.asks(name), requests)
			if err != nil {
				return result, fmt.Errorf("%s: %w", name, err)
			}
			// The first round fills caches and pools.
			if round > 0 {
				result.samples[name] = append(result.samples[name], one)
			}
		}
		if round > 0 && round%5 == 0 {
			progress("  round %d of %d", round, opt.rounds)
		}
		if round == 0 {
			if commands, err = s.commands(f); err != nil {
				return result, err
			}
		}
	}
	asked, err := s.commands(f)
	if err != nil {
		return result, err
	}
	// Each connection makes one call besides in each round.
	result.asked = float64(asked-commands) / float64(opt.rounds*(requests+opt.concurrency))
	if s.rest == 0 {
		return result, nil
	}
	if err := sleep(ctx, s.rest); err != nil {
		return result, err
	}
	ended, err := f.cpuTimes(result.tested)
	result.total = map[string]time.Duration{}
	for name, end := range ended {
		result.total[name] = (end - begun[name]) / time.Duration(requests*(opt.rounds+1))
	}
	return result, err
}

// commands is how many the backend has served so far; 0 if there is none.
func (s scenario) commands(f *fleet) (int64, error) {
	p := f.running[s.backend]
	if p == nil {
		return 0, nil
	}
	return redisCommands(p.addr)
}

// settle is how long a server may work on after its last reply: what it does later
// on purpose, such as writing a journal, counts as well.
const settle = 15 * time.Millisecond

func (s scenario) round(ctx context.Context, callers crowd, server *process, request []byte, requests int) (sample, error) {
	if err := callers.warm(request, s.streamed); err != nil {
		return sample{}, err
	}
	time.Sleep(settle)
	before, err := cpuTime(server.pid())
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	latencies, err := callers.load(ctx, request, s.streamed, requests)
	if err != nil {
		return sample{}, err
	}
	wall := time.Since(start)
	during, err := cpuTime(server.pid())
	if err != nil {
		return sample{}, err
	}
	time.Sleep(settle)
	after, err := cpuTime(server.pid())
	if err != nil {
		return sample{}, err
	}
	return sample{
		cpu:  (after - before) / time.Duration(requests),
		rate: float64(requests) / wall.Seconds(),
		p50:  quantile(latencies, 0.50),
		p99:  quantile(latencies, 0.99),
		busy: (during - before).Seconds() / wall.Seconds(),
	}, nil
}

// chatRequest is a chat completion request with a body of about the given size,
// model and stream first as the official SDKs send it.
func chatRequest(model string, size int, stream bool) []byte {
	options := ""
	if stream {
		options = `"stream":true,"stream_options":{"include_usage":true},`
	}
	front := `{"model":"` + model + `",` + options + `"messages":[{"role":"system","content":"You answer in one paragraph."},` +
		`{"role":"user","content":"`
	back := `"}],"temperature":0.2,"max_tokens":512,"user":"u-4711"}`
	body := front + prose(max(size-len(front)-len(back), 1)) + back
	return fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.test\r\nUser-Agent: OpenAI/Python 3.0.0\r\n"+
		"Authorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%s",
		masterKey, len(body), body)
}

// prose is text of about n bytes, with words and sentences of the usual lengths.
func prose(n int) string {
	const text = "The harbour master keeps a list of every boat that lies at the long pier, with the name of its owner and " +
		"the day it came in. Each evening he walks down with a lamp, counts the masts against the list and writes down what " +
		"has changed since the morning. When a boat is missing he asks the fishermen first, for they see who leaves with the tide. "
	return strings.TrimSpace(strings.Repeat(text, n/len(text)+1)[:n])
}
