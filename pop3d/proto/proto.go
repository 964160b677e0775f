// Package proto is the POP3 server as a pure engine: bytes of the client go
// in, replies come out, and with them the one thing that the session needs
// next. It knows the protocol (RFC 1939, 2449, 2595, 3206, 5034, 6856) and
// nothing else: no socket, no file, no clock, no account.
//
// # How it is driven
//
// Step consumes at most one command and says what is needed next. When that is
// a question (the Ask values), its owner, the door, finds the answer and gives
// it to Answer; until then Step consumes nothing. Message text goes through
// AppendBody, which is the only way from a stored message to the client.
//
//	        Greet
//	          │
//	   AUTHORIZATION ── STLS: StartTLS, then Secured ──┐
//	          │     ◄──────────────────────────────────┘
//	USER, PASS, AUTH: AskAuth
//	          │ Accept, with the number of messages and octets
//	    TRANSACTION    LIST, DELE: AskSize   UIDL: AskUID
//	          │        RETR, TOP: AskMessage, then SendBody until EndBody
//	QUIT: AskUpdate
//	          │
//	        Close
//
// # Who knows what
//
// The engine decides message numbers, deletion marks, totals and the words of
// every reply. The door lends sizes, unique-ids and message text one at a
// time, as answers, so that a listing of a million messages needs no list in
// the engine and no buffer larger than the door likes: between two steps the
// door may wait for the client to read.
//
// # Invariants
//
//   - Any cut of the client's bytes into Steps gives the same conversation.
//   - A line ends in CRLF. A bare LF ends the connection, because neither side
//     could say any more where commands begin.
//   - Every command is answered by exactly one reply, in order (PIPELINING).
//   - Nothing is deleted but by AskUpdate, which only QUIT asks.
//   - What the client sends is bounded by lineMax and never kept, except the
//     name given to USER and the response of a SASL exchange, until the login.
package proto

// Next is what the session needs before it can go on.
type Next uint8

// The needs of a session.
const (
	// NeedInput: no progress is possible with the bytes given.
	NeedInput Next = iota
	// More: call Step again, with or without more input. Nothing has to
	// happen before, so this is where the owner may let the client drain what
	// has piled up.
	More
	// AskAuth: see Credentials. Answers: Accept (with Messages and Octets),
	// Challenge, or a refusal.
	AskAuth
	// AskSize: the octets of message Number as RETR sends it, dot-stuffing not
	// counted. Answer: Accept (with Octets).
	AskSize
	// AskUID: the unique-id of message Number. Answer: Accept (with UID).
	AskUID
	// AskMessage: open message Number. Answers: Accept (with Octets), after
	// which SendBody follows, or a refusal.
	AskMessage
	// SendBody: give the stored text to AppendBody until it wants no more or
	// the text has ended, then call EndBody.
	SendBody
	// AskUpdate: remove the messages that are Deleted, if any, and release
	// the mailbox. Answers: Accept when all are gone, or a refusal.
	AskUpdate
	// StartTLS: send what is queued, negotiate TLS, call Secured. Bytes that
	// the client sent behind its STLS must not be read by anybody.
	StartTLS
	// Close: send what is queued and close.
	Close
)

// TLS is where a session stands with transport security.
type TLS uint8

// The states of TLS.
const (
	TLSNone    TLS = iota // not to be had
	TLSOffered            // STLS will start it
	TLSActive             // everything is encrypted
)

// Options is what the postmaster decided. It is shared by sessions and never
// modified while one uses it.
type Options struct {
	// Hostname is named in the greeting and in the farewell.
	Hostname string
	// Implementation is shown by CAPA (RFC 2449 6.9); empty: not shown. No
	// spaces.
	Implementation string
	// TLS is the state in which sessions with these options are.
	TLS TLS
	// User permits USER and PASS.
	User bool
	// Mechanisms are the SASL mechanisms that may be used, in upper case, in
	// the order in which CAPA shows them. Empty: no AUTH.
	Mechanisms []string
	// UTF8User says that names and passwords may be UTF-8 (RFC 6856 2.2).
	UTF8User bool
	// RawHeaders sends 8-bit headers as they are even to a client that did not
	// switch to UTF-8 mode, as servers older than RFC 6856 do. Otherwise such
	// a client gets a surrogate of the same size; see AppendBody.
	RawHeaders bool
	// ExpireDays is how long messages are kept at least (RFC 2449 6.7);
	// negative: for ever.
	ExpireDays int
	// LoginDelaySeconds is announced when it is not 0 (RFC 2449 6.5). The door
	// enforces it.
	LoginDelaySeconds int
	// ErrorsMax is the number of bad commands and failed logins that a client
	// may send before it has logged in; the last one closes. 0: no limit.
	ErrorsMax int
}

// state is the state of RFC 1939 section 3, as a set so that the table of
// commands can name several.
type state uint8

const (
	authorization state = 1 << iota
	transaction
)

// Session is one client's conversation. The zero value needs Reset. It may be
// copied only before its first Step.
type Session struct {
	options *Options
	login   *login // what USER or AUTH began; nil otherwise and after login
	state   state
	next    Next    // the open question, or NeedInput
	ask     purpose // what the open question is for
	utf8    bool    // UTF8 was given
	errors  uint16  // bad commands and failed logins so far
	scanned uint32  // octets of the input known to hold no LF
	skipped uint32  // octets of an over-long line that are gone
	drop    drop
	body    body
}

// Reset makes the session new, for a connection in the state options.TLS.
func (s *Session) Reset(options *Options) { *s = Session{options: options, state: authorization} }

// Greet appends the greeting (RFC 1939 section 4). There is no timestamp in
// it, which is how a client knows that there is no APOP.
func (s *Session) Greet(out []byte) []byte {
	out = append(out, "+OK "...)
	out = append(out, s.options.Hostname...)
	return append(out, " POP3 server ready\r\n"...)
}

// Secured continues the session under TLS, with the options that hold there.
// Nothing that the client said before is kept (RFC 2595 section 4).
func (s *Session) Secured(options *Options) { s.Reset(options) }

// AmidReply reports whether a multi-line reply is under way, into which
// nothing else may be written.
func (s *Session) AmidReply() bool { return s.drop.cursor != 0 || s.next == SendBody }

// Step consumes a prefix of in, at most one command, appends the reply to out
// and says what is needed next. in holds all bytes that were not consumed so
// far. While a question is open it consumes nothing and repeats the question.
func (s *Session) Step(in, out []byte) (n int, o []byte, next Next) {
	if s.next != NeedInput {
		return 0, out, s.next
	}
	if s.drop.cursor != 0 {
		return 0, s.list(out), s.resume()
	}
	line, n, end := s.cut(in)
	switch end {
	case lineMissing:
		return n, out, NeedInput
	case lineWhole:
		out = s.line(line, out)
	case lineTooLong:
		out = s.tooLong(out)
	case lineBareLF:
		out = s.hangUp(out, "a line ends in CR LF, not in LF")
	case lineEndless:
		out = s.hangUp(out, "line too long")
	}
	return n, out, s.resume()
}

// resume is the next need after a command or a part of a listing: its open
// question, or none.
func (s *Session) resume() Next {
	if s.next == NeedInput {
		return More
	}
	return s.next
}

// hangUp refuses a client that cannot be understood and closes.
func (s *Session) hangUp(out []byte, text string) []byte {
	s.next = Close
	return fail(out, text)
}
