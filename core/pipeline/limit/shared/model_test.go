package shared

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// line is what is between a replica and Redis.
type line struct{ state atomic.Int32 }

// The states of a line.
const (
	well  = iota
	cut   // nothing gets through
	deaf  // what is sent gets through, what is answered does not
	twice // what is sent gets through twice
)

var errLine = errors.New("the line is cut")

func (l *line) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (l *line) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (l *line) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		state := l.state.Load()
		if state == twice {
			_ = next(ctx, cmds)
		}
		if state != cut {
			if err := next(ctx, cmds); err != nil {
				return err
			}
		}
		if state != cut && state != deaf {
			return nil
		}
		for _, cmd := range cmds {
			cmd.SetErr(errLine)
		}
		return errLine
	}
}

// process is a replica of the model: counts and the scope's state as it has them.
type process struct {
	*Counts
	line  *line
	scope *llm.Scope
	open  []*llm.Exchange
	seen  int64 // changes of the database whose effect it knows
}

// world is some replicas, their Redis, and a database of one number, which replicas write what they spent to.
type world struct {
	t       *testing.T
	r       *rand.Rand
	url     string
	key     string
	all     []*process
	made    int
	spent   float64 // what the database has
	unsaved map[*llm.Live]float64
	change  int64
	roll    time.Duration // how long replicas that are gone are waited for; 0 is the default
	sure    bool          // replicas say that what they read of the database is certain
	log     []string
}

func newWorld(t *testing.T, seed uint64, url string, replicas int, roll time.Duration) *world {
	t.Helper()
	w := &world{t: t, roll: roll, r: rand.New(rand.NewPCG(seed, 1)), url: url, key: fmt.Sprint("k", seed), unsaved: map[*llm.Live]float64{}}
	for range replicas {
		w.all = append(w.all, w.start())
	}
	t.Cleanup(func() {
		for _, p := range w.all {
			_ = p.Close()
		}
		if t.Failed() {
			for _, s := range w.log {
				t.Log(s)
			}
		}
	})
	return w
}

func (w *world) start() *process {
	client, err := Connect(Address{URL: w.url, Timeout: 20 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	p := &process{line: &line{}, seen: w.change}
	client.AddHook(p.line)
	w.made++
	p.Counts = New(Settings{Client: client, Replica: fmt.Sprint("replica", w.made), Prefix: w.key, Timeout: 20 * time.Second, Roll: w.roll})
	p.Learned(w.change)
	w.renew(p)
	return p
}

// renew gives a replica the scope as one has it that was never asked.
func (w *world) renew(p *process) {
	live := llm.NewLive(llm.ScopeKey, w.key)
	live.Load(w.spent)
	p.scope = &llm.Scope{Kind: llm.ScopeKey, ID: w.key, Budget: llm.Budget{Limited: true, Max: 1e9}, Live: live}
}

func (w *world) note(what string, p *process) {
	for i, q := range w.all {
		if q == p {
			what += " " + strconv.Itoa(i)
		}
	}
	w.log = append(w.log, fmt.Sprintf("%s: database %v, unsaved %v", what, w.spent, w.total()-w.spent))
}

// total is what was spent in this period by all.
func (w *world) total() float64 {
	sum := w.spent
	for _, f := range w.unsaved {
		sum += f
	}
	return sum
}

func (w *world) begin(p *process) {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Asked = llm.Ask{Now: x.Start.UnixNano(), Cost: float64(1+w.r.IntN(100)) / 7}
	x.Scopes = append(x.Scopes, p.scope)
	_, why, _, err := p.Reserve(w.t.Context(), x)
	if err != nil {
		x.Holds = append(x.Holds[:0], llm.Hold{})
		why, _ = p.scope.Reserve(p.scope, &x.Asked, &x.Holds[0])
	}
	if why != llm.Passed {
		w.t.Fatalf("refused: %v", why)
	}
	p.open = append(p.open, x)
	w.note("begin", p)
}

func (w *world) end(p *process) {
	if len(p.open) == 0 {
		return
	}
	i := w.r.IntN(len(p.open))
	x := p.open[i]
	p.open = append(p.open[:i], p.open[i+1:]...)
	cost := float64(w.r.IntN(100)) / 9
	w.unsaved[x.Holds[0].Scope.Live] += cost
	p.Settle(x, &x.Holds[0], time.Now().UnixNano(), 1, cost)
	w.note("end", p)
}

// save writes what a replica spent to the database, and the others read it.
func (w *world) save(p *process) {
	live := p.scope.Live
	amount := w.unsaved[live]
	w.spent += amount
	delete(w.unsaved, live)
	live.Saved(amount)
	for _, q := range w.all {
		if q.seen == w.change {
			w.read(q)
		}
	}
	w.note("save", p)
}

func (w *world) read(p *process) {
	if w.sure {
		p.scope.Read(w.spent)
		return
	}
	p.scope.Load(w.spent)
}

// crash ends a replica and starts another one, which finds what the first one spent in its journal.
func (w *world) crash(p *process) {
	p.line.state.Store(cut)
	_ = p.Close()
	for _, x := range p.open {
		_ = x // its caller has no answer, and it costs nothing
	}
	w.spent += w.unsaved[p.scope.Live]
	delete(w.unsaved, p.scope.Live)
	for i, q := range w.all {
		if q == p {
			w.all[i] = w.start()
		} else if q.seen == w.change {
			w.read(q)
		}
	}
	w.note("crash", nil)
}

// forget has a replica make the scope's state anew, as it does if nobody asks for long.
func (w *world) forget(p *process) {
	if len(p.open) == 0 {
		w.save(p)
		p.mu.Lock()
		delete(p.known, p.scope.Live) // nobody asked for it for long
		p.mu.Unlock()
		w.renew(p)
		w.note("forget", p)
	}
}

func (w *world) lose() {
	client, err := Connect(Address{URL: w.url, Timeout: 20 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx := w.t.Context()
	if err := client.Del(ctx, w.all[0].keys(w.all[0].scope)...).Err(); err != nil {
		w.t.Fatal(err)
	}
	w.note("lose", nil)
}

// again has all replicas come to Redis once, with a request that asks or one that ends. They do so before they write to
// the database what they spent: each looks every other second whether Redis lost its data.
func (w *world) again() {
	for _, p := range w.all {
		p.line.state.Store(well)
		if w.r.IntN(2) == 0 && len(p.open) > 0 {
			w.end(p)
			continue
		}
		w.begin(p)
	}
	w.quiet()
}

// reset ends the period: what was spent is 0, and what is not in the database counts in the new one.
func (w *world) reset() {
	w.change++
	w.spent = 0
	w.note("reset", nil)
}

// hear tells a replica what changed in the database.
func (w *world) hear(p *process) {
	if p.seen == w.change {
		return
	}
	p.seen = w.change
	p.scope.Changed(w.change)
	p.scope.Read(w.spent)
	fell := p.scope.Learned(w.change)
	p.Learned(w.change)
	if fell {
		p.Tell(p.scope.Live)
	}
	w.note("hear", p)
}

// settle ends all that is under way and waits until Redis was told.
func (w *world) settle(hear bool) {
	for _, p := range w.all {
		p.line.state.Store(well)
	}
	for _, p := range w.all {
		if hear {
			w.hear(p)
		}
		for len(p.open) > 0 {
			w.end(p)
		}
	}
	w.quiet()
}

func (w *world) quiet() {
	w.t.Helper()
	for _, p := range w.all {
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if p.Told() && !p.Broken() {
				break
			}
			if time.Now().After(end) {
				w.t.Fatal("not all settlements were told")
			}
		}
	}
}

// inRedis is what Redis has as spent and as held.
func (w *world) inRedis() (spent, held float64, known int) {
	ctx, p := w.t.Context(), w.all[0]
	all, err := p.s.Client.HGetAll(ctx, p.keys(p.scope)[2]).Result()
	if err != nil {
		w.t.Fatal(err)
	}
	for name := range all {
		if len(name) > 2 && name[:2] == "u:" {
			known++
		}
	}
	spent, _ = strconv.ParseFloat(all["s"], 64)
	held, _ = strconv.ParseFloat(all["h"], 64)
	return spent, held, known
}

func (w *world) check() {
	w.t.Helper()
	spent, held, _ := w.inRedis()
	if want := w.total(); math.Abs(spent-want) > 1e-6 {
		w.t.Errorf("Redis has %v as spent, it was %v", spent, want)
	}
	if math.Abs(held) > 1e-6 {
		w.t.Errorf("Redis holds %v for requests that ended", held)
	}
}

// someone is any of the replicas.
func (w *world) someone() *process { return w.all[w.r.IntN(len(w.all))] }

// TestMoneyModel has replicas spend while Redis loses its data, lines are cut, deaf or repeat what they carry, states are
// made anew and amounts go to the database, in any order. In the end Redis has what was spent, to the last amount.
func TestMoneyModel(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t).URL()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed, url, 3, 0)
			for range 150 {
				p := w.someone()
				switch n := w.r.IntN(100); {
				case n < 40:
					w.begin(p)
				case n < 75:
					w.end(p)
				case n < 82:
					w.save(p)
				case n < 86:
					w.lose()
					w.again()
				case n < 89:
					w.forget(p)
				case n < 91 && !p.Broken():
					p.line.state.Store(int32(w.r.IntN(4)))
				case n < 96:
					p.line.state.Store(well)
				}
			}
			w.settle(false)
			for _, p := range w.all {
				w.begin(p) // whoever is not known tells what it has
			}
			w.settle(false)
			w.check()
		})
	}
}

// TestMoneyModelPeriods is the same with periods that end and replicas that crash. What others wrote to the database in the
// moment between two that hear of an end may be missed; it is found when the database is read.
func TestMoneyModelPeriods(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t).URL()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 100+seed, url, 3, 50*time.Millisecond)
			w.sure = true
			for range 150 {
				p := w.someone()
				switch n := w.r.IntN(100); {
				case n < 35:
					w.begin(p)
				case n < 70:
					w.end(p)
				case n < 78:
					w.save(p)
				case n < 82:
					w.reset()
				case n < 92:
					w.hear(p)
				case n < 94:
					w.lose()
				case n < 96:
					w.crash(p)
				case n < 98:
					w.forget(p)
				}
				if n := w.r.IntN(100); n < 5 {
					p.line.state.Store(int32(twice))
				} else if n < 20 {
					p.line.state.Store(well)
				}
			}
			w.settle(true)
			for _, p := range w.all {
				w.save(p)
			}
			for _, p := range w.all {
				w.begin(p)
				w.end(p)
			}
			w.settle(true)
			spent, _, known := w.inRedis()
			if want := w.total(); math.Abs(spent-want) > 1e-6 {
				t.Errorf("Redis has %v as spent, it was %v", spent, want)
			}
			if known > w.made+150 {
				t.Errorf("Redis knows %d processes", known)
			}
		})
	}
}
