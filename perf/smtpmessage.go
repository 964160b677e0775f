package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// smtpMessage is a message that was built once. Only its number changes from
// one sending to the next: it is overwritten in place, in a field of fixed
// width, so that sending costs no formatting.
type smtpMessage struct {
	head    []byte // header with the empty line; each connection has its own
	body    []byte // the same for all
	numbers []int  // offsets in head at which the number stands
}

// smtpNumberDigits is the width of the number in Subject and Message-ID.
const smtpNumberDigits = 12

// smtpSizeMin leaves room for the header.
const smtpSizeMin = 400

// newSMTPMessage builds a message of exactly plan.sizeOctets octets. run tells
// the messages of this run from those of another.
func newSMTPMessage(plan *smtpPlan, run time.Time) *smtpMessage {
	number := bytes.Repeat([]byte{'0'}, smtpNumberDigits)
	var head bytes.Buffer
	fmt.Fprintf(&head, "From: <%s>\r\nTo: perf:;\r\nDate: %s\r\nSubject: perf %s\r\nMessage-ID: <%x.%s@perf.test>\r\n\r\n",
		plan.from, run.Format(time.RFC1123Z), number, run.UnixNano(), number)
	m := &smtpMessage{head: head.Bytes()}
	for at := 0; ; {
		i := bytes.Index(m.head[at:], number)
		if i < 0 {
			break
		}
		m.numbers = append(m.numbers, at+i)
		at += i + len(number)
	}
	m.body = filler(plan.sizeOctets - len(m.head))
	return m
}

// filler is text of n octets (at least 2) in lines of at most 75 that ends
// with CRLF and never begins a line with a dot.
func filler(n int) []byte {
	const line = "All work and no play makes Jack a dull boy, and mail a thing to measure.\r\n"
	text := make([]byte, 0, n)
	for n-len(text) >= len(line)+2 {
		text = append(text, line...)
	}
	text = append(text, bytes.Repeat([]byte{'x'}, n-len(text)-2)...)
	return append(text, "\r\n"...)
}

// clone is a copy whose number can be set independently.
func (m *smtpMessage) clone() *smtpMessage {
	c := *m
	c.head = bytes.Clone(m.head)
	return &c
}

func (m *smtpMessage) size() int { return len(m.head) + len(m.body) }

// setNumber writes the number into the header.
func (m *smtpMessage) setNumber(number int64) {
	var digits [smtpNumberDigits]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + number%10)
		number /= 10
	}
	for _, at := range m.numbers {
		copy(m.head[at:], digits[:])
	}
}

// appendEnvelope appends MAIL and the RCPT commands of a message.
func (l *smtpLoad) appendEnvelope(out []byte, number int64) []byte {
	out = append(out, "MAIL FROM:<"...)
	out = append(out, l.plan.from...)
	out = append(out, ">\r\n"...)
	for i := range l.plan.rcpts {
		out = l.appendRecipient(out, number, i)
	}
	return out
}

func (l *smtpLoad) appendRecipient(out []byte, number int64, i int) []byte {
	out = append(out, "RCPT TO:<"...)
	out = append(out, l.recipient(number, i)...)
	return append(out, ">\r\n"...)
}

// appendChunk appends the command that announces the whole message as one
// chunk (RFC 3030 2).
func (m *smtpMessage) appendChunk(out []byte) []byte {
	out = append(out, "BDAT "...)
	out = strconv.AppendInt(out, int64(m.size()), 10)
	return append(out, " LAST\r\n"...)
}
