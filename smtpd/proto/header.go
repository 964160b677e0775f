package proto

import "bytes"

// receivedName is the field that every server on a message's way adds.
// (RFC 5321 4.4)
const receivedName = "received:"

// A headerScan looks at the header of a message while it passes, in any cut:
// it counts the octets and the Received fields until the empty line.
type headerScan struct {
	octets   int64
	received int32
	at       int8 // how much of receivedName the line has; or notReceived, emptyCR
	over     bool
}

const (
	notReceived int8 = -1 // some other line
	emptyCR     int8 = -2 // a line that begins with CR, in a binary body
)

// scan looks at the next octets of the decoded body.
func (h *headerScan) scan(p []byte) {
	for len(p) > 0 && !h.over {
		switch {
		case p[0] == '\n' && (h.at == 0 || h.at == emptyCR):
			h.over = true
			return
		case p[0] == '\r' && h.at == 0:
			h.at = emptyCR
			p = p[1:]
			continue
		case h.at == emptyCR: // but the line goes on
			h.at = notReceived
			h.octets++
		}
		p = h.name(p)
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			h.octets += int64(len(p))
			return
		}
		h.octets += int64(i + 1)
		h.at = 0
		p = p[i+1:]
	}
}

// name compares the start of a line with receivedName, as far as both go.
func (h *headerScan) name(p []byte) (rest []byte) {
	for len(p) > 0 && h.at >= 0 && p[0] != '\n' {
		if lower(p[0]) != receivedName[h.at] {
			h.at = notReceived
			return p
		}
		h.octets++
		p = p[1:]
		if h.at++; int(h.at) == len(receivedName) {
			h.received++
			h.at = notReceived
		}
	}
	return p
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b - 'A' + 'a'
	}
	return b
}
