package dsn

import (
	"bytes"
	"errors"
	"io"
	"mime/quotedprintable"

	"barid/internal/message"
)

// head is the header section of the message, without its empty line and with
// LF line ends.
type head struct {
	text      []byte
	messageID []byte // with its angles; empty when there is none that could be quoted
}

// readHead reads the header of the message. What is beyond headerMax is not
// looked at and not returned.
func (p *printer) readHead(r *Report) error {
	text := make([]byte, min(r.Size, headerMax))
	n, err := r.Message.ReadAt(text, 0)
	if n < len(text) {
		return shortRead(err)
	}
	if n := message.HeaderLen(text); n < len(text) || r.Size <= headerMax {
		text = text[:n]
	} else {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.TrimRight(text, "\n")
	p.head = head{text: text, messageID: messageID(text)}
	return nil
}

// shortRead is why there was less of a message than its size says.
func shortRead(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// messageID returns the Message-ID of a header when it is one that can be
// quoted in other fields.
//
//	msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]    ; RFC 5322 section 3.6.4
func messageID(header []byte) []byte {
	value, _ := message.Lookup(header, "Message-ID")
	inside, open := bytes.CutPrefix(value, []byte{'<'})
	inside, closed := bytes.CutSuffix(inside, []byte{'>'})
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }
	if !open || !closed || len(value) > lineMost/2 || bytes.Count(inside, []byte{'@'}) != 1 || bytes.ContainsFunc(inside, bad) {
		return nil
	}
	return value
}

// returned is the part with the message, or its header.
type returned struct {
	mediaType string
	full      bool
	eightBit  bool
	quoted    bool // its header is UTF-8, and who gets it may not read SMTPUTF8
}

// returnedPart decides on the type and encoding of the third part.
func returnedPart(p *printer, r *Report, utf8 bool) returned {
	global := !isASCII(p.head.text) && r.UTF8
	part := returned{full: r.Full, quoted: global && !utf8}
	part.eightBit = !part.quoted && (!isASCII(p.head.text) || r.Full && !p.isASCIIMessage(r))
	switch {
	case r.Full && global:
		part.mediaType = "message/global"
	case r.Full:
		part.mediaType = "message/rfc822"
	case global:
		part.mediaType = "message/global-headers"
	default:
		part.mediaType = "text/rfc822-headers"
	}
	return part
}

func (part *returned) write(p *printer, r *Report) {
	p.string("Content-Type: " + part.mediaType + "\n")
	if !part.quoted {
		p.encoding(part.eightBit)
		p.string("\n")
		part.content(p, r, p)
		return
	}
	p.string("Content-Transfer-Encoding: quoted-printable\n\n")
	q := quotedprintable.NewWriter(lineEnds{p})
	part.content(p, r, q)
	if err := q.Close(); err != nil && p.err == nil {
		p.err = err
	}
}

// content writes what is returned into w, which writes to p.
func (part *returned) content(p *printer, r *Report, w io.Writer) {
	if part.full {
		p.each(r, func(piece []byte) bool {
			_, err := w.Write(piece)
			return err == nil
		})
		return
	}
	w.Write(p.head.text)
	io.WriteString(w, "\n")
}

// each calls f with one piece of the message after the other, until f has
// enough.
func (p *printer) each(r *Report, f func(piece []byte) bool) {
	buf := make([]byte, bufferSize)
	for at := int64(0); at < r.Size && p.err == nil; {
		piece := buf[:min(int64(len(buf)), r.Size-at)]
		n, err := r.Message.ReadAt(piece, at)
		if n < len(piece) {
			p.err = shortRead(err)
			return
		}
		if !f(piece) {
			return
		}
		at += int64(n)
	}
}

// isASCIIMessage reads the whole message to see whether it is 7bit: what the
// client declared is no proof.
func (p *printer) isASCIIMessage(r *Report) bool {
	ok := true
	p.each(r, func(piece []byte) bool {
		ok = isASCII(piece)
		return ok
	})
	return ok
}

// lineEnds writes CRLF as LF.
type lineEnds struct{ to io.Writer }

func (l lineEnds) Write(b []byte) (int, error) {
	_, err := l.to.Write(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
	return len(b), err
}
