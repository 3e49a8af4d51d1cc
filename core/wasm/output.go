package wasm

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// lineLimit lets a number of log lines through each second and counts the others.
type lineLimit struct {
	perSecond int

	mu      sync.Mutex
	second  time.Duration
	lines   int
	dropped int
}

// allow reports whether one more line may be written, and how many were dropped since the last one.
func (l *lineLimit) allow(now time.Duration) (ok bool, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := now.Truncate(time.Second); second != l.second {
		l.second, l.lines = second, 0
	}
	if l.lines >= l.perSecond {
		l.dropped++
		return false, 0
	}
	l.lines++
	dropped, l.dropped = l.dropped, 0
	return true, dropped
}

// line writes a line of the plugin to the log.
func (p *Plugin) line(level slog.Level, line []byte) {
	if !p.log.Enabled(context.Background(), level) {
		return
	}
	ok, dropped := p.lines.allow(p.now())
	if !ok {
		return
	}
	if dropped > 0 {
		p.log.Warn("the plugin logs too much, lines were dropped", "lines", dropped)
	}
	p.log.Log(context.Background(), level, p.rights.mask(clean(line)))
}

// clean makes foreign text one line of valid UTF-8 of limited length.
func clean(b []byte) string {
	s := string(b[:min(len(b), abi.MaxMessage)])
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// output cuts a standard stream into lines: those of standard output go to the log, and of standard error what a trouble
// makes of them. It belongs to one instance.
type output struct {
	level   slog.Level
	guarded bool // only what trouble makes of the lines is logged
	trouble trouble
	part    []byte // of a line without its end
}

func (o *output) write(in *instance, b []byte) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			o.keep(b)
			return
		}
		o.keep(b[:end])
		b = b[end+1:]
		o.flush(in)
	}
}

func (o *output) keep(b []byte) {
	o.part = append(o.part, b[:min(len(b), abi.MaxMessage-len(o.part))]...)
}

func (o *output) flush(in *instance) {
	switch {
	case len(o.part) == 0:
	case !o.guarded:
		in.p.line(o.level, o.part)
	case !o.trouble.line(string(o.part)):
		in.p.unheard.Do(func() {
			in.p.log.Warn("the plugin writes to standard error, which is not logged since messages of panics may hold prompts: log with the SDK or on standard output")
		})
	}
	o.part = o.part[:0]
}

// end logs what is left when the instance ends.
func (o *output) end(in *instance) {
	o.flush(in)
	o.trouble.report(in.p)
}
