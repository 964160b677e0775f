package message

import "bytes"

// checkpointOctets is how far apart the places are whose number of octets
// LineIndex keeps. To find a place between two of them takes less than 1 µs.
const checkpointOctets = 16 << 10

// LineIndex maps between offsets into a stored message and octets as a client
// counts them, with CRLF for each line end. What it has counted it keeps, so
// that a message that is fetched piece by piece is counted once: 8 octets for
// each 16 KiB. The zero value is an index of the empty message.
type LineIndex struct {
	msg    []byte
	octets []int64 // before each checkpoint that was passed; the first is 0
}

// Reset makes it the index of a message, which it keeps.
func (x *LineIndex) Reset(msg []byte) { x.msg, x.octets = msg, x.octets[:0] }

// Octets returns how many octets a client counts before an offset.
func (x *LineIndex) Octets(at int) int64 {
	k := at / checkpointOctets
	for len(x.octets) <= k {
		x.extend()
	}
	return x.octets[k] + x.count(k*checkpointOctets, at)
}

// Size returns how many octets a client counts in a range.
func (x *LineIndex) Size(r Range) int64 {
	if r.End-r.Start < checkpointOctets {
		return x.count(r.Start, r.End)
	}
	return x.Octets(r.End) - x.Octets(r.Start)
}

// At returns the offset of the octet that a client counts as this one, or the
// length of the message if there are not so many. second: it is the LF of a
// line end that is stored without its CR.
func (x *LineIndex) At(octet int64) (at int, second bool) {
	for len(x.octets) == 0 || x.octets[len(x.octets)-1] <= octet && len(x.octets)*checkpointOctets <= len(x.msg) {
		x.extend()
	}
	k, above := 0, len(x.octets)
	for above-k > 1 { // octets[k] <= octet
		if middle := (k + above) / 2; x.octets[middle] <= octet {
			k = middle
		} else {
			above = middle
		}
	}
	return skipOctets(x.msg, k*checkpointOctets, octet-x.octets[k])
}

// extend passes one more checkpoint.
func (x *LineIndex) extend() {
	n := len(x.octets)
	if n == 0 {
		x.octets = append(x.octets, 0)
		return
	}
	start := (n - 1) * checkpointOctets
	x.octets = append(x.octets, x.octets[n-1]+x.count(start, min(start+checkpointOctets, len(x.msg))))
}

func (x *LineIndex) count(start, end int) int64 {
	_, added := countLines(x.msg, start, end)
	return int64(end-start) + added
}

// skipOctets returns the offset that is so many octets behind another.
func skipOctets(msg []byte, at int, octets int64) (end int, second bool) {
	for octets > 0 {
		rest := msg[at:]
		rest = rest[:min(int64(len(rest)), octets)]
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			return at + len(rest), false
		}
		bare := isBare(msg, at+n)
		switch {
		case bare && octets == int64(n)+1:
			return at + n, true
		case bare:
			octets--
		}
		at += n + 1
		octets -= int64(n) + 1
	}
	return at, false
}

// isBare reports whether the LF at an offset lacks its CR.
func isBare(msg []byte, at int) bool { return at == 0 || msg[at-1] != '\r' }
