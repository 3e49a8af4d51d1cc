package spend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// fakeStore keeps records as a store does: each once.
type fakeStore struct {
	store.Spend
	mu       sync.Mutex
	position map[string]int64
	keys     map[string]float64
	rows     int
	err      error  // of every call
	after    error  // of Record, once it has recorded
	refuse   string // request id that is not taken
}

func newFakeStore() *fakeStore {
	return &fakeStore{position: map[string]int64{}, keys: map[string]float64{}}
}

func (f *fakeStore) Record(_ context.Context, b store.SpendBatch) (r store.SpendResult, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return r, f.err
	}
	for _, e := range b.Entries {
		if f.refuse != "" && e.Log.RequestID == f.refuse {
			return r, errors.New("malformed")
		}
	}
	for _, e := range b.Entries {
		if e.Seq <= f.position[b.Source] {
			r.Repeated++
			continue
		}
		f.position[b.Source] = e.Seq
		r.Recorded++
		if !e.NoLog {
			f.rows++
		}
		f.keys[e.Log.APIKey] += e.Log.Spend
	}
	return r, f.after
}

func (f *fakeStore) Position(_ context.Context, source string) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.position[source], f.err
}

func (f *fakeStore) Spent(_ context.Context, refs ...store.Ref) (map[store.Ref]float64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[store.Ref]float64{}
	for _, r := range refs {
		if v, ok := f.keys[r.ID]; ok && r.Entity == store.EntityKey {
			out[r] = v
		}
	}
	return out, f.err
}

func put(t testing.TB, j *Journal, n int, amount float64) {
	t.Helper()
	for i := range n {
		e := store.SpendEntry{Log: store.SpendLog{RequestID: fmt.Sprint("r", i), APIKey: "k", Spend: amount, StartTime: time.Unix(1, 0), EndTime: time.Unix(1, 0)}}
		if _, err := j.Append(appendEntry(&e)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOnce shows that each record is stored once, whatever fails in between.
func TestOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Options{Segment: 8 << 10})
	s := newFakeStore()
	load := func(j *Journal, wantErr bool) {
		t.Helper()
		l := NewLoader(LoaderSettings{Store: s, Journal: j, Batch: 7})
		if err := l.Flush(t.Context()); (err != nil) != wantErr {
			t.Fatalf("flush: %v", err)
		}
	}
	put(t, j, 100, 1)
	load(j, false)
	load(j, false) // a loader that knows nothing of the first
	if s.rows != 100 {
		t.Errorf("%d rows", s.rows)
	}
	s.err = store.ErrUnavailable
	put(t, j, 50, 1)
	load(j, true)
	s.err, s.after = nil, store.ErrUnavailable // the answer is lost, not the batch
	load(j, true)
	s.after = nil
	load(j, false)
	if s.rows != 150 || s.keys["k"] != 150 {
		t.Errorf("%d rows, %v spent", s.rows, s.keys["k"])
	}
	put(t, j, 30, 1)
	_ = j.lock.Close() // the process is killed
	again := openJournal(t, dir, Options{Segment: 8 << 10})
	put(t, again, 5, 1)
	load(again, false)
	if s.rows != 185 {
		t.Errorf("%d rows after the restart", s.rows)
	}
	if numbers, _ := segmentNumbers(dir); len(numbers) != 1 {
		t.Errorf("%d segments are left", len(numbers))
	}
}

// TestRejected shows that one record which the store does not take keeps no other out.
func TestRejected(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Options{})
	s := newFakeStore()
	s.refuse = "r3"
	put(t, j, 10, 1)
	l := NewLoader(LoaderSettings{Store: s, Journal: j})
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, rejected := l.Written(); rejected != 1 || s.rows != 9 {
		t.Errorf("%d rejected, %d rows", rejected, s.rows)
	}
}

// TestSaved shows what scopes know while spend is here, on its way, and stored, also by another replica.
func TestSaved(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Options{})
	s := newFakeStore()
	var r llm.Registry
	live, _ := r.Get(llm.ScopeKey, "k")
	sc := &llm.Scope{Kind: llm.ScopeKey, ID: "k", Live: live, Budget: llm.Budget{Limited: true, Max: 100}}
	l := NewLoader(LoaderSettings{Store: s, Journal: j, Registry: &r})
	f := func(want float64) {
		t.Helper()
		if got, _ := live.Spent(); got != want {
			t.Errorf("spent %v, want %v", got, want)
		}
	}
	for range 4 {
		live.Charge(sc, time.Now().UnixNano(), 1)
	}
	put(t, j, 4, 1)
	f(4)
	ref := store.Ref{Entity: store.EntityKey, ID: "k"}
	if err := errors.Join(l.RefreshRefs(t.Context(), ref), l.Flush(t.Context()), l.RefreshRefs(t.Context(), ref)); err != nil {
		t.Fatal(err)
	}
	f(4)
	s.keys["k"] += 3 // another replica
	if err := l.RefreshRefs(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	f(7)
	s.keys["k"] = 0 // the period ended
	if err := l.RefreshRefs(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	f(0)
}

// TestPosted shows that rows go to the collecting server, and totals to the store, and that a failure loses neither.
func TestPosted(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	status, got := http.StatusInternalServerError, map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var rows []map[string]any
		if err := json.NewDecoder(r.Body).Decode(&rows); err != nil || r.URL.Path != "/spend/update" {
			t.Error(err, r.URL.Path)
		}
		w.WriteHeader(status)
		if status == http.StatusOK {
			for _, row := range rows {
				got[fmt.Sprint(row["request_id"])]++
			}
		}
	}))
	defer srv.Close()
	j := openJournal(t, t.TempDir(), Options{})
	s := newFakeStore()
	put(t, j, 3, 1)
	l := NewLoader(LoaderSettings{Store: s, Journal: j, URL: srv.URL})
	if l.Flush(t.Context()) == nil {
		t.Error("the server failed and the flush did not")
	}
	mu.Lock()
	status = http.StatusOK
	mu.Unlock()
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := map[string]int{"r0": 1, "r1": 1, "r2": 1}; !maps.Equal(got, want) || s.rows != 0 || s.keys["k"] != 3 {
		t.Errorf("posted %v, %d rows, %v spent", got, s.rows, s.keys["k"])
	}
}

// TestRecover shows that the folder of a process that is gone is written once and given up, also if the process ends only
// later, and that whoever takes the folder next goes on behind it.
func TestRecover(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/journal"
	open := func() *Journal { return openJournal(t, dir, Options{Segment: 4096}) }
	first, second := open(), open()
	put(t, first, 5, 1)
	put(t, second, 40, 1)
	s := newFakeStore()
	l := NewLoader(LoaderSettings{Store: s, Journal: first, Beside: dir})
	recovered := func(rows int) {
		t.Helper()
		for range 2 {
			if err := errors.Join(l.Flush(t.Context()), l.Recover(t.Context())); err != nil {
				t.Fatal(err)
			}
			if s.rows != rows {
				t.Errorf("%d rows, want %d", s.rows, rows)
			}
		}
	}
	recovered(5) // the other still runs
	for range 2 {
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		recovered(s.rows + 40)
		if holdsRecords(second.Dir()) {
			t.Error("the folder still holds records")
		}
		second = open()
		put(t, second, 40, 1)
	}
	recovered(85)
}

// TestIdleRestarts shows that a process that serves no call leaves no file behind for good, whatever was there before.
func TestIdleRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/journal"
	s := newFakeStore()
	run := func(records int) {
		t.Helper()
		j := openJournal(t, dir, Options{Segment: 4096})
		put(t, j, records, 1)
		l := NewLoader(LoaderSettings{Store: s, Journal: j})
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if left, err := segmentNumbers(dir); err != nil || len(left) != 1 {
			t.Errorf("segments %v are left, %v", left, err)
		}
	}
	run(0)
	run(0)
	run(40)
	run(0)
	run(0)
	run(1)
	if s.rows != 41 {
		t.Errorf("%d rows of 41", s.rows)
	}
}
