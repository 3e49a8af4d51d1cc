package spend

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

func openJournal(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func readAll(t testing.TB, j *Journal, from int64) (records []string, places []int64) {
	t.Helper()
	if _, err := j.Read(from, func(at int64, record []byte) bool {
		records, places = append(records, string(record)), append(places, at)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return records, places
}

// TestJournal shows that records come back in order, over several segments and from any place on.
func TestJournal(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Options{Segment: 4096})
	var want []string
	var seqs []int64
	for i := range 500 {
		record := fmt.Sprintf("record %d %s", i, bytes.Repeat([]byte{'x'}, i%100))
		at, err := j.Append([]byte(record))
		if err != nil {
			t.Fatal(err)
		}
		want, seqs = append(want, record), append(seqs, at)
	}
	if !slices.IsSorted(seqs) || len(slices.Compact(slices.Clone(seqs))) != len(seqs) {
		t.Error("places do not rise")
	}
	got, places := readAll(t, j, 0)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(seqs, places) {
		t.Error("places read are not those written")
	}
	got, _ = readAll(t, j, seqs[250])
	if !slices.Equal(want[250:], got) {
		t.Errorf("from the middle: %d records", len(got))
	}
	if err := j.Release(seqs[400]); err != nil {
		t.Fatal(err)
	}
	got, _ = readAll(t, j, 0)
	if len(got) < 100 || len(got) > 200 || got[len(got)-1] != want[499] {
		t.Errorf("after release there are %d records", len(got))
	}
}

// TestKilled shows that records are there after the process is gone without a word, and that a new run goes on behind
// them. The lock of the first run is let go as the kernel does for a dead process.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openJournal(t, dir, Options{Segment: 4096, Sync: time.Hour})
	var last int64
	for i := range 100 {
		last, _ = first.Append(fmt.Appendf(nil, "first %d", i))
	}
	if err := first.lock.Close(); err != nil {
		t.Fatal(err)
	}
	second := openJournal(t, dir, Options{Segment: 4096})
	if second.Dir() != dir || second.Source() != first.Source() {
		t.Fatalf("the second run is %s in %s", second.Source(), second.Dir())
	}
	at, err := second.Append([]byte("second"))
	if err != nil || at <= last {
		t.Fatalf("place %d after %d, %v", at, last, err)
	}
	got, _ := readAll(t, second, 0)
	if len(got) != 101 || got[99] != "first 99" || got[100] != "second" {
		t.Errorf("%d records", len(got))
	}
	if second.Own(last) || !second.Own(at) {
		t.Error("a run knows its own records")
	}
}

// TestTwoProcesses shows that two at once have folders of their own.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	a, b := openJournal(t, dir, Options{}), openJournal(t, dir, Options{})
	if a.Dir() != dir || b.Dir() != dir+".2" || a.Source() == b.Source() {
		t.Errorf("%s %s, %s %s", a.Dir(), a.Source(), b.Dir(), b.Source())
	}
}

// TestTorn shows that what comes behind a damaged record is not read, in that segment.
func TestTorn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Options{})
	var places []int64
	for i := range 10 {
		at, _ := j.Append(fmt.Appendf(nil, "record number %d", i))
		places = append(places, at)
	}
	n, at := placeOf(places[5])
	f, err := os.OpenFile(segmentPath(dir, n), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{'!'}, int64(at+frameSize+2)); err != nil {
		t.Fatal(err)
	}
	got, _ := readAll(t, j, 0)
	if len(got) != 5 {
		t.Errorf("%d records before the damage", len(got))
	}
}

// TestSpareIsMadeMeanwhile shows that no record waits for the file of the next segment, that one which finds a segment full
// before it is there does, and that nothing is lost or out of order by it, nor when the journal is closed meanwhile.
func TestSpareIsMadeMeanwhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var block atomic.Bool
	begun, goOn := make(chan struct{}, 8), make(chan struct{})
	j := openJournal(t, dir, Options{Segment: 4096, making: func() {
		if block.Load() {
			begun <- struct{}{}
			<-goOn
		}
	}})
	var want []string
	put := func(n int) {
		t.Helper()
		record := fmt.Sprintf("%d %s", len(want), bytes.Repeat([]byte{'x'}, n))
		if _, err := j.Append([]byte(record)); err != nil {
			t.Fatal(err)
		}
		want = append(want, record)
	}
	block.Store(true)
	put(3000)
	put(3000) // takes the spare file; the next one is not made before goOn
	<-begun
	for range 10 {
		put(50) // all in the segment: would hang if one waited
	}
	if j.Full() || j.CatchUp() {
		t.Error("a file that is being made counts as none")
	}
	waits := make(chan error)
	last := "last " + string(bytes.Repeat([]byte{'y'}, 3000))
	go func() {
		_, err := j.Append([]byte(last))
		waits <- err
	}()
	select {
	case err := <-waits:
		t.Fatalf("a record was written for which there is no place yet: %v", err)
	case goOn <- struct{}{}:
	}
	if err := <-waits; err != nil {
		t.Fatal(err)
	}
	want = append(want, last)
	<-begun // of the segment after it
	closed := make(chan error)
	go func() { closed <- j.Close() }()
	goOn <- struct{}{}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	again := openJournal(t, dir, Options{Segment: 4096})
	got, _ := readAll(t, again, 0)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNoRoom shows that a journal without a spare file is full, still takes what is under way, and recovers.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var block atomic.Bool
	begun, goOn := make(chan struct{}, 8), make(chan struct{})
	j := openJournal(t, dir, Options{Segment: 4096, making: func() {
		if block.Load() {
			begun <- struct{}{}
			<-goOn
		}
	}})
	// A folder in the place of the spare file keeps it from being made, as a full disk would.
	j.mu.Lock()
	_ = j.spare.Close()
	j.spare = nil
	j.mu.Unlock()
	spare := filepath.Join(dir, spareName)
	if err := errors.Join(os.Remove(spare), os.Mkdir(spare, 0o700)); err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	j.awaitSpare()
	j.mu.Unlock()
	if !j.Full() {
		t.Fatal("the journal has no spare file and is not full")
	}
	if _, err := j.Append([]byte("under way")); err != nil {
		t.Error(err)
	}
	if _, err := j.Append(make([]byte, 4060)); err == nil {
		t.Error("a record was written for which there is no room")
	}
	held := bytes.Repeat([]byte("h"), 4060)
	if err := j.Hold(held); err != nil || j.CatchUp() {
		t.Errorf("holding a record: %v", err)
	}
	if err := os.Remove(spare); err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	j.tried = time.Time{}
	j.mu.Unlock()
	block.Store(true)
	j.Retry() // nobody waits while the file is made
	<-begun
	if _, err := j.Append([]byte("meanwhile")); err != nil || !j.Full() {
		t.Errorf("a record for which there is room: %v", err)
	}
	block.Store(false)
	goOn <- struct{}{}
	if _, err := j.Append(make([]byte, 4060)); err != nil || j.Full() {
		t.Errorf("the journal has room: %v", err)
	}
	if got, _ := readAll(t, j, 0); len(got) != 4 || got[1] != "meanwhile" || got[2] != string(held) {
		t.Errorf("%d records", len(got))
	}
	if j.Lost() != 0 {
		t.Errorf("%d lost", j.Lost())
	}
}

// TestNoMemory shows that what is held has a bound, and that what finds no place at all is counted.
func TestNoMemory(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Options{Segment: 4096})
	big := make([]byte, maxRecord)
	for range mostHeld / maxRecord {
		if err := j.Hold(big); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Hold(big); !errors.Is(err, errNoRoom) || j.Lost() != 1 {
		t.Errorf("%v, %d lost", err, j.Lost())
	}
	j.mu.Lock()
	j.held, j.bytes = nil, 0
	j.mu.Unlock()
}

// TestConcurrentAppend shows that no record is lost or mixed up among many writers and a reader.
func TestConcurrentAppend(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Options{Segment: 16 << 10})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				if _, err := j.Append(fmt.Appendf(nil, "%d:%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen, from := map[string]bool{}, int64(0)
	read := func() {
		next, err := j.Read(from, func(_ int64, record []byte) bool {
			if seen[string(record)] {
				t.Errorf("%s twice", record)
			}
			seen[string(record)] = true
			return true
		})
		if err != nil {
			t.Error(err)
		}
		from = next
	}
	for range 20 {
		read()
	}
	wg.Wait()
	read()
	if len(seen) != 4000 {
		t.Errorf("%d records of 4000", len(seen))
	}
}

func TestAppendAllocates(t *testing.T) {
	j := openJournal(t, t.TempDir(), Options{Segment: 64 << 20})
	record := make([]byte, 350)
	if n := testing.AllocsPerRun(1000, func() { _, _ = j.Append(record) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	j := openJournal(b, b.TempDir(), Options{})
	record := make([]byte, 350)
	last := j.first
	for b.Loop() {
		_, _ = j.Append(record)
		if j.now.number > last+4 {
			last = j.now.number
			_ = j.Release(j.End())
		}
	}
}

func entry() store.SpendEntry {
	first := time.Unix(1_700_000_000, 5e6).UTC()
	return store.SpendEntry{
		Log: store.SpendLog{
			RequestID: "r", CallType: "acompletion", APIKey: "h", Spend: 0.25, TotalTokens: 30, PromptTokens: 10, CompletionTokens: 20,
			StartTime: time.Unix(1_700_000_000, 0).UTC(), EndTime: time.Unix(1_700_000_001, 0).UTC(), CompletionStartTime: &first,
			Model: "m", ModelID: "id", ModelGroup: "g", CustomLLMProvider: "openai", APIBase: "http://x", User: "u",
			Metadata: store.JSON(`{"a":1}`), CacheHit: "None", RequestTags: store.JSON(`["t"]`), TeamID: "team", EndUser: "e",
			RequesterIPAddress: "127.0.0.1", Messages: store.JSON(`[]`), Response: store.JSON(`{}`), SessionID: "s", Status: "success",
		},
		Tags: []string{"t"}, Endpoint: "/v1/chat/completions", CacheReadTokens: 3, CacheWriteTokens: 4, NoLog: true, NoTotals: true,
		Counters: []store.CounterAdd{{Name: "provider:openai", Window: first, Amount: 0.25}, {Name: "x", Amount: 1}},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	want := entry()
	var got store.SpendEntry
	if err := decodeEntry(appendEntry(&want), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzDecode shows that no bytes make the reader of records panic, and that what it reads it writes again.
func FuzzDecode(f *testing.F) {
	e := entry()
	f.Add(appendEntry(&e))
	var short encoder
	rest(&short, exchange(f), &llm.Reply{}, llm.AsError(errors.New("x")), &llm.Usage{})
	e.Log.Metadata, e.Log.RequestTags, e.NoLog = short.b, nil, false
	f.Add(appendEntry(&e))
	f.Add([]byte{recordVersion})
	f.Fuzz(func(t *testing.T, record []byte) {
		var e, again store.SpendEntry
		if decodeEntry(record, &e) != nil {
			return
		}
		if err := decodeEntry(appendEntry(&e), &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzSegment shows that no file makes the reader of a journal panic or go round in circles.
func FuzzSegment(f *testing.F) {
	b := make([]byte, 256)
	putHead(b, 7)
	putRecord(b, 7, headSize, []byte("hello"))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 7), b, 0o600); err != nil {
			t.Fatal(err)
		}
		last := int64(-1)
		next, err := readDir(dir, 0, 0, func(at int64, record []byte) bool {
			if at <= last || len(record) == 0 {
				t.Fatalf("place %d after %d, %d bytes", at, last, len(record))
			}
			last = at
			return true
		})
		if err != nil || next <= last && last >= 0 {
			t.Fatalf("next %d after %d, %v", next, last, err)
		}
	})
}

// appendEntry writes an entry as the record that decodes to it.
func appendEntry(s *store.SpendEntry) []byte {
	var e encoder
	l := &s.Log
	flags := uint64(0)
	if s.NoLog {
		flags |= flagNoLog
	}
	if s.NoTotals {
		flags |= flagNoTotals
	}
	first := int64(0)
	if l.CompletionStartTime != nil {
		flags |= flagCompletion
		first = l.CompletionStartTime.UnixNano()
	}
	e.head(flags, l.Spend, [8]int64{
		l.TotalTokens, l.PromptTokens, l.CompletionTokens, s.CacheReadTokens, s.CacheWriteTokens,
		l.StartTime.UnixNano(), l.EndTime.UnixNano(), first,
	})
	for _, t := range texts(l, s) {
		e.text(*t)
	}
	for _, j := range [...]store.JSON{l.Metadata, l.RequestTags, l.Messages, l.Response, l.ProxyServerRequest} {
		e.bytes(j)
	}
	e.uint(uint64(len(s.Tags)))
	for _, t := range s.Tags {
		e.text(t)
	}
	e.uint(uint64(len(s.Counters)))
	for _, c := range s.Counters {
		e.counter(c.Name, c.Window, c.Amount)
	}
	return e.b
}
