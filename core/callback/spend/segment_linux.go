package spend

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// segment is the file that records are written to. Its pages are shared with the kernel: what is copied into them is in
// the file, whatever becomes of the process, without a system call. Its blocks are allocated before, so that a full disk
// is found out then.
type segment struct {
	number uint32
	file   *os.File
	b      []byte
	at     int // where the next record goes
}

// allocate makes a file of a size whose blocks exist.
func allocate(path string, size int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Size() == int64(size) {
		return f, nil // one that was written before
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, int64(size))
	if err == nil || errors.Is(err, unix.EOPNOTSUPP) {
		// Blocks that were never written cost a change of the file system's own records with each first write.
		err = writeZeros(f, size)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return nil, &os.PathError{Op: "allocate", Path: path, Err: err}
	}
	return f, nil
}

// openSegment maps the file and writes its head.
func openSegment(f *os.File, number uint32, size int) (*segment, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "map", Path: f.Name(), Err: err}
	}
	clear(b[:headSize+frameSize])
	putHead(b, number)
	return &segment{number: number, file: f, b: b, at: headSize}, nil
}

func (s *segment) append(record []byte) error {
	if end := s.at + frameSize + len(record); end+frameSize <= len(s.b) {
		clear(s.b[end : end+frameSize]) // what may follow from an earlier life
	}
	putRecord(s.b, s.number, s.at, record)
	return nil
}

func (s *segment) size() int { return len(s.b) }

// sync brings what was written to the disk.
func (s *segment) sync() error { return syncData(s.file) }

// syncData brings a file's bytes to the disk, and of what describes it only what is needed to read them. A file that is
// closed meanwhile is an error.
func syncData(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = c.Control(func(fd uintptr) { failure = unix.Fdatasync(int(fd)) })
	return errors.Join(err, failure)
}

func (s *segment) close() error {
	return errors.Join(s.sync(), unix.Munmap(s.b), s.file.Close())
}

// lockDir takes a folder for this process. The lock ends with the process.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, errLocked
	}
	return f, nil
}

func unlockDir(f *os.File) error { return f.Close() }
