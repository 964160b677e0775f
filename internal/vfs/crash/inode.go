package crash

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"time"
)

// blockSize is what a disk writes as a whole: a block is found old or new
// after a power cut, never mixed.
const blockSize = 512

// inode is a file or a directory, apart from its names.
type inode struct {
	number int
	perm   fs.FileMode
	mtime  time.Time
	links  int // names
	opens  int // open files

	// A file: data is what programs see, durable what is on the medium.
	// Where they differ in a block that is in dirty, the difference is still
	// on its way; elsewhere it was lost by a failed sync.
	data, durable []byte
	dirty         map[int]bool
	sizeDirty     bool

	// A directory: entries is what programs see, durableEntries is what is
	// on the medium. The difference is in FS.pending.
	entries, durableEntries map[string]*inode
}

// touch marks the blocks of [from, to) as changed.
func (n *inode) touch(from, to int) {
	if n.dirty == nil {
		n.dirty = map[int]bool{}
	}
	for b := from / blockSize; b*blockSize < to; b++ {
		n.dirty[b] = true
	}
}

func (n *inode) write(p []byte, off int) {
	if off+len(p) > len(n.data) {
		n.resize(off + len(p))
	}
	copy(n.data[off:], p)
	n.touch(off, off+len(p))
}

func (n *inode) resize(size int) {
	if size == len(n.data) {
		return
	}
	n.touch(min(size, len(n.data)), max(size, len(n.data)))
	n.sizeDirty = true
	if size < len(n.data) {
		n.data = n.data[:size]
		return
	}
	// append may uncover bytes from before a truncation: not with a copy of
	// zeros.
	n.data = append(n.data, make([]byte, size-len(n.data))...)
}

// sync writes the dirty blocks for which written says so to the medium; all
// are clean afterwards.
func (n *inode) sync(written func() bool) {
	n.durable = n.mixed(written)
	n.dirty, n.sizeDirty = nil, false
}

// mixed is the durable contents with those dirty blocks replaced for which
// written says so. The size is taken over before the blocks.
func (n *inode) mixed(written func() bool) []byte {
	size := len(n.durable)
	if n.sizeDirty && written() {
		size = len(n.data)
	}
	out := make([]byte, size)
	copy(out, n.durable)
	for b := 0; b*blockSize < len(n.data); b++ {
		if !n.dirty[b] || !written() {
			continue
		}
		from, to := b*blockSize, min((b+1)*blockSize, len(n.data))
		if from < size {
			copy(out[from:], n.data[from:min(to, size)])
			clear(out[min(to, size):min((b+1)*blockSize, size)])
		}
	}
	return out
}

// survivor is the contents found after a power cut.
func (n *inode) survivor(rng *rand.Rand) []byte {
	switch rng.IntN(4) {
	case 0:
		return bytes.Clone(n.durable)
	case 1:
		return n.mixed(func() bool { return true })
	default:
		return n.mixed(func() bool { return rng.IntN(2) == 0 })
	}
}
