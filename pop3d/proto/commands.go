package proto

import "bytes"

// command is one row of the table: a keyword, the states in which it may be
// given, how many arguments it takes, and what it does. run gets the argument
// text as it stands behind the first space.
type command struct {
	verb   string
	states state
	args   argument
	run    func(s *Session, arg, out []byte) []byte
}

// argument is the form of what follows a keyword.
type argument uint8

const (
	noArgument  argument = iota
	mayHaveOne           // optional
	oneArgument          // one word
	argumentRow          // words, which run takes apart
	anyText              // everything behind the space, spaces included
)

const either = authorization | transaction

// commands is all that the server understands. There is no APOP: it needs
// passwords kept in the clear, and MD5.
var commands = [...]command{
	{"USER", authorization, oneArgument, (*Session).user},
	{"PASS", authorization, anyText, (*Session).pass},
	{"AUTH", authorization, argumentRow, (*Session).auth},
	{"STLS", authorization, noArgument, (*Session).stls},
	{"UTF8", authorization, noArgument, (*Session).utf8Mode},
	{"CAPA", either, noArgument, (*Session).capa},
	{"LANG", either, mayHaveOne, (*Session).lang},
	{"STAT", transaction, noArgument, (*Session).stat},
	{"LIST", transaction, mayHaveOne, (*Session).listSizes},
	{"UIDL", transaction, mayHaveOne, (*Session).listUIDs},
	{"RETR", transaction, oneArgument, (*Session).retr},
	{"TOP", transaction, argumentRow, (*Session).top},
	{"DELE", transaction, oneArgument, (*Session).dele},
	{"RSET", transaction, noArgument, (*Session).rset},
	{"NOOP", transaction, noArgument, (*Session).noop},
	{"QUIT", either, noArgument, (*Session).quit},
}

// line runs one line of the client: a command, or a response in a SASL
// exchange.
//
//	command = keyword *(SP param) CRLF      ; RFC 2449 section 3
//	keyword = 3*4VCHAR
func (s *Session) line(line, out []byte) []byte {
	if s.inExchange() {
		return s.response(line, out)
	}
	verb, arg, _ := bytes.Cut(line, []byte{' '})
	c := find(verb)
	if c == nil {
		return s.bad(out, "unknown command")
	}
	if c.verb != "PASS" {
		s.login = nil // PASS counts only immediately after USER (RFC 1939 section 7)
	}
	if c.states&s.state == 0 {
		return s.bad(out, wrongState(s.state))
	}
	if !isText(arg) {
		return s.bad(out, "control characters in a command")
	}
	if c.args != anyText {
		arg = bytes.TrimRight(arg, " ")
	}
	if !c.args.fits(arg) {
		return s.bad(out, "wrong number of arguments")
	}
	return c.run(s, arg, out)
}

// find returns the row of a keyword, which is not case-sensitive.
func find(verb []byte) *command {
	if len(verb) < 3 || len(verb) > 4 {
		return nil
	}
	var upper [4]byte
	for i, c := range verb {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	for i := range commands {
		if commands[i].verb == string(upper[:len(verb)]) {
			return &commands[i]
		}
	}
	return nil
}

// fits reports whether arg has the form that the command wants.
func (a argument) fits(arg []byte) bool {
	switch a {
	case noArgument:
		return len(arg) == 0
	case mayHaveOne:
		return bytes.IndexByte(arg, ' ') < 0
	case oneArgument:
		return len(arg) > 0 && bytes.IndexByte(arg, ' ') < 0
	}
	return len(arg) > 0
}

func wrongState(s state) string {
	if s == authorization {
		return "log in first"
	}
	return "already logged in"
}
