package spend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// LoaderSettings configure a Loader. Store and Journal are required; zero values of the others take the defaults.
type LoaderSettings struct {
	Store    store.Spend
	Journal  *Journal
	Registry *llm.Registry        // is told what the store has; may be nil
	Every    func() time.Duration // between two writes (proxy_batch_write_at); default 10 s
	Batch    int                  // records in one transaction; default 4000
	Timeout  time.Duration        // of one transaction; default 30 s
	URL      string               // where rows are posted instead of being stored (SPEND_LOGS_URL)
	Client   *http.Client         // for URL; default has a timeout of 10 s
	Beside   string               // what the folders of other processes begin with; "" there are none. See Recover
	Logger   *slog.Logger
}

const (
	defaultEvery   = 10 * time.Second
	defaultBatch   = 4000 // each page of an index is then written once for many rows: a third cheaper than with 1,000
	defaultTimeout = 30 * time.Second
	batchBytes     = 4 << 20
	activeFor      = 2 * time.Minute // how long the spend of a scope is read after somebody asked for it
	maxRefresh     = 500             // entities in one question
)

// Loader carries a journal's records into the store, in order and each once, and tells the scopes what is stored. While
// the store cannot be reached the records stay in the journal. It is safe for concurrent use.
type Loader struct {
	s      LoaderSettings
	saving atomic.Uint64

	mu     sync.Mutex // one write or reading of spend at a time
	next   int64      // where to read on
	known  bool       // next is known
	failed bool       // the last write failed
	last   int        // records in the batch before

	stats struct {
		written, repeated, rejected atomic.Int64
	}
}

// NewLoader makes a Loader.
func NewLoader(s LoaderSettings) *Loader {
	if s.Every == nil {
		s.Every = func() time.Duration { return defaultEvery }
	}
	if s.Batch <= 0 {
		s.Batch = defaultBatch
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Client == nil {
		s.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return &Loader{s: s}
}

// Saving changes when records begin and end to be written: it is odd in between.
func (l *Loader) Saving() uint64 { return l.saving.Load() }

// Written is how many records the store has got from this run, and how many it could not take.
func (l *Loader) Written() (written, rejected int64) {
	return l.stats.written.Load(), l.stats.rejected.Load()
}

// Run writes until ctx ends. Then it returns; Flush writes the rest.
func (l *Loader) Run(ctx context.Context) {
	for {
		// Replicas that were started together do not write together.
		pause := max(l.s.Every(), 10*time.Millisecond)
		pause = pause - pause/20 + rand.N(pause/10+1)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		l.s.Journal.Retry()
		if err := l.Flush(ctx); err != nil {
			continue
		}
		// Again and again: at the start a process may not have ended yet whose folder this one would have taken over.
		if err := l.Recover(ctx); err != nil && ctx.Err() == nil {
			l.s.Logger.Error("spend of another process was not written yet", "error", err)
		}
		_ = l.Refresh(ctx)
	}
}

// Flush writes all that the journal holds.
func (l *Loader) Flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.flush(ctx)
	switch {
	case err != nil && !l.failed && ctx.Err() == nil:
		l.s.Logger.Error("spend could not be written; it stays in the journal and is tried again", "error", err, "folder", l.s.Journal.Dir())
	case err == nil && l.failed:
		l.s.Logger.Info("spend is written again")
	}
	l.failed = err != nil
	return err
}

func (l *Loader) flush(ctx context.Context) error {
	if !l.known {
		position, err := l.s.Store.Position(ctx, l.s.Journal.Source())
		if err != nil {
			return err
		}
		if n, _ := placeOf(position); n > 0 {
			l.next = seq(n, 0) // its segment holds the position; what is before it in there is skipped by the store
		}
		l.known = true
	}
	for {
		entries, next, err := l.read()
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			if err := l.s.Journal.Release(next); err != nil || !l.s.Journal.CatchUp() {
				return err
			}
			continue
		}
		if err := l.write(ctx, entries); err != nil {
			return err
		}
		l.next = next
		if err := l.s.Journal.Release(next); err != nil {
			l.s.Logger.Warn("written parts of the spend journal could not be deleted", "error", err)
		}
	}
}

// read takes a batch out of the journal. A record that cannot be read is left out, and said.
func (l *Loader) read() (entries []store.SpendEntry, next int64, err error) {
	size := 0
	entries = make([]store.SpendEntry, 0, l.last)
	defer func() { l.last = len(entries) }()
	next, err = l.s.Journal.Read(l.next, func(at int64, record []byte) bool {
		entries = append(entries, store.SpendEntry{Seq: at})
		e := &entries[len(entries)-1]
		if err := decodeEntry(record, e); err != nil {
			entries = entries[:len(entries)-1]
			l.stats.rejected.Add(1)
			l.s.Logger.Error("a record of the spend journal cannot be read and is left out", "error", err, "place", at)
			return true
		}
		joinAnswer(&e.Log)
		size += len(record)
		return len(entries) < l.s.Batch && size < batchBytes
	})
	return entries, next, err
}

// joinAnswer makes one document of an answer that was streamed.
func joinAnswer(l *store.SpendLog) {
	if bytes.IndexByte(l.Response, llm.KeptMark) >= 0 || len(l.Response) > 0 && !json.Valid(l.Response) {
		rec := callback.Record{Stream: true, Response: l.Response}
		l.Response = rec.Answer()
	}
	if len(l.Response) > 0 && !json.Valid(l.Response) {
		l.Response = nil
	}
	if len(l.Messages) > 0 && !json.Valid(l.Messages) {
		l.Messages = nil
	}
	if len(l.ProxyServerRequest) > 0 && !json.Valid(l.ProxyServerRequest) {
		l.ProxyServerRequest = nil
	}
}

// write writes a batch. If the store does not take it for another reason than that it cannot be reached, its records are
// written one by one, and the one that is to blame is put aside, so that it does not hold up the others.
func (l *Loader) write(ctx context.Context, entries []store.SpendEntry) error {
	if err := l.post(ctx, entries); err != nil {
		return err
	}
	err := l.record(ctx, entries)
	if err == nil || errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || len(entries) == 0 {
		return err
	}
	for i := range entries {
		err := l.record(ctx, entries[i:i+1])
		switch {
		case err == nil:
		case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
			return err
		default:
			if err := l.reject(&entries[i], err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Loader) record(ctx context.Context, entries []store.SpendEntry) error {
	ctx, cancel := context.WithTimeout(ctx, l.s.Timeout)
	defer cancel()
	l.saving.Add(1)
	defer l.saving.Add(1)
	result, err := l.s.Store.Record(ctx, store.SpendBatch{Source: l.s.Journal.Source(), Entries: entries})
	if err != nil {
		return err
	}
	l.stats.written.Add(int64(result.Recorded))
	l.stats.repeated.Add(int64(result.Repeated))
	for i := range entries {
		l.saved(&entries[i])
	}
	return nil
}

// saved tells the scopes of a record that the store has its amount. Those of an earlier run read it from there.
func (l *Loader) saved(e *store.SpendEntry) {
	if l.s.Registry == nil || e.Log.Spend == 0 || !l.s.Journal.Own(e.Seq) {
		return
	}
	tell := func(kind llm.ScopeKind, id string, amount float64) {
		if id == "" {
			return
		}
		if live := l.s.Registry.Find(kind, id); live != nil {
			live.Saved(amount)
		}
	}
	for _, c := range e.Counters {
		if kind, id, ok := CounterScope(c.Name); ok {
			tell(kind, id, c.Amount)
		}
	}
	if e.NoTotals {
		return
	}
	g := &e.Log
	for _, ref := range entities(g) {
		tell(ref.kind, ref.id, g.Spend)
	}
	for _, tag := range e.Tags {
		tell(llm.ScopeTag, tag, g.Spend)
	}
}

type scopeRef struct {
	kind llm.ScopeKind
	id   string
}

// entities are what a record's spend is added to.
func entities(g *store.SpendLog) []scopeRef {
	refs := []scopeRef{
		{llm.ScopeProxy, ProxyID}, {llm.ScopeKey, g.APIKey}, {llm.ScopeUser, string(g.User)}, {llm.ScopeTeam, string(g.TeamID)},
		{llm.ScopeOrganization, string(g.OrganizationID)}, {llm.ScopeEndUser, string(g.EndUser)},
	}
	if g.User != "" && g.TeamID != "" {
		refs = append(refs, scopeRef{llm.ScopeTeamMember, store.MemberID(string(g.TeamID), string(g.User))})
	}
	if g.User != "" && g.OrganizationID != "" {
		refs = append(refs, scopeRef{llm.ScopeOrgMember, store.MemberID(string(g.OrganizationID), string(g.User))})
	}
	return refs
}

// ProxyID is the ID of the scope of the whole gateway.
const ProxyID = store.ProxyBudgetUser

// CounterScope undoes the name of a counter: the kind's word, a colon, the scope's ID.
func CounterScope(name string) (kind llm.ScopeKind, id string, ok bool) {
	word, id, ok := strings.Cut(name, ":")
	if !ok {
		return 0, "", false
	}
	for k := llm.ScopeModelPerKey; k <= llm.ScopeGrantedModelPerUser; k++ {
		if k.Counted() && k.String() == word {
			return k, id, true
		}
	}
	return 0, "", false
}

// reject puts a record aside that the store does not take.
func (l *Loader) reject(e *store.SpendEntry, why error) error {
	l.stats.rejected.Add(1)
	path := filepath.Join(l.s.Journal.Dir(), "rejected.jsonl")
	l.s.Logger.Error("the database does not take a record of spend; it is put aside", "error", why, "request_id", e.Log.RequestID, "file", path)
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("spend: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("spend: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// post sends the rows to the collecting server, if there is one, which then are not stored. A batch whose totals could
// not be written afterwards is sent again: rows have an id to know them by.
func (l *Loader) post(ctx context.Context, entries []store.SpendEntry) error {
	if l.s.URL == "" {
		return nil
	}
	var rows []*store.SpendLog
	for i := range entries {
		if !entries[i].NoLog {
			rows = append(rows, &entries[i].Log)
			entries[i].NoLog = true
		}
	}
	if len(rows) == 0 {
		return nil
	}
	body, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("spend: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(l.s.URL, "/")+"/spend/update", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("SPEND_LOGS_URL: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.s.Client.Do(req)
	if err != nil {
		return fmt.Errorf("SPEND_LOGS_URL: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("SPEND_LOGS_URL: the server answered %s", resp.Status)
	}
	return nil
}

// Recover writes what other processes left in folders beside the journal's, those that nobody uses any more, and empties
// them.
func (l *Loader) Recover(ctx context.Context) error {
	if l.s.Beside == "" {
		return nil
	}
	paths, err := filepath.Glob(l.s.Beside + "*")
	if err != nil {
		return err
	}
	var failures []error
	for _, path := range paths {
		if rest := strings.TrimPrefix(path, l.s.Beside); path == l.s.Journal.Dir() || rest != "" && !strings.HasPrefix(rest, ".") {
			continue
		}
		if err := l.recover(ctx, path); err != nil && !errors.Is(err, errLocked) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func (l *Loader) recover(ctx context.Context, dir string) error {
	if !holdsRecords(dir) {
		return nil
	}
	j, err := takeOver(dir, Options{Logger: l.s.Logger})
	if err != nil {
		return err
	}
	other := NewLoader(LoaderSettings{
		Store: l.s.Store, Journal: j, Batch: l.s.Batch, Timeout: l.s.Timeout, URL: l.s.URL, Client: l.s.Client, Logger: l.s.Logger,
	})
	if err = other.Flush(ctx); err == nil {
		err = j.empty()
	}
	l.stats.written.Add(other.stats.written.Load())
	return errors.Join(err, j.lock.Close())
}
