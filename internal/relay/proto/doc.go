// Package proto is the client's side of SMTP and LMTP as a pure engine: bytes
// in, commands out, and one next thing that it needs.
//
//	n, out, next := c.Step(in, out)   // consume a prefix of in, append commands
//
// A Client is one connection, from the greeting to QUIT, with any number of
// transactions. It has no socket, no clock, no log and no policy. It knows the
// language: what to say when, which reply belongs to which command, and what
// that means for each recipient. Where to connect, how long to wait, whether a
// certificate is good and what to do with a recipient that was refused is for
// its owner. The contract that it shares with the other engines is
// docs/engine.md; docs/relay.md tells its own.
//
// The files, in the order in which a connection meets them:
//
//	options.go      what a destination wants and what a server may offer
//	client.go       Step, the end of a connection, what is known of it
//	table.go        the states, what each awaits, and the only place that
//	                assigns one
//	hello.go        the greeting, EHLO, HELO, LHLO, STARTTLS
//	auth.go         AUTH
//	transaction.go  a message, its recipients and their outcomes
//	admit.go        what is decided without asking the server
//	envelope.go     MAIL, RCPT and DATA, one by one or all at once
//	body.go         the body, by DATA or by BDAT, and the replies to it
//	verdict.go      what the engine itself says of a message or a server
//
// # Invariants
//
// Any cut of the input gives the same conversation. Replies are matched with
// commands by counting, never by what they say. When a transaction is over
// each of its recipients has exactly one outcome; it is Delivered only if the
// server has said so in reply to the end of the message, and Permanent only
// if the server or this package has said so about this message. Whatever goes
// wrong with a connection is Temporary, so that nothing is lost. No octet of a
// message is sent to a server that could take it for a command, and no octet
// of an address that could end one.
//
// # Standards
//
// RFC 5321, 1870 (SIZE), 2033 (LMTP), 2034 and 3463 (enhanced codes), 2920
// (PIPELINING), 3030 (CHUNKING, BINARYMIME), 3207 (STARTTLS), 3461 (DSN), 4954
// (AUTH) with 4616 (PLAIN), 6152 (8BITMIME), 6531 (SMTPUTF8), 7504 (521), 9422
// (LIMITS).
package proto
