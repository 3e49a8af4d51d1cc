package app

import (
	"bufio"
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// giveBack unmaps the pages of the program's own file, which are read from it again when they are needed. Start runs the
// initializers of hundreds of packages once; with the pages around them, which the kernel maps along, they make two
// thirds of the resident memory of an idle gateway. It costs a few hundred minor faults, once.
func giveBack() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// address perms offset dev inode pathname, see proc_pid_maps(5)
		f := bytes.Fields(lines.Bytes())
		if len(f) != 6 || string(f[5]) != exe || bytes.IndexByte(f[1], 'w') >= 0 {
			continue
		}
		first, last, _ := bytes.Cut(f[0], []byte("-"))
		from, err1 := strconv.ParseUint(string(first), 16, 64)
		to, err2 := strconv.ParseUint(string(last), 16, 64)
		if err1 != nil || err2 != nil || to <= from {
			continue
		}
		// A page that was never written to is the file's own content; a failure leaves it as it is.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
	}
}
