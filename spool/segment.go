package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"barid/internal/vfs"
)

const (
	segmentPrefix = "seg-"
	sparePrefix   = "spare-"
	rawPrefix     = "raw-" // a spare that is being made
)

// segment is one file of the log.
type segment struct {
	seq  uint64
	file vfs.File

	// Under Spool.mu:
	end       int64 // behind the last durable record
	live      int   // messages whose record is here
	liveBytes int64 // of these records
	pins      int   // readers that need the file
	suspect   bool  // damaged, or a write or sync of it failed: never recycled
	gone      bool  // has lost its name; the directory must still be synced
	recycled  bool  // it is a spare now
	noIndex   bool  // it cannot have one
	index     indexPlace
}

// spare is a file that can become the next segment.
type spare struct {
	name string
	file vfs.File
}

func (s *Spool) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Spool) segmentPath(seq uint64) string {
	return s.path(fmt.Sprintf("%s%016x", segmentPrefix, seq))
}

func parseSegmentName(name, prefix string) (seq uint64, ok bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 16, 64)
	return seq, err == nil
}

// takeSequence gives out the next sequence number; none is given out twice.
func (s *Spool) takeSequence() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence++
	return s.sequence
}

// newSegment makes the file of the next segment, of a spare if there is one.
// When it returns nil the name is durable, and nothing has ever been written
// to the file under its sequence number.
func (s *Spool) newSegment() (*segment, error) {
	seg := &segment{seq: s.takeSequence()}
	name := s.segmentPath(seg.seq)
	var err error
	if sp := s.takeSpare(); sp != nil {
		seg.file = sp.file
		err = s.fs.Rename(sp.name, name)
	} else {
		seg.file, err = s.allocated(name)
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err == nil {
		return seg, nil
	}
	if seg.file != nil {
		s.discard(seg.file, name)
	}
	return nil, err
}

// allocated makes a file of the size of a segment, with its space reserved.
func (s *Spool) allocated(name string) (vfs.File, error) {
	file, err := s.fs.Create(name, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Allocate(s.segmentSize); err != nil {
		s.discard(file, name)
		return nil, err
	}
	return file, nil
}

// discard gives up a file that came to nothing. Should it stay, the next start
// removes it: no open record names it.
func (s *Spool) discard(file vfs.File, name string) {
	err := errors.Join(file.Close(), s.fs.Remove(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("spool: a file is left over", "file", name, "err", err)
	}
}

func (s *Spool) takeSpare() *spare {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spares) == 0 {
		return nil
	}
	sp := s.spares[len(s.spares)-1]
	s.spares = s.spares[:len(s.spares)-1]
	return sp
}

// segmentBySequence finds a segment of the log; nil if it has been freed.
// Under s.mu.
func (s *Spool) segmentBySequence(seq uint64) *segment {
	low, high := 0, len(s.segments)
	for low < high {
		middle := (low + high) / 2
		if s.segments[middle].seq < seq {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(s.segments) && s.segments[low].seq == seq {
		return s.segments[low]
	}
	return nil
}

// segmentCount is how many segments an open record would tell of at most.
func (s *Spool) segmentCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.segments)
}

// The head of an open record: the last id given out, how many messages there are,
// then of each older segment the number, the end, and in which segment and where
// its index lies.
const (
	manifestFixed = 16
	manifestEach  = 24
)

// appendManifest appends the head of an open record. Under s.mu.
func (s *Spool) appendManifest(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, s.lastID.Load())
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(s.messages)))
	for _, seg := range s.segments {
		dst = binary.LittleEndian.AppendUint64(dst, seg.seq)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(seg.end))
		dst = binary.LittleEndian.AppendUint64(dst, seg.index.seq)
		dst = binary.LittleEndian.AppendUint32(dst, seg.index.offset)
	}
	return dst
}

// manifest is what an open record tells.
type manifest struct {
	lastID   ID
	messages uint64
	older    map[uint64]segmentPlace
}

// segmentPlace is what it tells about an older segment.
type segmentPlace struct {
	end   int64
	index indexPlace
}

func parseManifest(head []byte) (manifest, error) {
	if len(head) < manifestFixed || (len(head)-manifestFixed)%manifestEach != 0 {
		return manifest{}, errBadRecord
	}
	le := binary.LittleEndian
	m := manifest{lastID: ID(le.Uint64(head)), messages: le.Uint64(head[8:]), older: map[uint64]segmentPlace{}}
	for p := head[manifestFixed:]; len(p) > 0; p = p[manifestEach:] {
		m.older[le.Uint64(p)] = segmentPlace{
			end:   int64(le.Uint32(p[8:])),
			index: indexPlace{seq: le.Uint64(p[12:]), offset: le.Uint32(p[20:])},
		}
	}
	return m, nil
}

// isFull says that an error means that there is no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, ErrFull)
}
