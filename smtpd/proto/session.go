package proto

import (
	"barid/internal/smtp"
)

// Next is what a session needs from its door.
type Next uint8

// The needs. Those named Ask and Commit are questions: they are answered with
// Answer, and until then Step consumes nothing and repeats them.
const (
	// NeedInput: nothing can be done with the octets given. Octets that were
	// not consumed come again, with more behind them.
	NeedInput Next = iota
	// More: the replies of this call have become many. Nothing has to happen;
	// call Step again, with the octets that are left. Here the door may wait
	// until the client has read them.
	More
	// AskMail: may this sender (Mail) begin a transaction?
	AskMail
	// AskRcpt: is this recipient (Rcpt) welcome?
	AskRcpt
	// AskData: may the body come now? The door opens what it writes into.
	// Asked once per transaction, for DATA and for the first BDAT.
	AskData
	// TakeBody: call TakeBody with the octets that are there.
	TakeBody
	// Commit: the body is whole; is the message accepted for good? LMTP wants
	// one answer for each recipient, in order.
	Commit
	// AskAuth: what does the mechanism say to this response (Auth)?
	AskAuth
	// AskXClient: take these attributes (Client) for the client's own.
	AskXClient
	// AskXForward: take these attributes (Client) for the log.
	AskXForward
	// Ended: the transaction that was begun with AskMail, or the exchange
	// that was begun with AskAuth, is over without success: drop what is held
	// for it. No answer; call Step again.
	Ended
	// StartTLS: send what is queued, do the handshake as server, then call
	// Secure. Octets of the client that are already there are an attack:
	// close.
	StartTLS
	// Close: send what is queued and close. What is held for a transaction
	// is to be dropped as for Ended.
	Close
)

// A Verdict is the first word of an Answer.
type Verdict uint8

// The verdicts. There is no zero verdict, so that a forgotten one is found.
const (
	Accept    Verdict = iota + 1
	Refuse            // Reply says why: 4xx or 5xx; 421 and 521 also close
	Challenge         // AskAuth only: send Data as a challenge and go on
)

// An Answer is the door's answer to a question.
type Answer struct {
	Verdict Verdict
	// Reply is what the client is told. With Accept it may be the zero Reply,
	// which stands for the usual one.
	Reply smtp.Reply
	// Data is the challenge, before base64.
	Data []byte
}

// A Session is the server's side of one connection. It is a value: make it
// with Reset, use it again with Reset. It is small, because most sessions
// wait; what a transaction needs is lent (see Transaction).
//
// The methods are not for concurrent use.
type Session struct {
	opts *Options
	t    *Transaction // lent; nil while idle
	helo []byte       // the client's name for itself; memory kept across Reset

	chunkLeft int64 // octets of the BDAT chunk that are still to come
	received  int64 // octets of all chunks announced in this transaction

	mails    int32  // transactions begun
	commands int32  // lines read
	errors   int32  // 5xx replies given
	replies  int32  // LMTP: how many are still to be given for the message
	searched uint16 // octets of the next line that hold no LF

	state    state
	asked    Next    // the open question; NeedInput for none
	problem  refusal // why the body cannot be accepted
	facts    fact
	overlong bool // in a line over the limit
	ended    bool // Ended is to be reported
}

// A fact is something true of a session.
type fact uint8

const (
	esmtp         fact = 1 << iota // greeted with EHLO or LHLO
	secure                         // TLS is up
	authenticated                  // AUTH succeeded, or the door said so
	chunked                        // the transaction uses BDAT
	lastChunk                      // this chunk is the last
	skipping                       // this chunk is thrown away
	bodyDone                       // the end of the body or chunk has been seen
)

func (s *Session) is(f fact) bool { return s.facts&f != 0 }
func (s *Session) set(f fact)     { s.facts |= f }
func (s *Session) clear(f fact)   { s.facts &^= f }

// Reset makes s a new session with these options, which it keeps. Memory
// that was lent is kept too.
func (s *Session) Reset(opts *Options) {
	if s.t != nil {
		s.t.reset()
	}
	*s = Session{opts: opts, t: s.t, helo: s.helo[:0]}
}

// Lend gives the session memory for a transaction. It needs some whenever
// Step is called with octets to consume.
func (s *Session) Lend(t *Transaction) {
	if s.t != nil {
		panic("proto: memory lent twice")
	}
	t.reset()
	s.t = t
}

// Reclaim takes the memory back, or returns nil when a transaction, a body or
// an exchange is under way, or none was lent.
func (s *Session) Reclaim() *Transaction {
	if s.t == nil || !s.Idle() {
		return nil
	}
	t := s.t
	s.t = nil
	t.trim()
	return t
}

// Release takes the memory back in any case, for a session that is thrown
// away. The session must be Reset before it is used again.
func (s *Session) Release() *Transaction {
	t := s.t
	s.t = nil
	if t != nil {
		t.trim()
	}
	return t
}

// Idle reports whether the session waits for a command outside of any
// transaction, body or exchange.
func (s *Session) Idle() bool {
	return s.state.in(idle) && s.asked == NeedInput && !s.is(skipping) && !s.ended
}

// moreMax is after how many octets of replies Step stops for a moment: a
// packet full of EHLO would make a hundred packets of replies.
const moreMax = 4 << 10

// Step consumes a prefix of in, appends replies to out, and says what is
// needed now. in holds the octets that were not consumed before and what has
// come since. Commands that were sent together are all answered in one call,
// until there is a question or too much to say at once.
func (s *Session) Step(in, out []byte) (n int, o []byte, next Next) {
	before := len(out)
	for {
		switch {
		case s.state == closed:
			return n, out, Close
		case s.ended:
			s.ended = false
			return n, out, Ended
		case s.asked == StartTLS && len(in) > n && n == 0:
			s.become(hungUp) // the client did not wait for the handshake
			continue
		case s.asked != NeedInput:
			return n, out, s.asked
		case s.is(bodyDone):
			out = s.endBody(out)
			continue
		case s.is(skipping) && s.chunkLeft == 0:
			out = s.endSkip(out)
			continue
		case n == len(in):
			return n, out, NeedInput
		case s.state == bodyState:
			return n, out, TakeBody
		case s.is(skipping):
			n += s.skip(in[n:])
			continue
		case len(out)-before >= moreMax:
			return n, out, More
		}
		line, used, kind := s.nextLine(in[n:])
		n += used
		if kind == lineMissing {
			return n, out, NeedInput
		}
		out = s.takeLine(line, kind, out)
	}
}

// takeLine does what a line asks for.
func (s *Session) takeLine(line smtp.Text, kind lineKind, out []byte) []byte {
	s.commands++
	switch {
	case kind == lineBareEnd:
		return s.refuse(out, badLineEnd)
	case s.opts.CommandsMax > 0 && int(s.commands) > s.opts.CommandsMax:
		return s.refuse(out, tooManyCommands)
	case s.state == authState:
		return s.authLine(line, kind, out)
	case kind == lineLong:
		return s.refuse(out, lineTooLong)
	case kind == lineDirty:
		return s.refuse(out, badCharacter)
	}
	return s.command(line, out)
}

// Answer answers the open question and appends the reply. Step goes on from
// there.
func (s *Session) Answer(a Answer, out []byte) []byte {
	asked := s.asked
	if a.Verdict == 0 || a.Verdict == Challenge && asked != AskAuth || a.Verdict == Refuse && a.Reply.Code < 400 {
		panic("proto: not an answer")
	}
	s.asked = NeedInput
	yes := a.Verdict == Accept
	switch asked {
	case AskMail:
		return s.mailAnswered(yes, a.Reply, out)
	case AskRcpt:
		return s.rcptAnswered(yes, a.Reply, out)
	case AskData:
		return s.dataAnswered(yes, a.Reply, out)
	case Commit:
		return s.commitAnswered(yes, a.Reply, out)
	case AskAuth:
		return s.authAnswered(a, out)
	case AskXClient, AskXForward:
		return s.clientAnswered(asked, yes, a.Reply, out)
	}
	panic("proto: an answer without a question")
}

// answer appends the door's reply, or the usual one when the door has
// accepted without a word.
func (s *Session) answer(out []byte, yes bool, given smtp.Reply, code int, status smtp.Status, text string) []byte {
	if yes && given.Code == 0 {
		return ok(out, code, status, text)
	}
	return s.say(out, given)
}

// ask opens a question.
func (s *Session) ask(q Next) { s.asked = q }

// Hangup appends a last reply and closes the session: 421 when the client
// was too slow or the server shuts down, 554 or 521 when it is not welcome.
// Step then only says Close.
func (s *Session) Hangup(r smtp.Reply, out []byte) []byte {
	s.become(hungUp)
	return r.Append(out)
}

// Secure tells the session that TLS is up: after StartTLS, or before Greet on
// a port with implicit TLS. What the client said before is forgotten.
// (RFC 3207 4.2)
func (s *Session) Secure() {
	s.asked = NeedInput
	s.clear(esmtp | authenticated)
	s.set(secure)
	s.helo = s.helo[:0]
	s.become(greeted)
}

// SetAuthenticated says whether the client counts as authenticated for
// another reason than AUTH: its address, its certificate, LOGIN of XCLIENT.
func (s *Session) SetAuthenticated(yes bool) {
	s.clear(authenticated)
	if yes {
		s.set(authenticated)
	}
}

// Authenticated reports whether the client has authenticated.
func (s *Session) Authenticated() bool { return s.is(authenticated) }

// InTransaction reports whether a MAIL has been accepted whose message is
// neither committed nor given up.
func (s *Session) InTransaction() bool { return s.state.in(transaction) }

// Helo is the name that the client has given itself, valid until it gives
// another; empty before.
func (s *Session) Helo() []byte { return s.helo }

// Errors is how many commands got a 5xx reply so far.
func (s *Session) Errors() int { return int(s.errors) }

// Transaction is the envelope so far. It is nil while no memory is lent.
func (s *Session) Transaction() *Transaction { return s.t }

// Mail is what AskMail is about; valid until the transaction is over.
func (s *Session) Mail() *Mail { return &s.t.Mail }

// Rcpt is what AskRcpt is about; valid until the answer, and when that is
// Accept, until the transaction is over.
func (s *Session) Rcpt() *Recipient { return &s.t.rcpt }

// Auth is what AskAuth is about; valid until the answer.
func (s *Session) Auth() *Exchange { return &s.t.auth }

// Client is what AskXClient and AskXForward are about; valid until the
// answer.
func (s *Session) Client() *Client { return &s.t.client }

// Body is what is known of the body so far; all of it at Commit.
func (s *Session) Body() BodyFacts {
	return BodyFacts{
		Octets:   s.t.body.Octets,
		Lines:    s.t.body.Lines,
		Header:   s.t.header.octets,
		Received: int(s.t.header.received),
		Longest:  s.t.body.Longest,
	}
}

// NextRcpt is the index in Transaction.Recipients of the recipient that the
// next answer to Commit is for. It is 0 but for LMTP.
func (s *Session) NextRcpt() int {
	if s.opts.Mode != LMTP {
		return 0
	}
	return len(s.t.Recipients) - int(s.replies)
}
