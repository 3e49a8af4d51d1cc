package spend

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A segment is a file of a fixed size: a head, then records one after another. A record is its length, a checksum and its
// bytes; the checksum also covers the segment's number and the record's place, so that what a file held in an earlier
// life is no record of this one. The first place without a valid record is the end.
const (
	segmentMagic = "SPJRNL1\n"
	headSize     = 16 // magic and number
	frameSize    = 8  // length and checksum
	suffix       = ".journal"
	spareName    = "spare"
	freeName     = "free"
)

// maxRecord bounds one record. Texts of requests and answers are cut before they get that long.
const maxRecord = 1 << 20

func checksum(number uint32, at int, record []byte) uint32 {
	// The place is where the sum begins, so that it needs no bytes of its own.
	return crc32.Update(number*0x9e3779b1^uint32(at), crc32.MakeTable(crc32.Castagnoli), record)
}

func putHead(b []byte, number uint32) {
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint64(b[len(segmentMagic):], uint64(number))
}

// putRecord writes a record at a place that has room for it. The length comes last: until then there is no record.
func putRecord(b []byte, number uint32, at int, record []byte) {
	copy(b[at+frameSize:], record)
	binary.LittleEndian.PutUint32(b[at+4:], checksum(number, at, record))
	binary.LittleEndian.PutUint32(b[at:], uint32(len(record)))
}

// firstRecord reads the record that b begins with, which lies at a place of the segment. size is what it takes; 0 says that
// the segment ends. record borrows b.
func firstRecord(b []byte, number uint32, at int) (record []byte, size int) {
	if len(b) < frameSize {
		return nil, 0
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n == 0 || n > maxRecord || n > len(b)-frameSize {
		return nil, 0
	}
	record = b[frameSize : frameSize+n]
	if binary.LittleEndian.Uint32(b[4:]) != checksum(number, at, record) {
		return nil, 0
	}
	return record, frameSize + n
}

// validHead reports whether b begins with the head of the segment.
func validHead(b []byte, number uint32) bool {
	return len(b) >= headSize && string(b[:len(segmentMagic)]) == segmentMagic &&
		binary.LittleEndian.Uint64(b[len(segmentMagic):]) == uint64(number)
}

func segmentPath(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%010d", number)+suffix)
}

// segmentNumbers lists the segments in a folder, ascending.
func segmentNumbers(dir string) ([]uint32, error) {
	entries, err := os.ReadDir(dir) // sorted by name, and names have as many digits
	if err != nil {
		return nil, err
	}
	var out []uint32
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		if n, err := strconv.ParseUint(digits, 10, 31); ok && err == nil {
			out = append(out, uint32(n))
		}
	}
	return out, nil
}

// seq is the place of a record for good: it rises with each record of a journal.
func seq(number uint32, at int) int64 { return int64(number)<<32 | int64(at) }

func placeOf(seq int64) (number uint32, at int) { return uint32(seq >> 32), int(uint32(seq)) }

// writeZeros allocates the blocks of a file where the file system has no call for it.
func writeZeros(f *os.File, size int) error {
	block := make([]byte, 64<<10)
	for at := 0; at < size; at += len(block) {
		if _, err := f.WriteAt(block[:min(len(block), size-at)], int64(at)); err != nil {
			return err
		}
	}
	return nil
}
