// Package crash is a file system in memory that forgets, as a disk does when
// the power fails. It exists for tests.
//
// For every file it keeps what programs see apart from what is on the medium,
// in blocks of 512 bytes; for every directory it keeps the changes of names
// that no sync has covered yet. Crash makes the file system that would be
// found after a power cut: whatever was not synced is kept, lost or torn, as
// the seed decides.
//
// What it promises is what POSIX promises and not what a certain file system
// happens to do. So a synced file can be lost when the directory was not
// synced after it got its name; names can come and go independently of each
// other; a rename is atomic but not ordered with anything else. A sync that
// fails forgets dirty blocks as Linux does: programs go on seeing the new
// contents, the medium never gets them, and a later sync succeeds all the
// same.
//
// Operations can be made to fail or to block (SetFault), to be the last ones
// before the power cut (CutAfter), and to run out of space (SetCapacity).
package crash

import (
	"math"
	"math/rand/v2"
	"sync"
	"syscall"

	"barid/internal/vfs"
)

// Op is one operation, as it is shown to a fault function.
type Op struct {
	// Kind is the name of the FS or File method. MkdirAll shows as its Mkdir
	// and SyncDir.
	Kind string
	// Name is the file that it is about; the new name if there are two.
	Name string
	// Call is the number of the operation, reads included, from 1.
	Call int
	// Changes says that the operation changes the file system, or what would
	// be left of it after a power cut.
	Changes bool
}

// FS is a file system that can be cut off. All methods may be called
// concurrently.
type FS struct {
	mu       sync.Mutex
	rng      *rand.Rand
	root     *inode
	pending  []nameChange
	dirty    map[*inode]bool
	locks    map[string]bool
	capacity Capacity
	used     Capacity

	fault   func(Op) error
	calls   int
	past    int // operations before the last crash
	changes int
	cutAt   int // changes after this many fail; < 0: never
}

// Capacity is the size of the medium.
type Capacity struct{ Bytes, Files int64 }

var _ vfs.FS = (*FS)(nil)

// New makes an empty file system. All its decisions follow from seed and from
// the order of operations.
func New(seed uint64) *FS {
	fsys := &FS{
		rng:      rand.New(rand.NewPCG(seed, 0x626172696463)),
		dirty:    map[*inode]bool{},
		locks:    map[string]bool{},
		capacity: Capacity{Bytes: math.MaxInt64, Files: math.MaxInt64},
		cutAt:    -1,
	}
	fsys.root = &inode{entries: map[string]*inode{}, durableEntries: map[string]*inode{}, links: 1}
	return fsys
}

// SetFault makes every operation ask fault first; nil asks no more. When fault
// returns an error the operation fails with it: a write has then written a
// random part, and a sync has lost a random part of what was dirty. The
// function is called without any lock held and may block.
func (fsys *FS) SetFault(fault func(Op) error) {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	fsys.fault = fault
}

// Nth is a fault function: calls number first to first+count-1 fail with err.
func Nth(first, count int, err error) func(Op) error {
	return func(op Op) error {
		if op.Call >= first && op.Call < first+count {
			return err
		}
		return nil
	}
}

// Calls is how many operations were asked for so far, reads included.
func (fsys *FS) Calls() int {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	return fsys.calls
}

// Changes is how many operations so far changed something (see Op).
func (fsys *FS) Changes() int {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	return fsys.changes
}

// CutAfter lets the file system stand still once it has seen n changes in
// all: every later change fails with EIO, as if the power had gone. Crash then
// says what the next boot finds.
func (fsys *FS) CutAfter(n int) {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	fsys.cutAt = n
}

// SetCapacity sets the size of the medium; what is stored already stays.
func (fsys *FS) SetCapacity(c Capacity) {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	fsys.capacity = c
}

// Used is how much of the capacity is taken.
func (fsys *FS) Used() Capacity {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	return fsys.used
}

// begin counts an operation and asks the fault function. On return the lock is
// held. With an error the operation must not take place, but for the partial
// effects that SetFault tells of, which cut forbids.
func (fsys *FS) begin(kind, name string, changes bool) (cut bool, err error) {
	fsys.mu.Lock()
	fsys.calls++
	op := Op{Kind: kind, Name: name, Call: fsys.calls, Changes: changes}
	if fault := fsys.fault; fault != nil {
		fsys.mu.Unlock()
		err = fault(op)
		fsys.mu.Lock()
	}
	if !changes {
		return false, err
	}
	if fsys.cutAt >= 0 && fsys.changes >= fsys.cutAt {
		return true, syscall.EIO
	}
	fsys.changes++
	return false, err
}

// Crash makes the file system as it would be found if the power failed now.
// The old one stays as it is; more than one crash can be had from it, each
// with other losses.
func (fsys *FS) Crash() *FS {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	after := New(fsys.rng.Uint64())
	after.capacity = fsys.capacity
	after.past = fsys.past + fsys.calls
	names := fsys.survivingNames()
	copies := map[*inode]*inode{fsys.root: after.root}
	fsys.survive(after, fsys.root, names, copies)
	return after
}

// survive copies what is left of the directory old.
func (fsys *FS) survive(after *FS, old *inode, names map[*inode]map[string]*inode, copies map[*inode]*inode) {
	dir := copies[old]
	for _, name := range sortedNames(names[old]) {
		child := names[old][name]
		if known := copies[child]; known != nil {
			known.links++
			dir.entries[name], dir.durableEntries[name] = known, known
			continue
		}
		fresh := &inode{number: child.number, perm: child.perm, mtime: child.mtime, links: 1}
		copies[child] = fresh
		dir.entries[name], dir.durableEntries[name] = fresh, fresh
		after.used.Files++
		if child.entries != nil {
			fresh.entries, fresh.durableEntries = map[string]*inode{}, map[string]*inode{}
			if fsys.unsettled(child) {
				fresh.mtime = after.now() // whatever names it has now, it had no such time with them
			}
			fsys.survive(after, child, names, copies)
			continue
		}
		fresh.data = child.survivor(fsys.rng)
		fresh.durable = append([]byte(nil), fresh.data...)
		after.used.Bytes += int64(len(fresh.data))
	}
}
