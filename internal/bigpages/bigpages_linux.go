package bigpages

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// What madvise(2) is asked for: that pages which come be large, and that those
// which are there be made so now (Linux 6.1).
const (
	hugePage = 14
	collapse = 25
)

// look moves what has come since the last time.
func (m *mover) look() {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer f.Close()
	for _, a := range areas(f) {
		if advise(a.from, a.to-a.from, hugePage) != nil {
			return // this kernel has none
		}
		for at := range a.pages {
			// What nobody has written to yet cannot be moved, and need not be.
			if !m.moved[at] && advise(at, size, collapse) == nil {
				m.moved[at] = true
			}
		}
	}
}

func advise(at, n uintptr, what int) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, at, n, uintptr(what)); errno != 0 {
		return errno
	}
	return nil
}

// areas reads from a list of mappings those that can be a heap: private, to be
// read and written, no file's, and large.
func areas(maps io.Reader) (all []area) {
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 || fields[1] != "rw-p" || fields[4] != "0" || len(fields) > 5 && !strings.HasPrefix(fields[5], "[anon") {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		lo, errLo := strconv.ParseUint(from, 16, strconv.IntSize)
		hi, errHi := strconv.ParseUint(to, 16, strconv.IntSize)
		if errLo == nil && errHi == nil && hi >= lo+least {
			all = append(all, area{uintptr(lo), uintptr(hi)})
		}
	}
	return all
}
