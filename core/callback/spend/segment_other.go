//go:build !linux

package spend

import (
	"encoding/binary"
	"errors"
	"os"
)

// segment is the file that records are written to, each with one system call, so that it is in the file whatever becomes
// of the process.
type segment struct {
	number uint32
	file   *os.File
	length int
	buf    []byte
	at     int // where the next record goes
}

func allocate(path string, size int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := writeZeros(f, size); err != nil {
		f.Close()
		os.Remove(path)
		return nil, err
	}
	return f, nil
}

func openSegment(f *os.File, number uint32, size int) (*segment, error) {
	head := make([]byte, headSize+frameSize)
	putHead(head, number)
	if _, err := f.WriteAt(head, 0); err != nil {
		return nil, err
	}
	return &segment{number: number, file: f, length: size, at: headSize}, nil
}

func (s *segment) append(record []byte) error {
	need := frameSize + len(record)
	s.buf = append(s.buf[:0], make([]byte, need)...)
	copy(s.buf[frameSize:], record)
	binary.LittleEndian.PutUint32(s.buf[4:], checksum(s.number, s.at, record))
	binary.LittleEndian.PutUint32(s.buf, uint32(len(record)))
	if s.at+need+frameSize <= s.length {
		s.buf = append(s.buf, make([]byte, frameSize)...) // an empty frame ends the segment
	}
	_, err := s.file.WriteAt(s.buf, int64(s.at))
	return err
}

func (s *segment) size() int    { return s.length }
func (s *segment) sync() error  { return syncData(s.file) }
func (s *segment) close() error { return errors.Join(s.sync(), s.file.Close()) }

func syncData(f *os.File) error { return f.Sync() }

func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, errLocked
	}
	return f, err
}

func unlockDir(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
