package proto

import (
	"bytes"

	"barid/internal/imap"
)

const (
	// commandMax is how many octets a command may have, with its literals, but
	// for the text of messages. It has to fit into the input of the door with
	// the answer to a literal outstanding; RFC 7162 section 4 asks for 8192.
	commandMax = 60 << 10
	// strangerMax is the same for those who have not logged in.
	strangerMax = 8 << 10
	// literalMinusMax is the largest literal that is not announced with
	// LITERAL- (RFC 7888 section 5).
	literalMinusMax = 4096
)

func (s *Session) commandMax() int {
	if s.state == notAuthenticated {
		return strangerMax
	}
	return commandMax
}

// frame finds out whether a whole command has come, or a whole piece of one
// where messages are sent, and runs it. It returns how much was consumed.
//
// A line that ends in the announcement of a literal goes on behind the octets
// of that literal, whatever stands before it (RFC 7888 section 3).
func (s *Session) frame(in, out []byte) (n int, o []byte) {
	for {
		end := s.lineEnd(in)
		if end == 0 {
			if len(in) > s.commandMax() {
				return len(in), s.Hangup(imap.CodeTooBig, "a command is too long", out)
			}
			return 0, out
		}
		line := in[s.line:end]
		if len(line) < 2 || line[len(line)-2] != '\r' {
			return end, s.Hangup(imap.CodeClientBug, "a line ends in CR LF, not in LF", out)
		}
		if end > s.commandMax() {
			return end, s.Hangup(imap.CodeTooBig, "a command is too long", out)
		}
		literal, found := imap.LiteralAtEnd(line)
		if !found || s.phase == inExchange || s.phase == inIdle {
			text := trimSpaces(in[:end-2], int(s.line))
			s.line, s.scanned = 0, 0
			return end, s.whole(text, out)
		}
		var done bool
		if out, done = s.announced(in[:end], literal, out); done {
			s.line, s.scanned = 0, 0
			return end, out
		}
		s.line, s.scanned = uint32(end)+uint32(literal.Size), 0
	}
}

// trimSpaces drops the spaces at the end of a command, which some clients
// leave there, but not those that end a literal.
func trimSpaces(command []byte, line int) []byte {
	n := len(command)
	for n > line && command[n-1] == ' ' {
		n--
	}
	return command[:n]
}

// lineEnd returns where the line at s.line ends, behind its LF; 0 when it does
// not end yet.
func (s *Session) lineEnd(in []byte) int {
	from := int(s.line + s.scanned)
	if from >= len(in) {
		return 0
	}
	i := bytes.IndexByte(in[from:], '\n')
	if i < 0 {
		s.scanned = uint32(len(in)) - s.line
		return 0
	}
	return from + i + 1
}

// whole takes a line, or a command with its literals, without its CRLF.
func (s *Session) whole(piece, out []byte) []byte {
	switch s.phase {
	case inExchange:
		return s.response(piece, out)
	case inIdle:
		return s.endIdle(piece, out)
	case behindBody:
		out, _ = s.appendPiece(piece, imap.Literal{}, false, out)
		return out
	case inRefused:
		s.phase = inCommand
		return out
	}
	s.c.begin(piece, s.dialect())
	v, r := s.find()
	if r.Text != "" {
		return s.refuse(r, out)
	}
	if v.demands&takesBody != 0 {
		out, _ = s.appendPiece(piece, imap.Literal{}, false, out)
		return out
	}
	return s.command(v, out)
}

// announced decides about a literal when its announcement has come, which ends
// piece. done: piece is to be consumed. Otherwise the literal belongs to the
// command, and its octets are awaited behind piece.
//
// The verb is looked up once, at the first literal.
func (s *Session) announced(piece []byte, l imap.Literal, out []byte) (o []byte, done bool) {
	switch {
	case s.phase == inRefused:
		return s.skipRefused(l, out), true
	case s.phase == inCommand && s.line == 0:
		s.c.begin(piece, s.dialect())
		v, r := s.find()
		if r.Text == "" {
			r = s.mayAnnounce(v, l)
		}
		if r.Text != "" {
			return s.skipRefused(l, s.refuse(r, out)), true
		}
		s.appending.literals, s.appending.may = 0, v.demands&takesBody != 0
	}
	if s.appending.may {
		if out, done = s.appendPiece(piece, l, true, out); done {
			return out, true
		}
	}
	return s.invite(len(piece), l, out)
}

// mayAnnounce refuses literals of commands that take none.
func (s *Session) mayAnnounce(v *verb, l imap.Literal) imap.Reply {
	if v.demands&noLiteral != 0 {
		return imap.Reply{Status: imap.BAD, Text: v.name + " takes no literal"}
	}
	if !l.Sync && !s.understood().Any(imap.CapLiteralPlus|imap.CapLiteralMinus) {
		return imap.Reply{Status: imap.BAD, Text: "a literal has to wait for its invitation here"}
	}
	return imap.Reply{}
}

// invite asks for a literal that is a part of the command, if there is room
// for it.
func (s *Session) invite(piece int, l imap.Literal, out []byte) (o []byte, done bool) {
	const reserve = 2 // the CRLF that has to follow
	fits := l.Size <= int64(s.commandMax()-piece-reserve)
	if !l.Sync && (!fits || s.overLiteralMinus(l)) {
		return s.Hangup(imap.CodeTooBig, "a literal is too large", out), true
	}
	if !fits {
		r := imap.Reply{Status: imap.BAD, Code: imap.CodeTooBig, Text: "a literal is too large"}
		return s.refusePiece(r, l, true, out), true
	}
	if l.Sync {
		out = append(out, "+ go ahead\r\n"...)
	}
	return out, false
}

// overLiteralMinus reports whether a literal should have been announced and
// was not.
func (s *Session) overLiteralMinus(l imap.Literal) bool {
	return !l.Sync && l.Size > literalMinusMax && !s.options.Caps.Has(imap.CapLiteralPlus)
}

// skipRefused throws away what follows the announcement of a literal in a
// command that was answered already: the octets and the rest of the command
// when they come uninvited. Those that wait for an invitation will not come.
func (s *Session) skipRefused(l imap.Literal, out []byte) []byte {
	if s.next == Close {
		return out
	}
	s.phase, s.left = inCommand, 0
	switch {
	case l.Sync:
	case l.Size > s.skipMax():
		return s.Hangup(imap.CodeTooBig, "a literal is too large", out)
	default:
		s.phase, s.left = inRefused, l.Size
	}
	return out
}

// skipMax is the largest literal that is read to be thrown away.
func (s *Session) skipMax() int64 {
	if s.state == notAuthenticated {
		return strangerMax
	}
	return max(commandMax, s.options.AppendMax)
}

// skip throws away octets of a literal.
func (s *Session) skip(in []byte) int {
	n := int(min(s.left, int64(len(in))))
	s.left -= int64(n)
	return n
}
