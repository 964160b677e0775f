package proto

import (
	"bytes"
	"strconv"
)

// drop is the maildrop as the session sees it: numbers and marks. Sizes and
// names stay with the owner.
type drop struct {
	messages int      // when it was opened; never changes
	left     int      // not marked as deleted
	octets   int64    // of all messages
	total    int64    // of those not marked
	deleted  []uint64 // marks, message 1 is bit 0; as long as the highest mark needs
	number   int      // the message that the open question is about
	cursor   int      // the next message of a listing; 0: no listing
	listing  Next     // what the listing asks: AskSize or AskUID
	top      int64    // lines of body that TOP wants; all for RETR
}

// purpose is what the answer to AskSize or AskUID is for.
type purpose uint8

const (
	forListing purpose = iota // a line of a multi-line reply
	forOne                    // a reply of one line
	forDeletion
)

// Number is the message that AskSize, AskUID and AskMessage are about, from 1.
func (s *Session) Number() int { return s.drop.number }

// Whole reports whether AskMessage comes from RETR, not from TOP.
func (s *Session) Whole() bool { return s.drop.top == everything }

// Marked is the number of messages that are marked as deleted.
func (s *Session) Marked() int { return s.drop.messages - s.drop.left }

// Deleted reports whether message number, from 1, is marked as deleted.
func (s *Session) Deleted(number int) bool { return s.drop.isDeleted(number) }

func (d *drop) isDeleted(number int) bool {
	word := (number - 1) / 64
	return word < len(d.deleted) && d.deleted[word]&(1<<((number-1)%64)) != 0
}

func (d *drop) mark(number int, octets int64) {
	word := (number - 1) / 64
	if word >= len(d.deleted) {
		d.deleted = append(d.deleted, make([]uint64, word+1-len(d.deleted))...)
	}
	d.deleted[word] |= 1 << ((number - 1) % 64)
	d.left--
	d.total -= octets
}

// stat is STAT: the drop listing (RFC 1939 section 5).
func (s *Session) stat(_, out []byte) []byte {
	out = append(out, "+OK "...)
	out = appendPair(out, s.drop.left, s.drop.total)
	return append(out, '\r', '\n')
}

// listSizes is LIST [msg].
func (s *Session) listSizes(arg, out []byte) []byte { return s.startListing(AskSize, arg, out) }

// listUIDs is UIDL [msg] (RFC 1939 section 7).
func (s *Session) listUIDs(arg, out []byte) []byte { return s.startListing(AskUID, arg, out) }

func (s *Session) startListing(question Next, arg, out []byte) []byte {
	if len(arg) > 0 {
		return s.about(question, forOne, arg, out)
	}
	s.drop.cursor, s.drop.listing = 1, question
	out = append(out, "+OK "...)
	out = appendHoldings(out, s.drop.left, s.drop.total)
	return append(out, '\r', '\n')
}

// list moves the cursor of a listing to the next message and asks about it, or
// ends the listing.
func (s *Session) list(out []byte) []byte {
	d := &s.drop
	for d.cursor <= d.messages && d.isDeleted(d.cursor) {
		d.cursor++
	}
	if d.cursor > d.messages {
		d.cursor = 0
		return append(out, ".\r\n"...)
	}
	d.number = d.cursor
	d.cursor++
	s.next, s.ask = d.listing, forListing
	return out
}

// about asks a question about the message that the client named.
func (s *Session) about(question Next, ask purpose, arg, out []byte) []byte {
	number := s.find(arg)
	if number == 0 || s.drop.isDeleted(number) {
		return s.noSuchMessage(number, out)
	}
	s.drop.number = number
	s.next, s.ask = question, ask
	return out
}

// find returns the number of a message of the maildrop, deleted or not; 0 for
// anything else.
func (s *Session) find(arg []byte) int {
	n, valid := number(arg)
	if !valid || n > int64(s.drop.messages) {
		return 0
	}
	return int(n)
}

// number reads 1*DIGIT. A number too large to matter is as large as can be.
func number(arg []byte) (n int64, valid bool) {
	for _, c := range arg {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n < 1<<48 {
			n = n*10 + int64(c-'0')
		}
	}
	return n, len(arg) > 0
}

func (s *Session) noSuchMessage(number int, out []byte) []byte {
	if number > 0 {
		out = append(out, "-ERR message "...)
		out = strconv.AppendInt(out, int64(number), 10)
		return append(out, " is deleted\r\n"...)
	}
	out = append(out, "-ERR no such message, "...)
	out = appendMessages(out, s.drop.messages)
	return append(out, " in maildrop\r\n"...)
}

// answerListing puts a size or a unique-id where it was wanted.
func (s *Session) answerListing(a Answer, out []byte) []byte {
	switch s.ask {
	case forDeletion:
		return s.delete(a.Octets, out)
	case forOne:
		out = append(out, "+OK "...)
	}
	if len(a.UID) > 0 {
		out = strconv.AppendInt(out, int64(s.drop.number), 10)
		out = append(out, ' ')
		out = append(out, a.UID...)
	} else {
		out = appendPair(out, s.drop.number, a.Octets)
	}
	return append(out, '\r', '\n')
}

// dele is DELE msg. The size is asked for, so that STAT can be told without
// the message.
func (s *Session) dele(arg, out []byte) []byte { return s.about(AskSize, forDeletion, arg, out) }

func (s *Session) delete(octets int64, out []byte) []byte {
	s.drop.mark(s.drop.number, octets)
	out = append(out, "+OK message "...)
	out = strconv.AppendInt(out, int64(s.drop.number), 10)
	return append(out, " deleted\r\n"...)
}

// rset is RSET: all marks are taken back.
func (s *Session) rset(_, out []byte) []byte {
	d := &s.drop
	d.deleted, d.left, d.total = d.deleted[:0], d.messages, d.octets
	out = append(out, "+OK maildrop has "...)
	out = appendHoldings(out, d.left, d.total)
	return append(out, '\r', '\n')
}

func (s *Session) noop(_, out []byte) []byte { return append(out, "+OK\r\n"...) }

// retr is RETR msg.
func (s *Session) retr(arg, out []byte) []byte {
	s.drop.top = everything
	return s.about(AskMessage, forOne, arg, out)
}

// top is TOP msg n (RFC 1939 section 7).
func (s *Session) top(arg, out []byte) []byte {
	message, count, _ := bytes.Cut(arg, []byte{' '})
	lines, valid := number(count)
	if !valid {
		return s.bad(out, "TOP takes a message and a number of lines")
	}
	s.drop.top = lines
	return s.about(AskMessage, forOne, message, out)
}

// quit is QUIT: in the TRANSACTION state it enters UPDATE (RFC 1939 section
// 6).
func (s *Session) quit(_, out []byte) []byte {
	if s.state == transaction {
		s.next = AskUpdate
		return out
	}
	return s.farewell(out)
}

func (s *Session) answerUpdate(a Answer, out []byte) []byte {
	if a.Verdict == Accept {
		return s.farewell(out)
	}
	s.next = Close
	return fail(out, "[SYS/TEMP] some deleted messages not removed")
}

func (s *Session) farewell(out []byte) []byte {
	s.next = Close
	out = append(out, "+OK "...)
	out = append(out, s.options.Hostname...)
	out = append(out, " POP3 server signing off"...)
	switch {
	case s.state == authorization:
	case s.drop.left == 0:
		out = append(out, " (maildrop empty)"...)
	default:
		out = append(out, " ("...)
		out = appendMessages(out, s.drop.left)
		out = append(out, " left)"...)
	}
	return append(out, '\r', '\n')
}
