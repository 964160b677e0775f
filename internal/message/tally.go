package message

import "bytes"

// tally counts line ends, and octets with CRLF for each, from the beginning of
// a text to places that are asked for in rising order.
type tally struct {
	text          []byte
	at            int
	lines, octets int64
}

// to returns the counts up to an offset.
func (t *tally) to(at int) (lines, octets int64) {
	if at > t.at {
		lines, added := countLines(t.text, t.at, at)
		t.lines += lines
		t.octets += added + int64(at-t.at)
		t.at = at
	}
	return t.lines, t.octets
}

// countLines counts the line ends of text[start:end], and the CRs that they
// lack.
func countLines(text []byte, start, end int) (lines, added int64) {
	piece := text[start:end]
	lines = int64(bytes.Count(piece, newline))
	pairs := int64(0)
	if bytes.IndexByte(piece, '\r') >= 0 {
		pairs = int64(bytes.Count(piece, carriageNewline))
	}
	if start > 0 && end > start && piece[0] == '\n' && text[start-1] == '\r' {
		pairs++
	}
	return lines, lines - pairs
}

var (
	newline         = []byte("\n")
	carriageNewline = []byte("\r\n")
)
