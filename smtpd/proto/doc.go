// Package proto is the server's side of SMTP, submission and LMTP as a pure
// engine: bytes in, replies out, and one next thing that it needs.
//
//	n, out, next := s.Step(in, out)   // consume a prefix of in, append replies
//	out = s.Answer(answer, out)       // resume after a question
//
// A Session has no connection, no clock, no log and no policy. It knows the
// language: which command may come when, what is well formed, what is too
// long or too much. Whether a sender, a recipient, a password or a message is
// welcome it asks its owner, the door; see Next for the questions. The
// contract that it shares with the other engines is docs/engine.md.
//
// The files, in the order in which a message meets them:
//
//	options.go      what a listener offers, demands and limits
//	session.go      Step and Answer
//	line.go         bytes become command lines
//	table.go        verb, state, function: the order of commands, and the only
//	                place that assigns a state
//	hello.go        HELO EHLO LHLO and what is offered; the small verbs
//	mail.go         MAIL and RCPT
//	data.go         DATA and BDAT, and the body that follows them
//	header.go       what is looked at while a body passes
//	auth.go         AUTH
//	xclient.go      XCLIENT and XFORWARD
//	transaction.go  the memory of one transaction, lent by the door
//	reply.go        every refusal, in one table
//
// # Invariants
//
// Any cut of the input gives the same replies, questions and bodies. A bare
// CR or LF ends neither a line nor a message: it ends the connection. A reply
// is never given before its question was answered. A body is offered to
// Commit only whole. Memory is bounded: by the line limit, RcptMax and the
// line limit again for a transaction, and a session that waits for a command
// holds nothing but itself and the client's HELO name.
//
// # Standards
//
// RFC 5321, 1870 (SIZE), 2033 (LMTP), 2034 and 3463 (enhanced codes), RFC 2920
// (PIPELINING), 3030 (CHUNKING, BINARYMIME), 3207 (STARTTLS), 3461 (DSN),
// 3848 (the WITH of Received), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8),
// 7504 (521), 9422 (LIMITS); XCLIENT and XFORWARD as Postfix describes them.
package proto
