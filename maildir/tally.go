package maildir

import (
	"bytes"
	"strconv"
)

// tally is a maildirsize file that was read.
type tally struct {
	limits Quota
	used   Usage
	lines  int // after the first
}

// parseTally reads a maildirsize file:
//
//	file   = limits LF *( line LF )
//	limits = limit *( "," limit )
//	limit  = number ( "S" / "C" )
//	line   = *WSP number 1*WSP number *WSP     ; octets, messages
//
// Some programs pad lines with spaces. Sums below zero are senseless: then,
// and for any other form, ok is false.
func parseTally(text []byte) (t tally, ok bool) {
	first, rest, found := bytes.Cut(text, newline)
	if !found {
		return t, false
	}
	if t.limits, ok = parseLimits(bytes.TrimSpace(first)); !ok {
		return t, false
	}
	for len(rest) > 0 {
		var line []byte
		if line, rest, found = bytes.Cut(rest, newline); !found {
			return t, false // half a line: somebody is writing, or was cut off
		}
		size, messages, ok := parseLine(line)
		if !ok {
			return t, false
		}
		t.used.Bytes += size
		t.used.Messages += messages
		t.lines++
	}
	return t, t.lines > 0 && t.used.Bytes >= 0 && t.used.Messages >= 0
}

func parseLimits(text []byte) (q Quota, ok bool) {
	for len(text) > 0 {
		n, length := number(text)
		if length == 0 || length == len(text) {
			return q, false
		}
		switch text[length] {
		case 'S':
			q.BytesMax = n
		case 'C':
			q.MessagesMax = n
		default:
			return q, false
		}
		if text = text[length+1:]; len(text) > 0 {
			if text[0] != ',' || len(text) == 1 {
				return q, false
			}
			text = text[1:]
		}
	}
	return q, true
}

func parseLine(line []byte) (size, messages int64, ok bool) {
	line = bytes.Trim(line, " \t\r")
	i := bytes.IndexAny(line, " \t")
	if i < 0 {
		return 0, 0, false
	}
	size, ok = signed(line[:i])
	if !ok {
		return 0, 0, false
	}
	messages, ok = signed(bytes.TrimLeft(line[i:], " \t"))
	return size, messages, ok
}

func signed(text []byte) (int64, bool) {
	digits := bytes.TrimPrefix(text, []byte("-"))
	n, length := number(digits)
	if len(digits) < len(text) {
		n = -n
	}
	return n, length > 0 && length == len(digits)
}

// appendLimits appends the first line of maildirsize, without its end.
func appendLimits(dst []byte, q Quota) []byte {
	if q.BytesMax > 0 {
		dst = append(strconv.AppendInt(dst, q.BytesMax, 10), 'S')
	}
	if q.MessagesMax > 0 {
		if q.BytesMax > 0 {
			dst = append(dst, ',')
		}
		dst = append(strconv.AppendInt(dst, q.MessagesMax, 10), 'C')
	}
	return dst
}

// appendTally appends a line of maildirsize.
func appendTally(dst []byte, size, messages int64) []byte {
	dst = append(strconv.AppendInt(dst, size, 10), ' ')
	return append(strconv.AppendInt(dst, messages, 10), '\n')
}
