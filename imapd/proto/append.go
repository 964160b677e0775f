package proto

import (
	"bytes"

	"barid/internal/imap"
)

// Message is what APPEND and REPLACE say of a message. It lives until the
// AskAppend that begins it is answered.
type Message struct {
	Number int // among the messages of the command, from 1
	Flags  imap.Flags
	Date   imap.DateTime
}

// Piece is a part of a message: all of it, or one of those that CATENATE puts
// together.
type Piece struct {
	// First: it is the first piece of Command.Message.
	First bool
	// Last: no other piece belongs to the message. A message that CATENATE
	// puts together ends where the next one begins, or with Run.
	Last bool
	// URL is where its text is, nil when the client sends it (RFC 4469).
	URL []byte
	// Size, in octets, of what TakeBody is going to hand out.
	Size int64
	// Binary: it may hold NUL (RFC 3516).
	Binary bool
	// UTF8: the header may be in UTF-8 (RFC 6855 section 4).
	UTF8 bool
}

// A place is where in an APPEND the parser stands.
type place uint8

const (
	atHead    place = iota // before the mailbox
	atMessage              // before a message, or at the end
	inParts                // within the parentheses of CATENATE
	atClosing              // before the parenthesis that closes UTF8
)

// appendPlace is where a command with messages stands between its pieces.
type appendPlace struct {
	place, outer place // outer is where atClosing leads
	parts        int   // of CATENATE so far
	mark         imap.Mark
}

// appending is what a session knows of a command with messages.
type appending struct {
	reply    imap.Reply   // to be given with Dropped, when it has a Text
	literal  imap.Literal // that ends the piece under way, when ends
	ends     bool
	may      bool  // the command under way may have messages in it
	literals uint8 // in the piece under way
}

// literalsMax is how many literals a piece of a command with messages may have
// besides the messages. Each of them has the piece parsed again.
const literalsMax = 64

// pieceKind is how far nextPiece came.
type pieceKind uint8

const (
	pieceText pieceKind = iota // a literal of a message was announced
	pieceURL
	pieceEnd // of the command
)

// appendPiece takes a piece of a command with messages: up to the announcement
// of a literal, or to the end. done is false when the literal is not the text
// of a message: then more of the piece has to come.
//
// The piece is parsed twice, first only to see whether and how it ends, so that
// a command with a fault in it is refused before anything is asked.
func (s *Session) appendPiece(piece []byte, l imap.Literal, ends bool, out []byte) (o []byte, done bool) {
	c := s.c
	before, message := c.at, c.Message
	s.enterPiece(piece)
	kind, fault := c.nextPiece()
	for fault == "" && kind == pieceURL {
		kind, fault = c.nextPiece()
	}
	c.at, c.Message = before, message
	switch {
	case fault == imap.Incomplete && s.appending.literals < literalsMax:
		s.appending.literals++
		return out, false
	case fault == imap.Incomplete:
		fault = "too many literals"
	case fault == "" && kind == pieceText:
		if r := s.mayTake(l); r.Text != "" {
			return s.refusePiece(r, l, ends, out), true
		}
	}
	if fault != "" {
		return s.refusePiece(refusal(fault), l, ends, out), true
	}
	s.wasGood()
	s.appending.literals, s.appending.literal, s.appending.ends = 0, l, ends
	s.enterPiece(piece)
	s.ask()
	return out, true
}

// enterPiece puts the parser at the start of a piece.
func (s *Session) enterPiece(piece []byte) {
	if s.phase == behindBody {
		s.c.p.Continue(piece, s.c.at.mark)
		return
	}
	s.c.begin(piece, s.dialect())
	s.find()
}

// ask asks about the next piece of the message that is under way.
func (s *Session) ask() {
	switch kind, _ := s.c.nextPiece(); kind {
	case pieceEnd:
		s.phase, s.next = inCommand, Run
	default:
		s.next = AskAppend
	}
}

// mayTake refuses a message for its size (RFC 7889 section 4, RFC 7888 section
// 5), or because it cancels the command (RFC 3502 section 6.3.11).
func (s *Session) mayTake(l imap.Literal) imap.Reply {
	most := s.options.AppendMax
	switch {
	case most > 0 && l.Size > most:
		return imap.Reply{Status: imap.NO, Code: imap.CodeTooBig, Text: "the message is too large"}
	case !l.Sync && !s.understood().Any(imap.CapLiteralPlus|imap.CapLiteralMinus):
		return bad("a literal has to wait for its invitation here")
	case s.overLiteralMinus(l):
		return imap.Reply{Status: imap.BAD, Code: imap.CodeTooBig, Text: "a literal of this size has to wait for its invitation"}
	case l.Size == 0 && s.c.Piece.Last:
		return imap.Reply{Status: imap.NO, Text: "an empty message is none"}
	}
	return imap.Reply{}
}

// refusePiece refuses a command in a piece that ends in a literal, or where the
// command ends. When the door has taken messages already, it has to hear of it
// first.
func (s *Session) refusePiece(r imap.Reply, l imap.Literal, ends bool, out []byte) []byte {
	s.appending.literal, s.appending.ends = l, ends
	if s.phase == behindBody {
		s.appending.reply = r
		return out
	}
	return s.leave(s.refuse(r, out))
}

// leave goes on behind a command that was answered before its end.
func (s *Session) leave(out []byte) []byte {
	if s.appending.ends {
		return s.skipRefused(s.appending.literal, out)
	}
	s.phase = inCommand
	return out
}

// dropAppend gives the reply that goes with Dropped.
func (s *Session) dropAppend(out []byte) []byte {
	r := s.appending.reply
	s.appending.reply = imap.Reply{}
	return s.leave(s.refuse(r, out))
}

// refuseAppend is Done while a message is under way.
func (s *Session) refuseAppend(r imap.Reply, out []byte) []byte {
	if s.next == TakeBody {
		s.appending.literal, s.appending.ends = imap.Literal{Size: s.left}, true
	}
	s.next = NeedInput
	return s.leave(r.Append(out, s.c.Tag))
}

// Accept says yes to AskAppend. For a text of the client TakeBody follows; a
// URL has to be copied by the door before it says Accept.
func (s *Session) Accept(out []byte) []byte {
	s.expect(AskAppend)
	s.next = NeedInput
	if s.c.Piece.URL != nil {
		s.ask()
		return out
	}
	if s.appending.literal.Sync {
		out = append(out, "+ go ahead\r\n"...)
	}
	s.left, s.phase, s.next = s.appending.literal.Size, inBody, TakeBody
	s.bodyTaken()
	return out
}

// TakeBody consumes octets of a message from in and appends them to dst, as
// the client sent them. When it is over, Step goes on.
func (s *Session) TakeBody(in, dst []byte) (n int, d []byte) {
	s.expect(TakeBody)
	n = int(min(s.left, int64(len(in))))
	if !s.c.Piece.Binary {
		if i := bytes.IndexByte(in[:n], 0); i >= 0 {
			s.appending.reply = bad("NUL in a message")
			s.appending.literal, s.appending.ends = imap.Literal{Size: s.left - int64(i)}, true
			s.next = NeedInput
			return i, append(dst, in[:i]...)
		}
	}
	s.left -= int64(n)
	s.bodyTaken()
	return n, append(dst, in[:n]...)
}

// bodyTaken goes on behind the text of a message when all of it has come.
func (s *Session) bodyTaken() {
	if s.left == 0 {
		s.phase, s.next = behindBody, NeedInput
	}
}

// nextPiece consumes what stands before the next piece of a message.
//
//	append         = "APPEND" SP mailbox 1*append-message  ; RFC 4466 section 3
//	append-message = append-opts SP append-data
//	replace        = "REPLACE" SP seq-number SP mailbox append-message  ; RFC 8508 section 5
func (c *Command) nextPiece() (kind pieceKind, fault imap.Fault) {
	c.Piece = Piece{}
	for {
		switch c.at.place {
		case atHead:
			if fault = c.appendHead(); fault != "" {
				return 0, fault
			}
		case atClosing:
			if !c.p.Byte(')') {
				return 0, "UTF8 does not end"
			}
			c.at.place = c.at.outer
		case inParts:
			if !c.p.Byte(')') || c.at.parts == 0 {
				return c.part()
			}
			c.at.place = atMessage
		case atMessage:
			if c.p.Empty() && c.Message.Number > 0 {
				return pieceEnd, ""
			}
			if kind, fault = c.message(); fault != "" || c.at.place != inParts {
				return kind, fault
			}
			return c.part()
		}
	}
}

// appendHead consumes what stands before the first message.
func (c *Command) appendHead() (fault imap.Fault) {
	if c.Verb == Replace {
		if fault = c.spacedSet(); fault != "" {
			return fault
		}
		r := c.Set.Ranges
		if len(r) != 1 || r[0].From != r[0].To {
			return "REPLACE replaces one message"
		}
	}
	fault = c.spacedMailbox(&c.Mailbox)
	c.at.place, c.at.mark = atMessage, c.p.Mark()
	return fault
}

// message consumes what is said of a message, and how it comes.
//
//	append-opts = [SP flag-list] [SP date-time] *(SP append-ext)  ; RFC 4466 section 3
//	append-data = literal / literal8 / append-data-ext
//	append-data =/ "CATENATE" SP "(" cat-part *(SP cat-part) ")"  ; RFC 4469 section 5
//	append-data =/ "UTF8" SP "(" literal8 ")"       ; RFC 6855 section 4
func (c *Command) message() (kind pieceKind, fault imap.Fault) {
	if c.Message.Number > 0 && (c.Verb == Replace || !c.p.Offers(imap.CapMultiAppend)) {
		return 0, "one message at a time"
	}
	c.Message = Message{Number: c.Message.Number + 1}
	c.Piece.First = true
	if fault = c.p.SP(); fault == "" && c.p.Peek() == '(' {
		if c.Message.Flags, fault = c.p.FlagList(); fault == "" {
			fault = c.p.SP()
		}
	}
	if fault == "" && c.p.Peek() == '"' {
		if c.Message.Date, fault = c.p.DateTime(); fault == "" {
			fault = c.p.SP()
		}
	}
	switch {
	case fault != "":
		return 0, fault
	case c.p.Offers(imap.CapCatenate) && c.p.Word("CATENATE"):
		if c.p.SP() != "" || !c.p.Byte('(') {
			return 0, "CATENATE has a list behind it"
		}
		c.at.place, c.at.parts = inParts, 0
		return 0, ""
	case c.p.Offers(imap.CapUTF8Accept) && c.p.Word("UTF8"):
		return c.utf8Text(atMessage)
	}
	c.Piece.Last = true
	return c.text("a message was expected")
}

// part consumes the announcement of a part of CATENATE.
//
//	cat-part     =  text-literal / url              ; RFC 4469 section 5
//	text-literal =  "TEXT" SP literal
//	url          =  "URL" SP astring
//	cat-part     =/ utf8-literal                    ; RFC 6855 section 4
func (c *Command) part() (kind pieceKind, fault imap.Fault) {
	c.Piece.First = c.at.parts == 0
	if !c.Piece.First {
		if fault = c.p.SP(); fault != "" {
			return 0, fault
		}
	}
	c.at.parts++
	switch {
	case c.p.Word("TEXT"):
		if fault = c.p.SP(); fault != "" {
			return 0, fault
		}
		return c.text("the literal of a part was expected")
	case c.p.Word("URL"):
		fault = c.spacedString(&c.Piece.URL)
		return pieceURL, fault
	case c.p.Offers(imap.CapUTF8Accept) && c.p.Word("UTF8"):
		return c.utf8Text(inParts)
	}
	return 0, "a part of CATENATE is TEXT or URL"
}

// utf8Text consumes what stands behind the word UTF8.
//
//	utf8-literal = "UTF8" SP "(" literal8 ")"       ; RFC 6855 section 4
func (c *Command) utf8Text(outer place) (pieceKind, imap.Fault) {
	if c.p.SP() != "" || !c.p.Byte('(') || c.p.Peek() != '~' {
		return 0, "UTF8 has a literal8 in parentheses behind it"
	}
	c.at.place, c.at.outer = atClosing, outer
	c.Piece.UTF8, c.Piece.Last = true, outer == atMessage
	return c.text("a literal8 was expected")
}

// text consumes the announcement of a text.
func (c *Command) text(otherwise imap.Fault) (pieceKind, imap.Fault) {
	l, found := c.p.Announcement()
	if !found || l.Binary && !c.Piece.UTF8 && !c.p.Offers(imap.CapBinary) {
		return 0, otherwise
	}
	c.Piece.Size, c.Piece.Binary = l.Size, l.Binary
	return pieceText, ""
}
