package proto

import "barid/internal/smtp"

// A state is where in the order of commands a session stands. (RFC 5321
// 4.1.4)
type state uint8

const (
	greetState  state = iota // no HELO yet
	readyState               // between transactions
	mailState                // MAIL was accepted
	rcptState                // at least one RCPT was accepted
	bodyState                // the octets of DATA or of a BDAT chunk are coming
	chunkState               // between two BDAT chunks
	failedState              // a chunk has failed; RSET is needed (RFC 3030 2)
	authState                // in an AUTH exchange: lines are responses
	closed                   // nothing more is read
)

// A states is a set of states.
type states uint16

const (
	atGreet  states = 1 << greetState
	atReady  states = 1 << readyState
	atMail   states = 1 << mailState
	atRcpt   states = 1 << rcptState
	atBody   states = 1 << bodyState
	atChunk  states = 1 << chunkState
	atFailed states = 1 << failedState
	atClosed states = 1 << closed

	idle        = atGreet | atReady | atClosed
	transaction = atMail | atRcpt | atBody | atChunk | atFailed
	anytime     = atGreet | atReady | atMail | atRcpt | atChunk | atFailed
)

func (st state) in(set states) bool { return set>>st&1 != 0 }

// An event is what moves a session from state to state.
type event uint8

const (
	greeted         event = iota // a new beginning: TLS is up, XCLIENT was accepted
	helloed                      // HELO, EHLO, LHLO
	mailAccepted                 // 250 to MAIL
	rcptAccepted                 // 250 to RCPT
	bodyBegun                    // 354 to DATA, or a chunk that is wanted
	chunkTaken                   // 250 to a chunk that is not the last
	chunkFailed                  // a chunk was refused, or came out of order
	transactionOver              // committed, refused, RSET
	authBegun                    // 334
	authOver                     // 235, or refused or cancelled
	hungUp                       // 221, 421, 521
)

// after says to which state an event leads.
var after = [...]state{
	greeted:         greetState,
	helloed:         readyState,
	mailAccepted:    mailState,
	rcptAccepted:    rcptState,
	bodyBegun:       bodyState,
	chunkTaken:      chunkState,
	chunkFailed:     failedState,
	transactionOver: readyState,
	authBegun:       authState,
	authOver:        readyState,
	hungUp:          closed,
}

// become is the only assignment of a state.
func (s *Session) become(e event) { s.state = after[e] }

// A demand is what must be true before a verb is looked at.
type demand uint8

const (
	onlySMTP    demand = 1 << iota // unknown in LMTP
	onlyLMTP                       // unknown in SMTP
	beforeTLS                      // allowed although TLS is required (RFC 3207 4)
	needsAuth                      // needs authentication where it is required (RFC 4954 6)
	noArgument                     // 501 with an argument
	skipsChunks                    // has octets behind it also when it is refused
)

// A verb is a row of the table: a command, when it may come, and what it
// does. What comes at another time is refused by outOfOrder.
type verb struct {
	name    string
	in      states
	demands demand
	run     func(s *Session, arg smtp.Text, out []byte) []byte
}

// verbs are the commands, those of every message first.
var verbs = [...]verb{
	{"RCPT", atMail | atRcpt, 0, (*Session).rcpt},
	{"MAIL", atReady, needsAuth, (*Session).mail},
	{"DATA", atRcpt, noArgument, (*Session).data},
	{"BDAT", atRcpt | atChunk, skipsChunks, (*Session).bdat},
	{"RSET", anytime, noArgument, (*Session).rset},
	{"QUIT", anytime, noArgument | beforeTLS, (*Session).quit},
	{"EHLO", anytime, onlySMTP | beforeTLS, (*Session).ehlo},
	{"HELO", anytime, onlySMTP, (*Session).hello},
	{"LHLO", anytime, onlyLMTP | beforeTLS, (*Session).ehlo},
	{"NOOP", anytime, beforeTLS, (*Session).noop},
	{"STARTTLS", atGreet | atReady, noArgument | beforeTLS, (*Session).startTLS},
	{"AUTH", atReady, 0, (*Session).authCommand},
	{"XFORWARD", atGreet | atReady, 0, (*Session).xforward},
	{"XCLIENT", atGreet | atReady, beforeTLS, (*Session).xclient},
	{"VRFY", anytime, needsAuth, (*Session).vrfy},
	{"HELP", anytime, 0, (*Session).help},
	{"EXPN", anytime, 0, (*Session).expn},
	// What a browser says that was sent here by somebody else's page.
	{"GET", anytime, beforeTLS, (*Session).foreign},
	{"POST", anytime, beforeTLS, (*Session).foreign},
	{"PUT", anytime, beforeTLS, (*Session).foreign},
	{"CONNECT", anytime, beforeTLS, (*Session).foreign},
}

// command finds the verb of a line in the table and runs it, if it may come
// now.
func (s *Session) command(line smtp.Text, out []byte) []byte {
	v := s.find(line.Word())
	if v == nil {
		return s.refuse(out, badVerb)
	}
	line.Spaces()
	if r := s.mayRun(v, line); r != none {
		if v.demands&skipsChunks != 0 {
			return s.refuseChunk(refusals[r], line, out)
		}
		return s.refuse(out, r)
	}
	return v.run(s, line, out)
}

// find looks a verb up; nil when this dialect does not know it.
func (s *Session) find(name []byte) *verb {
	unknown := onlyLMTP
	if s.opts.Mode == LMTP {
		unknown = onlySMTP
	}
	for i := range verbs {
		if v := &verbs[i]; len(v.name) == len(name) && smtp.EqualFold(v.name, name) && v.demands&unknown == 0 {
			return v
		}
	}
	return nil
}

// mayRun says why a verb may not come now, or none.
func (s *Session) mayRun(v *verb, arg smtp.Text) refusal {
	switch {
	case s.opts.TLS == TLSRequired && !s.is(secure) && v.demands&beforeTLS == 0:
		return tlsFirst
	case s.opts.Mode == Submission && !s.is(authenticated) && v.demands&needsAuth != 0:
		return authFirst
	case !s.state.in(v.in):
		return s.outOfOrder(v)
	case v.demands&noArgument != 0 && !arg.Empty():
		return noArguments
	}
	return none
}

// outOfOrder is the refusal of a verb that may not come in this state.
func (s *Session) outOfOrder(v *verb) refusal {
	switch {
	case s.state == greetState:
		return helloFirst
	case s.state == failedState:
		return rsetFirst
	case s.state == mailState && v.name == "DATA" && s.opts.Mode != LMTP:
		return noRecipients
	case v.name == "MAIL":
		return nestedMail
	}
	return wrongOrder
}

// endTransaction gives a transaction up, if there is one, and lets the door
// know.
func (s *Session) endTransaction() {
	if !s.InTransaction() {
		return
	}
	s.ended = s.ended || s.state != failedState
	s.forget()
}

// forget makes the session ready for another transaction.
func (s *Session) forget() {
	s.t.reset()
	s.clear(chunked | lastChunk | skipping | bodyDone)
	s.problem, s.chunkLeft, s.received, s.replies = none, 0, 0, 0
	s.become(transactionOver)
}
