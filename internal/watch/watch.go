// Package watch tells when a file that is read again on change has to be read
// again. Nothing runs in the background: whoever uses what the file says asks
// first whether a look is due, and then whether the file looks different. A
// file that nobody needs costs nothing, and a busy one a stat a second.
//
// Dirs is for those who cannot ask because they wait: directories into which
// other programs put mail.
package watch

import (
	"io/fs"
	"sync/atomic"
	"syscall"
	"time"
)

// Interval is how often a file is looked at while it is used.
const Interval = time.Second

// Stamp tells one state of a file from another without reading it. The zero
// Stamp is that of no file.
type Stamp struct {
	modified time.Time
	changed  syscall.Timespec // of the inode: also moves when mtime is set back
	inode    uint64
	size     int64
}

// StampOf is the stamp of a file as it was described.
func StampOf(info fs.FileInfo) Stamp {
	s := Stamp{modified: info.ModTime(), size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.changed, s.inode = st.Ctim, st.Ino
	}
	return s
}

// Sum tells stamps apart in 64 bits, for those who keep one in a file. It is
// never 0.
func (s Stamp) Sum() uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, v := range [...]uint64{uint64(s.modified.UnixNano()), uint64(s.changed.Sec), uint64(s.changed.Nsec), s.inode, uint64(s.size)} {
		for range 8 {
			h = (h ^ v&0xff) * 0x100000001b3
			v >>= 8
		}
	}
	return h | 1
}

// Modified is when the contents were last written.
func (s Stamp) Modified() time.Time { return s.modified }

// Pace says when to look. Its zero value is due at once. It may be used by
// any number of goroutines.
type Pace struct{ last atomic.Int64 } // Unix nanoseconds

// Due reports, to one caller in each Interval, that a look is due. A clock
// that was set back counts as well.
func (p *Pace) Due(now time.Time) bool {
	was, is := p.last.Load(), now.UnixNano()
	if d := time.Duration(is - was); d >= 0 && d < Interval {
		return false
	}
	return p.last.CompareAndSwap(was, is)
}
