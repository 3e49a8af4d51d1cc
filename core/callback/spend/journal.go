// Package spend records what every call cost. A Journal keeps the records on the local disk from the moment that an
// exchange ends; a Loader carries them into the store in batches, each record exactly once, whatever stops in between: the
// process, the database, or the room on the disk.
package spend

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errLocked = errors.New("spend journal: another process uses the folder")
	errClosed = errors.New("spend journal: closed")
	errNoRoom = errors.New("spend journal: no room on the disk")
)

// Options of a journal. Zero values take the defaults.
type Options struct {
	Segment int           // bytes of a file; default 4 MiB
	Sync    time.Duration // what is written is on the disk after this time; default 200 ms
	Logger  *slog.Logger  // default discards

	making func() // of tests: called when a file is to be made
}

const (
	defaultSegment = 4 << 20
	defaultSync    = 200 * time.Millisecond
	retryAfter     = time.Second // between two tries to find room on the disk
	mostHeld       = 64 << 20    // bytes of records that wait in memory for room
)

// Journal is an append-only log of records in a folder. It is safe for concurrent use.
//
// There is always a spare file next to the one that is written to. When there is no room for another one the journal is
// Full: no call may begin whose record might find no place, while those under way still have the rest of the file, and
// then memory.
type Journal struct {
	o      Options
	dir    string
	source string
	first  uint32 // the first segment of this run
	lock   *os.File

	full  atomic.Bool
	dirty atomic.Bool
	wake  chan struct{} // something is to be brought to the disk
	done  chan struct{}
	stop  chan struct{}

	closing sync.WaitGroup // segments that are brought to the disk, and the file that is made

	mu     sync.Mutex
	now    *segment
	spare  *os.File
	making bool       // a spare file is made, without the lock
	made   *sync.Cond // it is made, or there is no room for it
	closed bool
	lost   int64
	tried  time.Time // when room was last looked for
	held   [][]byte  // records that wait for room
	bytes  int       // of held
}

// Open takes a folder for the process and starts a journal in it. The folder keeps what earlier runs left. If another
// process has the folder, the next one of "dir.2", "dir.3" and so on is taken.
func Open(dir string, o Options) (*Journal, error) {
	const most = 256
	for n := 1; n <= most; n++ {
		path := dir
		if n > 1 {
			path = fmt.Sprintf("%s.%d", dir, n)
		}
		j, err := open(path, o)
		if errors.Is(err, errLocked) {
			continue
		}
		return j, err
	}
	return nil, fmt.Errorf("%w: %s and %d more like it", errLocked, dir, most-1)
}

func open(dir string, o Options) (*Journal, error) {
	if o.Segment <= 0 {
		o.Segment = defaultSegment
	}
	if o.Sync <= 0 {
		o.Sync = defaultSync
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spend journal: %w", err)
	}
	lock, err := lockDir(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	j := &Journal{o: o, dir: dir, lock: lock, wake: make(chan struct{}, 1), done: make(chan struct{}), stop: make(chan struct{})}
	j.made = sync.NewCond(&j.mu)
	if err := j.start(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("spend journal: %w", err)
	}
	go j.run()
	return j, nil
}

func (j *Journal) start() (err error) {
	if j.source, err = sourceOf(j.dir); err != nil {
		return err
	}
	numbers, err := segmentNumbers(j.dir)
	if err != nil {
		return err
	}
	// Numbers must rise even if somebody deleted all files, so they follow the clock.
	next := uint32(max(time.Now().Unix()-1_600_000_000, 1))
	if n := len(numbers); n > 0 && numbers[n-1] >= next {
		next = numbers[n-1] + 1
	}
	j.first = next
	f, err := allocate(segmentPath(j.dir, next), j.o.Segment)
	if err != nil {
		return err
	}
	if j.now, err = openSegment(f, next, j.o.Segment); err != nil {
		f.Close()
		return err
	}
	j.mu.Lock()
	j.awaitSpare()
	j.mu.Unlock()
	return nil
}

// sourceOf is the name of the folder's journal, made once.
func sourceOf(dir string) (string, error) {
	path := filepath.Join(dir, "source")
	b, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(b)); err == nil && len(name) == 32 {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	name := hex.EncodeToString(id[:])
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(name+"\n"), 0o600); err != nil {
		return "", err
	}
	return name, os.Rename(tmp, path)
}

// Source is the name of the journal for good.
func (j *Journal) Source() string { return j.source }

// Dir is the folder.
func (j *Journal) Dir() string { return j.dir }

// Full reports whether there is no room on the disk for what further calls would have recorded.
func (j *Journal) Full() bool { return j.full.Load() }

// Lost is how many records found no place, nor one in memory.
func (j *Journal) Lost() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lost
}

// Append writes a record and returns its place. Once it returned without an error, the record outlives the process. On
// Linux that costs a copy and a checksum; the record is not kept. The next file is made meanwhile: only who fills a whole
// segment before it is there waits for it.
func (j *Journal) Append(record []byte) (int64, error) {
	if len(record) == 0 || len(record) > maxRecord || len(record) > j.o.Segment-headSize-frameSize {
		return 0, fmt.Errorf("spend journal: a record of %d bytes cannot be written", len(record))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, errClosed
	}
	for j.now.at+frameSize+len(record) > j.now.size() {
		if err := j.turn(); err != nil {
			return 0, err
		}
	}
	if j.full.Load() && time.Since(j.tried) >= retryAfter {
		j.prepare()
	}
	return j.put(record)
}

// put writes a record for which the segment has room.
func (j *Journal) put(record []byte) (int64, error) {
	at := j.now.at
	if err := j.now.append(record); err != nil {
		return 0, fmt.Errorf("spend journal: %w", err)
	}
	j.now.at = at + frameSize + len(record)
	if !j.dirty.Swap(true) {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return seq(j.now.number, at), nil
}

// Hold keeps a record for which Append found no room in memory, until there is room: of calls that were under way when
// the disk became full. It ends with the process. The record is copied. An error says that even this found no place, and
// the record is lost.
func (j *Journal) Hold(record []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || j.bytes+len(record) > mostHeld {
		j.lost++
		return fmt.Errorf("%w, and %d MiB of records wait for it already", errNoRoom, mostHeld>>20)
	}
	j.held = append(j.held, slices.Clone(record))
	j.bytes += len(record)
	return nil
}

// CatchUp writes what was held, as far as there is room now, and reports whether it wrote anything.
func (j *Journal) CatchUp() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || len(j.held) == 0 {
		return false
	}
	held := len(j.held)
	j.awaitSpare() // whoever makes it catches up
	return j.catchUp() || len(j.held) < held
}

func (j *Journal) catchUp() (wrote bool) {
	for len(j.held) > 0 {
		record := j.held[0]
		if j.now.at+frameSize+len(record) > j.now.size() {
			if j.turn() != nil {
				return wrote
			}
			continue
		}
		if _, err := j.put(record); err != nil {
			return wrote
		}
		j.held, j.bytes, wrote = j.held[1:], j.bytes-len(record), true
	}
	j.held = nil
	return wrote
}

// turn begins the next segment with the spare file. Where it had to wait for that, another may have begun it, or the
// journal is closed.
func (j *Journal) turn() error {
	full := j.now
	j.awaitSpare()
	if j.closed {
		return errClosed
	}
	if j.now != full {
		return nil
	}
	if j.spare == nil {
		return errNoRoom
	}
	number := j.now.number + 1
	if err := os.Rename(filepath.Join(j.dir, spareName), segmentPath(j.dir, number)); err != nil {
		return fmt.Errorf("spend journal: %w", err)
	}
	f := j.spare
	j.spare = nil
	next, err := openSegment(f, number, j.o.Segment)
	if err != nil {
		f.Close()
		return fmt.Errorf("spend journal: %w", err)
	}
	old := j.now
	j.now = next
	j.closing.Go(func() {
		// Not under the lock: callers must not wait for the disk.
		if err := old.close(); err != nil {
			j.o.Logger.Error("the spend journal could not be brought to the disk", "error", err)
		}
	})
	j.prepare()
	return nil
}

// prepare makes the spare file if there is none, without the lock: callers must not wait for blocks that are allocated.
func (j *Journal) prepare() {
	if j.spare != nil || j.making || j.closed {
		return
	}
	j.making, j.tried = true, time.Now()
	j.closing.Go(func() {
		f, err := j.makeSpare()
		j.mu.Lock()
		defer j.mu.Unlock()
		j.making = false
		j.take(f, err)
		j.made.Broadcast()
		if err == nil && !j.closed {
			j.catchUp()
		}
	})
}

// awaitSpare waits until there is a spare file, or no room for one. The lock is free meanwhile: records for which the segment
// has room are written.
func (j *Journal) awaitSpare() {
	j.prepare()
	for j.making {
		j.made.Wait()
	}
}

func (j *Journal) makeSpare() (*os.File, error) {
	if j.o.making != nil {
		j.o.making()
	}
	// A segment that is written to the store serves again: its blocks are there. If there is none, that is no error.
	_ = os.Rename(filepath.Join(j.dir, freeName), filepath.Join(j.dir, spareName))
	return allocate(filepath.Join(j.dir, spareName), j.o.Segment)
}

// take keeps a spare file, or that there is no room for one.
func (j *Journal) take(f *os.File, err error) {
	if err != nil {
		if !j.full.Swap(true) {
			j.o.Logger.Error("the spend journal has no room left: calls are refused until it has", "error", err, "folder", j.dir)
		}
		return
	}
	j.spare = f
	if j.full.Swap(false) {
		j.o.Logger.Info("the spend journal has room again", "folder", j.dir)
	}
}

// Retry looks for room if there was none, so that calls can be let in again. It costs nothing otherwise.
func (j *Journal) Retry() {
	if !j.full.Load() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if time.Since(j.tried) >= retryAfter {
		j.prepare()
	}
}

// run brings to the disk what was written, once for all that came in the time of Options.Sync.
func (j *Journal) run() {
	defer close(j.done)
	for {
		select {
		case <-j.wake:
		case <-j.stop:
			return
		}
		select {
		case <-time.After(j.o.Sync):
		case <-j.stop:
			return
		}
		j.dirty.Store(false)
		j.mu.Lock()
		f := j.now.file
		j.mu.Unlock()
		// Without the lock: it may take milliseconds. A segment that is left meanwhile is synced when it is closed.
		if err := syncData(f); err != nil && !errors.Is(err, os.ErrClosed) {
			j.o.Logger.Error("the spend journal could not be brought to the disk", "error", err)
		}
	}
}

// End is the place behind the last record.
func (j *Journal) End() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return seq(j.now.number, j.now.at)
}

// Close brings everything to the disk and gives the folder back. Records appended later are refused.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	for j.making {
		j.made.Wait()
	}
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.catchUp() // the lock may have been free
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	if len(j.held) > 0 {
		j.lost += int64(len(j.held))
		j.o.Logger.Error("the spend journal found no room for the last records: they are lost", "records", len(j.held), "folder", j.dir)
	}
	j.closed = true
	j.mu.Unlock()
	close(j.stop)
	<-j.done
	j.closing.Wait()
	err := j.now.close()
	if j.spare != nil {
		err = errors.Join(err, j.spare.Close())
	}
	return errors.Join(err, unlockDir(j.lock))
}
