package proto

import "strconv"

// Verdict is the kind of an Answer.
type Verdict uint8

// The verdicts. The words of a refusal are the engine's, so that they betray
// no more than their kind.
const (
	// Accept: it is so. What else the answer holds depends on the question.
	Accept Verdict = iota
	// Challenge continues a SASL exchange.
	Challenge
	// RefuseAuth: the credentials are not right, whatever is wrong with them
	// (RFC 3206 section 5).
	RefuseAuth
	// RefuseMalformed: the response breaks the grammar of the mechanism.
	RefuseMalformed
	// RefuseInUse: another session has the mailbox (RFC 2449 8.1.2).
	RefuseInUse
	// RefuseLoginDelay: the last login was too short a time ago (RFC 2449
	// 8.1.1).
	RefuseLoginDelay
	// RefuseTemporary: something of ours failed; trying later may help (RFC
	// 3206 section 4).
	RefuseTemporary
	// RefusePermanent: something of ours is wrong until a person mends it.
	RefusePermanent
)

// refusals are the replies of the verdicts, with their response codes (RFC
// 2449 section 8).
var refusals = [...]string{
	RefuseAuth:       "[AUTH] authentication failed",
	RefuseMalformed:  "malformed response",
	RefuseInUse:      "[IN-USE] another session has this mailbox open",
	RefuseLoginDelay: "[LOGIN-DELAY] you logged in a short while ago, come back later",
	RefuseTemporary:  "[SYS/TEMP] the server has a temporary problem, try again later",
	RefusePermanent:  "[SYS/PERM] the server has a problem, tell its postmaster",
}

// Answer is the owner's answer to a question of Step. Its slices are not kept.
type Answer struct {
	Verdict Verdict
	// Challenge is what a SASL exchange says to the client.
	Challenge []byte
	// Messages is what the opened mailbox holds.
	Messages int
	// Octets is the size of the mailbox (AskAuth) or of the message (AskSize,
	// AskMessage).
	Octets int64
	// UID is the unique-id of the message: 1 to 70 characters from 0x21 to
	// 0x7E (RFC 1939 section 7).
	UID []byte
}

// Answer resumes the session after a question and appends the reply. An answer
// to a question that was not asked is a programming error and panics.
func (s *Session) Answer(a Answer, out []byte) []byte {
	question := s.next
	s.next = NeedInput
	switch question {
	case AskAuth:
		return s.answerAuth(a, out)
	case AskSize, AskUID:
		return s.answerListing(a, out)
	case AskMessage:
		return s.answerMessage(a, out)
	case AskUpdate:
		return s.answerUpdate(a, out)
	}
	panic("pop3d/proto: an answer without a question")
}

func ok(out []byte, text string) []byte {
	out = append(out, "+OK "...)
	out = append(out, text...)
	return append(out, '\r', '\n')
}

func fail(out []byte, text string) []byte {
	out = append(out, "-ERR "...)
	out = append(out, text...)
	return append(out, '\r', '\n')
}

func refuse(out []byte, v Verdict) []byte { return fail(out, refusals[v]) }

// bad answers a command that the client should not have sent. Before the login
// these are counted: a client that does nothing else is no mail client.
func (s *Session) bad(out []byte, text string) []byte {
	s.countError()
	return fail(out, text)
}

func (s *Session) countError() {
	if s.state != authorization || s.options.ErrorsMax == 0 {
		return
	}
	s.errors++
	if int(s.errors) >= s.options.ErrorsMax {
		s.next = Close
	}
}

// appendPair appends two numbers, as a drop listing or a scan listing.
func appendPair(out []byte, a int, b int64) []byte {
	out = strconv.AppendInt(out, int64(a), 10)
	out = append(out, ' ')
	return strconv.AppendInt(out, b, 10)
}

// appendHoldings appends what a maildrop holds, in words.
func appendHoldings(out []byte, messages int, octets int64) []byte {
	out = appendMessages(out, messages)
	out = append(out, " ("...)
	out = strconv.AppendInt(out, octets, 10)
	return append(out, " octets)"...)
}

func appendMessages(out []byte, messages int) []byte {
	out = strconv.AppendInt(out, int64(messages), 10)
	if messages == 1 {
		return append(out, " message"...)
	}
	return append(out, " messages"...)
}
