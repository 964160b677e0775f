package spool

import (
	"bytes"
	"hash/crc32"
	"io"
	"time"

	"barid/internal/vfs"
)

// Job is a message on its way through an agent. It and all slices in it are
// valid until Deliver returns.
type Job struct {
	ID      ID
	Attempt int       // 1 at the first, of the recipient that was tried most often
	Arrived time.Time // to the microsecond
	Expires time.Time // when the last attempt is over
	Size    int64     // of the body in bytes
	// Health is for the agent to say what it learned of the destination, and
	// HealthText why.
	Health     Health
	HealthText string
	// Envelope is what was said about the message. Its Recipients are all
	// that the message ever had.
	Envelope Envelope
	// Recipients are those to deliver to now.
	Recipients []JobRecipient

	spool       *Spool
	message     *message
	destination *destination
	epoch       uint32   // of the destination when the job began
	segment     *segment // pinned
	offset      int64
	length      int64
	spilled     bool
	head        messageHead
	record      []byte // the record, or its header and head only
	bodyAt      int64  // offset of the body in the segment
	bodyCRC     uint32
	wholes      bool // short records are read with their bodies
	haveBody    bool
	spill       vfs.File // opened at first use
}

// JobRecipient is a recipient that an agent shall deliver to.
type JobRecipient struct {
	Recipient
	Attempt int     // 1 at the first
	Outcome Outcome // to be filled in by the agent

	index    uint16
	history  []byte
	outcomes uint8
}

// ReadAll appends the body to dst, having checked that it is what was
// received.
func (j *Job) ReadAll(dst []byte) ([]byte, error) {
	start := len(dst)
	if j.haveBody {
		return append(dst, j.record[len(j.record)-int(j.Size):]...), nil
	}
	if need := start + int(j.Size); need > cap(dst) {
		grown := make([]byte, start, need)
		copy(grown, dst)
		dst = grown
	}
	dst = dst[:start+int(j.Size)]
	n, err := j.ReadAt(dst[start:], 0)
	if err != nil && !(err == io.EOF && int64(n) == j.Size) {
		return dst[:start], err
	}
	want := j.bodyCRC
	if j.spilled {
		want = j.head.spillCRC
	}
	if checksum(dst[start:]) != want {
		j.spool.reportBody(j)
		return dst[:start], ErrDamaged
	}
	return dst, nil
}

// Verify reads the body once, by way of buf, for who does not want all of it in
// memory: ErrDamaged if it is not what was received, else how many line ends it
// has. buf is at least one byte.
func (j *Job) Verify(buf []byte) (lines int64, err error) {
	sum, want := uint32(0), j.bodyCRC
	if j.spilled {
		want = j.head.spillCRC
	}
	for at := int64(0); at < j.Size; {
		n, err := j.ReadAt(buf[:min(int64(len(buf)), j.Size-at)], at)
		if n == 0 && err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, buf[:n])
		lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		at += int64(n)
	}
	if sum != want {
		j.spool.reportBody(j)
		return 0, ErrDamaged
	}
	return lines, nil
}

// ReadAt implements io.ReaderAt on the body. It checks nothing.
func (j *Job) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= j.Size {
		return 0, io.EOF
	}
	if rest := j.Size - off; int64(len(p)) > rest {
		n, err := j.ReadAt(p[:rest], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	if j.haveBody {
		return copy(p, j.record[int64(len(j.record))-j.Size+off:]), nil
	}
	if !j.spilled {
		return j.segment.file.ReadAt(p, j.bodyAt+off)
	}
	if j.spill == nil {
		f, err := j.spool.fs.Open(j.SpillPath())
		if err != nil {
			return 0, err
		}
		j.spill = f
	}
	return j.spill.ReadAt(p, off)
}

// SpillPath is the name of the file that holds just the body, when the body is
// large; else "". The agent may link it to another name, and may not change it.
func (j *Job) SpillPath() string {
	if !j.spilled {
		return ""
	}
	return j.spool.spillPath(j.ID)
}

// wholeMax is how long a record may be to be read at once, with its body.
const wholeMax = 64 << 10

// load reads the record of the message, of which place and length are set.
func (j *Job) load() error {
	j.haveBody = j.wholes && j.length <= wholeMax
	n := j.length
	if !j.haveBody {
		n = min(n, 1024)
	}
	if err := j.fill(n); err != nil {
		return err
	}
	var h header
	if !parseHeader(j.record, j.segment.seq, &h) || h.kind != typeMessage || h.size() != j.length {
		return ErrDamaged
	}
	headEnd := headerSize + int(h.headLen)
	if headEnd > len(j.record) {
		if err := j.fill(int64(headEnd)); err != nil {
			return err
		}
	}
	head := j.record[headerSize:headEnd]
	if checksum(head) != h.headCRC {
		return ErrDamaged
	}
	if err := parseHead(head, &j.head, &j.Envelope); err != nil || j.head.id != j.ID {
		return ErrDamaged
	}
	return j.takeBody(&h, headEnd)
}

func (j *Job) takeBody(h *header, headEnd int) error {
	j.Size = int64(j.head.size)
	j.spilled = j.head.flags&flagSpilled != 0
	j.bodyAt, j.bodyCRC = j.offset+int64(headEnd), h.bodyCRC
	if j.spilled {
		j.haveBody = false
		return nil
	}
	if j.Size != int64(h.bodyLen) {
		return ErrDamaged
	}
	if j.haveBody {
		j.record = j.record[:headEnd+int(h.bodyLen)]
		if checksum(j.record[headEnd:]) != h.bodyCRC {
			return ErrDamaged
		}
	}
	return nil
}

// fill reads the first n bytes of the record.
func (j *Job) fill(n int64) error {
	if int64(cap(j.record)) < n {
		j.record = make([]byte, n)
	}
	j.record = j.record[:n]
	_, err := j.segment.file.ReadAt(j.record, j.offset)
	return err
}

// locate makes j about m and pins its segment. Under Spool.mu.
func (j *Job) locate(m *message) {
	j.ID, j.message, j.segment = m.id, m, m.segment
	j.offset, j.length, j.Arrived = int64(m.offset), int64(m.length), m.id.Time()
	j.segment.pins++
}

// unpin gives the segment back. Under Spool.mu.
func (j *Job) unpin() {
	if j.segment.pins--; j.segment.pins == 0 && j.segment.live == 0 {
		j.spool.nudge()
	}
	j.segment = nil
}

// close gives back what the job holds outside of memory.
func (j *Job) close() {
	if j.spill != nil {
		j.spill.Close()
		j.spill = nil
	}
	if cap(j.record) > 2*wholeMax {
		j.record = nil
	}
	if cap(j.Envelope.Recipients) > 1000 {
		j.Envelope.Recipients, j.Recipients = nil, nil
	}
}
