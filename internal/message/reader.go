package message

import (
	"bytes"
	"io"
)

// Reader reads ranges of a stored message, one after the other, with CRLF for
// each line end. What it gives is as long as LineIndex.Size says.
type Reader struct {
	msg    []byte
	ranges []Range // not yet read to their end; the first begins where reading goes on
	second bool    // with the LF of a line end whose CR was given
}

// NewReader returns a reader of ranges of the message of an index, from an
// octet on, counted from the beginning of the first range. The reader keeps
// ranges and changes them.
func NewReader(x *LineIndex, ranges []Range, from int64) Reader {
	r := Reader{msg: x.msg, ranges: ranges}
	for len(r.ranges) > 0 {
		first := &r.ranges[0]
		size := x.Size(*first)
		if from < size {
			r.skip(x, first, from)
			break
		}
		from -= size
		r.ranges = r.ranges[1:]
	}
	return r
}

func (r *Reader) skip(x *LineIndex, first *Range, from int64) {
	if from < checkpointOctets {
		first.Start, r.second = skipOctets(r.msg, first.Start, from)
		return
	}
	first.Start, r.second = x.At(x.Octets(first.Start) + from)
}

// Read reads into p.
func (r *Reader) Read(p []byte) (n int, err error) {
	out := r.Append(p[:0], len(p))
	if len(out) == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return len(out), nil
}

// Append appends what comes next, at most max octets. When it appends nothing
// all was read.
func (r *Reader) Append(dst []byte, max int) []byte {
	for len(r.ranges) > 0 && max > 0 {
		first := &r.ranges[0]
		start := len(dst)
		dst = r.lines(dst, first, max)
		max -= len(dst) - start
		if first.Start == first.End {
			r.ranges = r.ranges[1:]
		}
	}
	return dst
}

// lines appends what comes next of a range.
func (r *Reader) lines(dst []byte, from *Range, max int) []byte {
	if r.second && max > 0 {
		dst, max = append(dst, '\n'), max-1
		r.second = false
		from.Start++
	}
	for max > 0 && from.Start < from.End {
		rest := r.msg[from.Start:from.End]
		rest = rest[:min(len(rest), max)] // however long the line is
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			from.Start += len(rest)
			return append(dst, rest...)
		}
		dst = append(dst, rest[:n]...)
		from.Start, max = from.Start+n, max-n
		if isBare(r.msg, from.Start) {
			dst, max = append(dst, '\r'), max-1
			if max == 0 {
				r.second = true
				return dst
			}
		}
		dst, max = append(dst, '\n'), max-1
		from.Start++
	}
	return dst
}

// AppendLines appends a range of a stored message with CRLF for each line end.
func AppendLines(dst, msg []byte, of Range) []byte {
	for of.Start < of.End {
		rest := msg[of.Start:of.End]
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			return append(dst, rest...)
		}
		dst = append(dst, rest[:n]...)
		if isBare(msg, of.Start+n) {
			dst = append(dst, '\r')
		}
		dst = append(dst, '\n')
		of.Start += n + 1
	}
	return dst
}
