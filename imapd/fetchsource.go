package imapd

import (
	"bytes"
	"io"

	"barid/internal/loop"
	"barid/internal/message"
)

// source is where a text comes from that a client wants: from memory, or from
// a range of a message. Lines end with CRLF for the client, however they are
// stored.
type source struct {
	inline   []byte        // as the client gets it; nil: it is in the message
	from     message.Range // of the stored message
	octets   int64         // as the client counts them; -1: there is no such text
	encoding []byte        // that has to be taken off, nil: none
}

// missing is the source of a part that is not there.
var missing = source{octets: -1}

// sending is a text on its way to the client.
type sending struct {
	source
	skip    int64 // octets that come first and are not wanted
	left    int64 // octets that are to be sent
	binary  bool  // NUL may be sent
	partial bool  // a range was asked for
	passed  int64 // octets of the text before from.Start
	last    byte  // stored octet before from.Start
	mark    mark  // where the last piece begins
	plain   decoding
}

// mark is a place in a text that was sent. Clients fetch what is large in many
// parts; with it each begins where the one before has ended, and not with
// counting line ends from the beginning.
type mark struct {
	uid   uint32
	text  message.Range
	at    int   // offset in the stored message
	octet int64 // of the text, as the client counts them
	last  byte  // stored octet before at
}

// begin takes a text of a message, or of it the range of a partial fetch.
// Without one, length is 0. near may be a place before the range, or nil. It
// returns how many octets the client gets.
func (x *sending) begin(uid uint32, from source, offset, length int64, near *mark) int64 {
	x.source, x.skip, x.passed, x.last = from, offset, 0, 0
	x.partial = length > 0
	x.mark = mark{uid: uid, text: from.from, at: from.from.Start}
	if x.left = max(from.octets-offset, 0); length > 0 {
		x.left = min(x.left, length)
	}
	if near != nil && near.uid == uid && near.text == from.from && near.octet <= offset && from.encoding == nil && from.inline == nil {
		x.mark = *near
		x.from.Start, x.passed, x.last, x.skip = near.at, near.octet, near.last, offset-near.octet
	}
	return x.left
}

// remember keeps where a part of a text has ended.
func (b *selected) remember(x *sending) {
	if !x.partial || x.inline != nil || x.encoding != nil {
		return
	}
	if b.mark == nil {
		b.mark = new(mark)
	}
	*b.mark = x.mark
}

// sent reports whether all was sent.
func (x *sending) sent() bool { return x.left <= 0 }

// send appends what comes next of the text, as far as the client reads. After
// an error the client has less than it was promised.
func (x *sending) send(c *loop.Conn, l *opened, buf []byte) error {
	for !x.sent() && !unread(c) {
		out, err := x.appendNext(c.OutRoom(readSize), l, buf)
		c.SetOut(out)
		if err != nil {
			return err
		}
	}
	return nil
}

// appendNext appends what is wanted of the next piece.
func (x *sending) appendNext(out []byte, l *opened, buf []byte) ([]byte, error) {
	start := len(out)
	if x.inline != nil {
		out = append(out, x.inline...)
		return x.keep(out, start), nil
	}
	rest := x.from.End - x.from.Start
	if rest == 0 {
		return out, io.ErrUnexpectedEOF // the message is shorter than its name says
	}
	piece, err := l.piece(buf, x.from.Start, min(rest, readSize))
	if err != nil {
		return out, err
	}
	x.mark.at, x.mark.octet, x.mark.last = x.from.Start, x.passed, x.last
	if x.encoding != nil {
		piece = piece[:cutEncoded(piece, x.encoding, len(piece) == rest)]
		out = x.plain.append(out, piece, x.encoding)
	} else {
		out = x.appendLines(out, piece)
	}
	x.from.Start += len(piece)
	x.passed += int64(len(out) - start)
	return x.keep(out, start), nil
}

// keep keeps what is wanted of the text that was appended.
func (x *sending) keep(out []byte, start int) []byte {
	text := out[start:]
	if x.skip > 0 {
		n := min(x.skip, int64(len(text)))
		x.skip -= n
		text = text[:copy(text, text[n:])]
	}
	text = text[:min(int64(len(text)), x.left)]
	x.left -= int64(len(text))
	if !x.binary {
		clean(text)
	}
	return out[:start+len(text)]
}

// clean replaces NUL, which a literal may not have (RFC 9051 section 9).
func clean(text []byte) {
	for {
		i := bytes.IndexByte(text, 0)
		if i < 0 {
			return
		}
		text[i] = '?'
		text = text[i+1:]
	}
}

// appendLines appends text with CRLF for each line end.
func (x *sending) appendLines(out, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			x.last = text[len(text)-1]
			return append(out, text...)
		}
		if i > 0 {
			x.last = text[i-1]
		}
		out = append(out, text[:i]...)
		if x.last != '\r' {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		x.last = '\n'
		text = text[i+1:]
	}
	return out
}

// decodedOctets is how many octets a text has without its encoding.
func (from source) decodedOctets(l *opened, buf []byte) (octets int64, err error) {
	x := sending{binary: true}
	from.octets = 1<<63 - 1
	x.begin(0, from, 0, 0, nil)
	var room []byte
	for x.from.Start < x.from.End && err == nil {
		room, err = x.appendNext(room[:0], l, buf)
		octets += int64(len(room))
	}
	return octets, err
}

// decoding takes the Content-Transfer-Encoding off a body piece by piece.
type decoding struct {
	parts message.Structure
	text  []byte
}

// append appends what a piece of a body encodes. Pieces are cut by cutEncoded,
// so that each can be decoded by itself.
func (d *decoding) append(out, piece, encoding []byte) []byte {
	d.text = append(d.text[:0], "Content-Transfer-Encoding: "...)
	d.text = append(append(d.text, encoding...), "\n\n"...)
	d.text = append(d.text, piece...)
	d.parts.Parse(d.text)
	decoder, _ := d.parts.Decode(0)
	for {
		n := len(out)
		if cap(out)-n < 512 {
			out = append(out, make([]byte, readSize)...)[:n]
		}
		got, err := decoder.Read(out[n:cap(out)])
		out = out[:n+got]
		if err != nil {
			return out
		}
	}
}

// cutEncoded returns how much of a piece of a body can be decoded without what
// follows: whole groups of base64, and whole lines of anything else.
func cutEncoded(piece, encoding []byte, last bool) int {
	if last {
		return len(piece)
	}
	if bytes.EqualFold(encoding, []byte("base64")) {
		return cutBase64(piece)
	}
	if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
		return i + 1
	}
	// A line without an end: not within "=3D", and not behind white space, of
	// which nobody knows yet whether it is the end of the line.
	n := len(piece)
	if i := bytes.LastIndexByte(piece, '='); i > 0 && n-i < 3 {
		n = i
	}
	if text := bytes.TrimRight(piece[:n], " \t\r"); len(text) > 0 {
		return len(text)
	}
	return len(piece)
}

// cutBase64 returns the length of the groups that are whole (RFC 2045 section
// 6.8). Padding ends a group.
func cutBase64(piece []byte) int {
	count, whole := 0, 0
	for i, c := range piece {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
			count++
		case c == '=':
			count = 0
		}
		if count&3 == 0 {
			whole = i + 1
		}
	}
	if whole == 0 {
		return len(piece)
	}
	return whole
}
