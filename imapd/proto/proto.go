package proto

import "barid/internal/imap"

// Next is what the session needs before it can go on.
type Next uint8

// The needs of a session.
const (
	// NeedInput: no progress is possible with the bytes given.
	NeedInput Next = iota
	// More: call Step again, with or without more input. This is where the
	// door may let the client drain what has piled up.
	More
	// AskAuth: see Credentials. Give an Answer.
	AskAuth
	// StartTLS: send what is queued, negotiate TLS, call Secured. Bytes that
	// the client sent behind its STARTTLS must not be read by anybody.
	StartTLS
	// Compress: send what is queued, then compress in both directions, and call
	// Compressed. Bytes behind the command are compressed already (RFC 4978).
	Compress
	// Run: execute Command, and say Done.
	Run
	// AskAppend: a piece of a message comes; see Command.Piece. Say Accept, or
	// Done with NO.
	AskAppend
	// TakeBody: call TakeBody, as input comes, until Step wants something
	// else; or Done with NO.
	TakeBody
	// Dropped: the command that AskAppend began came to nothing and was
	// answered. Drop what was taken, then call Step again.
	Dropped
	// Idle: the client idles until it says something. Untagged responses may be
	// sent whenever there is a reason; call Step when input comes (RFC 9051
	// 6.3.13).
	Idle
	// Close: send what is queued and close.
	Close
)

// TLS is where a session stands with transport security.
type TLS uint8

// The states of TLS.
const (
	TLSNone    TLS = iota // not to be had
	TLSOffered            // STARTTLS will start it
	TLSActive             // everything is encrypted
)

// Options is what the postmaster decided. It is shared by sessions and never
// modified while one uses it.
type Options struct {
	// Hostname is named in the greeting.
	Hostname string
	// Caps is what is offered. What is not offered is not understood.
	Caps imap.Caps
	// TLS is the state in which sessions with these options are.
	TLS TLS
	// Login permits LOGIN; without it LOGINDISABLED is shown.
	Login bool
	// Mechanisms are the SASL mechanisms that may be used, in upper case, in
	// the order in which they are shown.
	Mechanisms []string
	// AppendMax is how many octets a message may have that a client sends, and
	// is shown as APPENDLIMIT (RFC 7889). 0: none is shown, and there is no
	// limit but that of the numbers.
	AppendMax int64
	// ErrorsMax is the number of bad commands and failed logins that a client
	// may send before it has logged in, and of bad commands in a row
	// afterwards; the last one closes. 0: no limit.
	ErrorsMax int
	// Separator of the levels of mailbox names, "/" or ".".
	Separator byte
}

// A state is one of RFC 9051 section 3, as a set so that the table of commands
// can name several.
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated
	selected
	loggedOut

	loggedIn = authenticated | selected
	anytime  = notAuthenticated | loggedIn
)

// A phase is what the next bytes of the client are.
type phase uint8

const (
	inCommand  phase = iota // a command
	inExchange              // a response of a SASL exchange
	inIdle                  // DONE
	inBody                  // octets of a message
	behindBody              // the rest of a command behind the text of a message
	inRefused               // what is left of a command that was refused
)

// Session is one client's conversation. The zero value needs Reset. It may be
// copied only before its first Step.
type Session struct {
	options *Options
	c       *Command // lent
	login   *login   // a LOGIN or a SASL exchange under way
	tag     []byte   // of AUTHENTICATE and IDLE
	left    int64    // octets of a literal that are to come
	scanned uint32   // octets of the input known to hold no LF after line
	line    uint32   // where the last line of the input begins, behind the literals
	state   state
	phase   phase
	next    Next // the open question, or NeedInput
	enabled imap.Enabled
	errors  uint16
	// compressed: COMPRESS is active.
	compressed bool
	appending  appending
}

// Reset makes the session new, for a connection in the state options.TLS. What
// was lent to it is forgotten.
func (s *Session) Reset(options *Options) { *s = Session{options: options, state: notAuthenticated} }

// Greet appends the greeting (RFC 9051 7.1.4).
func (s *Session) Greet(out []byte) []byte {
	out = append(out, "* OK ["...)
	out = s.appendCapabilities(out)
	out = append(out, "] "...)
	out = append(out, s.options.Hostname...)
	return append(out, " IMAP server ready\r\n"...)
}

// Secured continues the session under TLS, with the options that hold there.
// Nothing that the client said before is kept but what was lent (RFC 9051
// 6.2.1).
func (s *Session) Secured(options *Options) {
	c := s.c
	s.Reset(options)
	s.c = c
}

// Compressed continues the session with compression.
func (s *Session) Compressed() {
	s.expect(Compress)
	s.compressed, s.next = true, NeedInput
}

// Lend gives the session memory for commands. It has to have some in every
// Step.
func (s *Session) Lend(c *Command) { s.c = c }

// Reclaim takes the memory back; nil while the session needs it or has none.
func (s *Session) Reclaim() *Command {
	if s.next != NeedInput || s.phase == behindBody || s.appending.reply.Text != "" {
		return nil
	}
	c := s.c
	s.c = nil
	if c != nil {
		c.Trim()
	}
	return c
}

// Command is what Run and AskAppend are about. It lives until Done.
func (s *Session) Command() *Command { return s.c }

// Enabled is what the client has switched on.
func (s *Session) Enabled() imap.Enabled { return s.enabled }

// Selected reports whether the client has a mailbox selected.
func (s *Session) Selected() bool { return s.state == selected }

// Deselect says that the selected mailbox is gone.
func (s *Session) Deselect() {
	if s.state == selected {
		s.become(authenticated)
	}
}

// LoggedIn reports whether the client has logged in.
func (s *Session) LoggedIn() bool { return s.state&loggedIn != 0 }

// Idling reports whether the client is in IDLE.
func (s *Session) Idling() bool { return s.phase == inIdle }

// become is the only assignment of a state but for Reset.
func (s *Session) become(st state) { s.state = st }

// expect panics when the door answers what was not asked.
func (s *Session) expect(question Next) {
	if s.next != question {
		panic("imapd/proto: an answer without its question")
	}
}

// Hangup ends the session on the door's part, and appends BYE with a text in
// US-ASCII. It must not be called in the middle of a response.
func (s *Session) Hangup(code imap.Code, text string, out []byte) []byte {
	s.next = Close
	s.become(loggedOut)
	return imap.Reply{Status: imap.BYE, Code: code, Text: text}.Append(out, nil)
}

// Step consumes a prefix of in, at most one command, appends the reply to out
// and says what is needed next. in holds all bytes that were not consumed so
// far. While a question is open it consumes nothing and repeats the question.
func (s *Session) Step(in, out []byte) (n int, o []byte, next Next) {
	switch {
	case s.next != NeedInput:
		return 0, out, s.next
	case s.appending.reply.Text != "":
		return 0, s.dropAppend(out), Dropped
	case s.phase == inRefused && s.left > 0:
		return s.skip(in), out, s.moreIf(len(in) > 0)
	}
	n, out = s.frame(in, out)
	if n == 0 && s.next == NeedInput {
		return 0, out, s.waiting()
	}
	return n, out, s.resume()
}

// waiting is what a session needs that can do nothing with its input.
func (s *Session) waiting() Next {
	if s.phase == inIdle {
		return Idle
	}
	return NeedInput
}

// resume is the next need after a command: its open question, or none.
func (s *Session) resume() Next { return s.moreIf(true) }

func (s *Session) moreIf(progress bool) Next {
	if s.next == NeedInput && progress {
		return More
	}
	return s.next
}
