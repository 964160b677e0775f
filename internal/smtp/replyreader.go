package smtp

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// Errors of ReplyReader. After either the two sides no longer agree on where
// they are: close the connection.
var (
	ErrNotAReply    = errors.New("smtp: this is not a reply")
	ErrEndlessReply = errors.New("smtp: the reply does not end")
)

// What a ReplyReader takes from a server, in octets.
const (
	// ReplyLineMax is how much of a line is looked at; what is longer is cut
	// off. RFC 5321 4.5.3.1.5 has 512, extensions more, and a refusal with
	// too many words is still a refusal.
	ReplyLineMax = 2048
	// ReplyMax is the longest reply with all its lines and their ends.
	ReplyMax = 64 << 10
	// ReplyTextMax is how much of the text is kept.
	ReplyTextMax = 1024
)

// A ReplyReader reads the replies of a server, one after the other, in any
// cut of the input. The zero value is ready; memory is kept from reply to
// reply. The exported fields are whole when Read has returned LastLine, and
// stay until the Read after it.
//
// A line may end with a LF alone: there are servers that send it so, and
// unlike in a message nobody gains by reading a reply in two ways.
type ReplyReader struct {
	// Code is the three digits, 200 to 599.
	Code int
	// Status is the enhanced status code, zero when there is none or when it
	// is of another class than Code. (RFC 2034 4)
	Status Status
	// Text is the text of all lines without Status, with one space between
	// them, at most ReplyTextMax octets. It is valid UTF-8 without control
	// characters, whatever the server has sent.
	Text []byte
	// Lines is how many lines there are.
	Lines int

	octets   int       // of the reply so far
	searched int       // octets of the next line that hold no LF
	part     ReplyPart // what the last complete line was
	discard  ReplyPart // not NoLine: in a line over ReplyLineMax, which was this
}

// A ReplyPart says what a Read has found.
type ReplyPart uint8

// The parts of a reply.
const (
	NoLine   ReplyPart = iota // not even one line is there yet
	MoreLine                  // a line that is not the last of its reply
	LastLine                  // the last line: the reply is whole
)

// Reset forgets what has been read and keeps the memory.
func (r *ReplyReader) Reset() { *r = ReplyReader{Text: r.Text[:0]} }

// Read consumes a prefix of in: one line with its end, or nothing when there
// is no whole line. Of a line over ReplyLineMax it consumes what there is.
// line is the text of the line behind its code, as it was sent; it points
// into in, and is empty when the line was cut off. An error is final.
func (r *ReplyReader) Read(in []byte) (n int, line Text, part ReplyPart, err error) {
	if r.discard != NoLine {
		return r.discardLine(in)
	}
	i := bytes.IndexByte(in[r.searched:], '\n')
	if i >= 0 {
		i += r.searched
	} else if len(in) < ReplyLineMax {
		r.searched = len(in)
		return 0, nil, NoLine, nil
	}
	r.searched = 0
	if i < 0 || i >= ReplyLineMax {
		_, r.discard, err = r.take(in[:ReplyLineMax])
		r.octets += ReplyLineMax
		return ReplyLineMax, nil, NoLine, err
	}
	line, part, err = r.take(bytes.TrimSuffix(in[:i], []byte{'\r'}))
	if err == nil {
		err = r.count(i + 1)
	}
	if err != nil {
		return i + 1, nil, NoLine, err
	}
	return i + 1, line, part, nil
}

// discardLine throws away what there is of a line whose beginning was taken.
func (r *ReplyReader) discardLine(in []byte) (n int, line Text, part ReplyPart, err error) {
	n = len(in)
	if i := bytes.IndexByte(in, '\n'); i >= 0 {
		n, part, r.discard = i+1, r.discard, NoLine
	}
	if err = r.count(n); err != nil {
		part = NoLine
	}
	return n, nil, part, err
}

// count adds to the size of the reply, which has a limit.
func (r *ReplyReader) count(octets int) error {
	if r.octets += octets; r.octets > ReplyMax {
		return ErrEndlessReply
	}
	return nil
}

// take adds a line to the reply. The code may stand alone, and has to be the
// same in all lines. (RFC 5321 4.2)
//
//	Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//	Reply-code = %x32-35 %x30-35 %x30-39
func (r *ReplyReader) take(line Text) (text Text, part ReplyPart, err error) {
	first := r.part != MoreLine
	if first {
		r.Reset()
	}
	code, ok := line.replyCode()
	part = LastLine
	switch {
	case !ok, !first && code != r.Code:
		return nil, NoLine, ErrNotAReply
	case line.Byte('-'):
		part = MoreLine
	case !line.Empty() && !line.Byte(' '):
		return nil, NoLine, ErrNotAReply
	}
	r.Code, r.part, text = code, part, line
	r.Lines++
	if status, ok := line.Status(); ok && int(status[0]) == code/100 {
		if r.Status == (Status{}) {
			r.Status = status
		}
		line.Byte(' ')
	} else {
		line = text
	}
	r.keep(line)
	return text, part, nil
}

// replyCode consumes a Reply-code. The second digit may be any: what it means
// is nobody's business. (RFC 5321 4.2, 4.3.2)
func (t *Text) replyCode() (int, bool) {
	p := *t
	if len(p) < 3 || p[0] < '2' || p[0] > '5' || !digit.has(p[1]) || !digit.has(p[2]) {
		return 0, false
	}
	t.take(3)
	return int(p[0]-'0')*100 + int(p[1]-'0')*10 + int(p[2]-'0'), true
}

// Status consumes an enhanced status code, up to a space or the end. (RFC
// 3463 2)
//
//	status-code = class "." subject "." detail
//	class       = "2"/"4"/"5"
//	subject     = 1*3digit
//	detail      = 1*3digit
func (t *Text) Status() (Status, bool) {
	var s Status
	rest := *t
	for i, digits := range [...]int{1, 3, 3} {
		n, ok := rest.Number(digits)
		if !ok || i < 2 && !rest.Byte('.') {
			return Status{}, false
		}
		s[i] = uint16(n)
	}
	if s[0] != 2 && s[0] != 4 && s[0] != 5 || !rest.Empty() && rest[0] != ' ' {
		return Status{}, false
	}
	*t = rest
	return s, true
}

// keep appends a line to the text, as far as there is room, in a form that
// can go into a log or a header.
func (r *ReplyReader) keep(line Text) {
	line.Spaces()
	if len(r.Text) > 0 && len(line) > 0 && len(r.Text) < ReplyTextMax {
		r.Text = append(r.Text, ' ')
	}
	for len(line) > 0 {
		room := ReplyTextMax - len(r.Text)
		if run := line.run(graphic); len(run) > 0 {
			r.Text = append(r.Text, run[:min(len(run), room)]...)
			continue
		}
		c, size := utf8.DecodeRune(line)
		switch {
		case size > room:
			return
		case c == '\t':
			r.Text = append(r.Text, ' ')
		case c < ' ', c >= 0x7f && c < 0xa0, c == utf8.RuneError && size == 1:
			r.Text = append(r.Text, '?')
		default:
			r.Text = append(r.Text, line[:size]...)
		}
		line = line[size:]
	}
}
