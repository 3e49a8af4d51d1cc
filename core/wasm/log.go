package wasm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/telemetry"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// SinkOptions say which records a plugin gets, and what is in them.
type SinkOptions struct {
	Success, Failure bool // records of exchanges that ended well, and of those that did not; neither is both
	Attempts         int  // calls for one record at most; 0 is 4
	Pause            time.Duration
	Wants            func(*callback.Record) bool // further choice; nil is all
}

const (
	defaultAttempts = 4
	defaultPause    = time.Second // before the second attempt; it doubles
)

// Sink presents the plugin's log hook as a sink. Its calls run on an instance of their own, one at a time, within
// Limits.BackgroundCPU and Limits.BackgroundWall; no request ever waits for them. A batch that does not fit into the
// plugin's memory is handed over in parts. Records that the plugin wants again, and those of a call that failed, are
// given once more after a pause, a few times; what is left then is lost, which the error says (callback.LostError).
func (p *Plugin) Sink(o SinkOptions) callback.Sink {
	if !o.Success && !o.Failure {
		o.Success, o.Failure = true, true
	}
	o.Attempts, o.Pause = otherwise(o.Attempts, defaultAttempts), otherwise(o.Pause, defaultPause)
	n := p.manifest.needs()
	return &sink{p: p, o: o, content: p.Content(), metadata: n.metadata}
}

// Content reports whether the log hook gets prompts and answers: the manifest needs content, and Grants.Prompts gives
// it.
func (p *Plugin) Content() bool { return p.manifest.needs().content && p.rights.prompts }

type sink struct {
	p                 *Plugin
	o                 SinkOptions
	content, metadata bool
}

// Write implements callback.Sink.
func (s *sink) Write(ctx context.Context, batch []callback.Record) error {
	var waiting []*callback.Record
	for i := range batch {
		rec := &batch[i]
		if failed := rec.Error != nil; failed && !s.o.Failure || !failed && !s.o.Success || s.o.Wants != nil && !s.o.Wants(rec) {
			continue
		}
		waiting = append(waiting, rec)
	}
	var last error
	lost := 0
	for attempt, pause := 0, s.o.Pause; len(waiting) > 0 && attempt < s.o.Attempts; attempt++ {
		if attempt > 0 {
			if err := rest(ctx, pause); err != nil {
				break
			}
			pause *= 2
		}
		large := 0
		waiting, large, last = s.deliver(ctx, waiting)
		lost += large
	}
	if lost += len(waiting); lost == 0 {
		return nil
	}
	if last == nil {
		last = errors.New("the plugin did not take them")
	}
	if st := s.p.stats; st != nil {
		st.lost.Add(uint64(lost))
	}
	return &callback.LostError{Lost: lost, Err: last}
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// deliver hands all records over, in as many calls as it takes, and returns those to try again, and how many are too
// large ever to be taken.
func (s *sink) deliver(ctx context.Context, list []*callback.Record) (again []*callback.Record, large int, last error) {
	for len(list) > 0 {
		n := 0
		err := s.p.behind(ctx, s.p.logging, func(in *instance) error {
			in.view = in.view[:0]
			for n < len(list) {
				mark := len(in.view)
				in.view = s.appendRecord(in.view, list[n])
				if len(in.view) > s.p.limits.maxView() {
					in.view = in.view[:mark]
					break
				}
				n++
			}
			if n == 0 {
				return fmt.Errorf("%w: a record of %s", ErrSize, list[0].ID)
			}
			out, err := in.slow(abi.HookLog, in.view, nil)
			if out == nil || err != nil {
				return err
			}
			retry, err := readRetries(out, n)
			for _, i := range retry {
				again = append(again, list[i])
			}
			return err
		})
		if errors.Is(err, ErrSize) && n == 0 {
			large, last, list = large+1, err, list[1:] // no attempt will make it smaller
			continue
		}
		if err != nil {
			last = err
			again = append(again, list[:n]...)
		}
		list = list[n:]
		if errors.Is(err, ErrClosed) || ctx.Err() != nil {
			return append(again, list...), large, err
		}
	}
	return again, large, last
}

// readRetries reads which records are to come again.
func readRetries(out []byte, records int) (list []int, err error) {
	var verdict abi.Verdict
	reason, decided, before := "", false, -1
	r := abi.Reader{Rest: out}
	for r.Next() {
		switch r.Tag {
		case abi.TagVerdict:
			verdict, decided = abi.Verdict(r.Number()), true
		case abi.TagReason:
			reason = clean(r.Value)
		case abi.TagIndex:
			i := int(min(r.Number(), math.MaxInt32))
			if r.Err == nil && (i >= records || i <= before) {
				return nil, broken("record %d is to come again, there are %d, each can be named once and in order", i, records)
			}
			list, before = append(list, i), i
		default:
			r.Unknown()
		}
	}
	switch {
	case r.Err != nil:
		return nil, broken("result: %v", r.Err)
	case !decided:
		return nil, broken("a result without a verdict")
	case verdict == abi.VerdictFail:
		return nil, fmt.Errorf("%w: %s", ErrVerdict, reason)
	case verdict != abi.VerdictContinue && verdict != abi.VerdictEdit:
		return nil, broken("verdict %d of the log hook", verdict)
	}
	return list, nil
}

// appendRecord appends one record. Texts that callers and vendors chose are masked, so that no key is in them.
func (s *sink) appendRecord(dst []byte, rec *callback.Record) []byte {
	dst, mark := abi.Open(dst, abi.TagRecord)
	field := func(tag abi.Tag, v string) { dst = appendText(dst, tag, telemetry.Mask(v)) }
	number := func(tag abi.Tag, n int64) {
		if n != 0 {
			dst = abi.AppendNumber(dst, tag, uint64(n))
		}
	}
	field(abi.TagRequestID, rec.ID)
	field(abi.TagCallType, rec.CallType)
	field(abi.TagPath, rec.Route)
	field(abi.TagClientIP, rec.Remote)
	field(abi.TagUserAgent, rec.UserAgent)
	field(abi.TagModel, rec.ModelGroup)
	if rec.Stream {
		number(abi.TagStream, 1)
	}
	if rec.CacheHit {
		number(abi.TagCacheHit, 1)
	}
	if d := rec.Deployment; d != nil {
		field(abi.TagDeploymentID, d.ID)
		field(abi.TagProvider, d.Provider)
		field(abi.TagVendorModel, d.Model)
		field(abi.TagBase, d.Base)
	}
	moment := func(tag abi.Tag, t time.Time) {
		if !t.IsZero() {
			number(tag, t.UnixMicro())
		}
	}
	moment(abi.TagStart, rec.Start)
	moment(abi.TagEnd, rec.End)
	moment(abi.TagFirstToken, rec.FirstToken)
	number(abi.TagPromptTokens, rec.Usage.Prompt)
	number(abi.TagCompletionTokens, rec.Usage.Completion)
	number(abi.TagTotalTokens, rec.Usage.Total)
	number(abi.TagCachedTokens, rec.Usage.Cached)
	number(abi.TagReasoningTokens, rec.Usage.Reasoning)
	if rec.CostKnown {
		dst = abi.AppendNumber(dst, abi.TagCost, math.Float64bits(rec.Cost))
	}
	number(abi.TagStatus, int64(rec.Status))
	field(abi.TagFinish, rec.Finish)
	if e := rec.Error; e != nil {
		field(abi.TagErrorClass, e.Class())
		field(abi.TagReason, e.Message)
	}
	number(abi.TagRetries, int64(rec.Retries))
	number(abi.TagFallbacks, int64(rec.Fallbacks))
	for _, g := range rec.Guards {
		field(abi.TagGuardrail, g)
	}
	dst = s.appendCaller(dst, rec)
	if s.content {
		dst = appendText(dst, abi.TagMessages, rec.Messages)
		dst = appendText(dst, abi.TagAnswer, rec.Answer())
	}
	return abi.Close(dst, mark)
}

// appendCaller appends who asked, and what they sent along.
func (s *sink) appendCaller(dst []byte, rec *callback.Record) []byte {
	if rec.Principal != nil {
		dst = appendCaller(dst, rec.Principal)
	}
	if rec.Principal == nil || rec.Principal.EndUser == "" {
		dst = appendText(dst, abi.TagEndUser, telemetry.Mask(rec.EndUser))
	}
	if s.metadata && rec.Principal != nil && len(rec.Principal.Metadata) > 0 {
		dst = appendTree(dst, abi.TagMetadata, rec.AuthMetadata())
	}
	requester, tags := rec.Requester()
	if m, ok := plain(requester).(map[string]any); ok && len(m) > 0 {
		dst = appendTree(dst, abi.TagCallerMetadata, m)
	}
	for _, t := range tags {
		dst = appendText(dst, abi.TagTag, t)
	}
	return dst
}

// plain makes numbers of the numbers in a tree that was decoded from JSON, in place.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// appendTree appends a map, unless it holds something that has no form there: the record is worth more than that.
func appendTree(dst []byte, tag abi.Tag, m map[string]any) []byte {
	out, err := abi.AppendMap(dst, tag, m)
	if err != nil {
		return dst
	}
	return out
}
