package spend

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// takeOver opens the journal of a process that is gone, to be read and emptied: nothing can be appended to it.
func takeOver(dir string, o Options) (*Journal, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	lock, err := lockDir(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	j := &Journal{o: o, dir: dir, lock: lock, closed: true}
	if j.source, err = sourceOf(dir); err == nil {
		var numbers []uint32
		if numbers, err = segmentNumbers(dir); err == nil && len(numbers) > 0 {
			j.first = numbers[len(numbers)-1] + 1
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spend journal: %w", err), lock.Close())
	}
	j.now = &segment{number: j.first, at: headSize}
	return j, nil
}

// holdsRecords reports whether a folder has segments that are not empty.
func holdsRecords(dir string) bool {
	numbers, _ := segmentNumbers(dir)
	for _, n := range numbers {
		if info, err := os.Stat(segmentPath(dir, n)); err == nil && info.Size() > 0 {
			return true
		}
	}
	return false
}

// empty deletes what was read of a journal that was taken over. Of the last segment the name stays, so that whoever takes
// the folder next goes on from its number.
func (j *Journal) empty() error {
	last := j.first - 1
	if err := releaseDir(j.dir, last); err != nil {
		return err
	}
	for _, name := range []string{freeName, spareName} {
		if err := os.Remove(filepath.Join(j.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("spend journal: %w", err)
		}
	}
	if err := os.Truncate(segmentPath(j.dir, last), 0); err != nil {
		return fmt.Errorf("spend journal: %w", err)
	}
	return nil
}
