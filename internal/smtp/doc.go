// Package smtp is the grammar of SMTP (RFC 5321 and its extensions), shared
// by the server's engine and by whoever speaks SMTP as a client: command
// lines, paths, mailboxes, parameters, xtext, replies, and the transfer form
// of a message body.
//
// Text is the rest of a line. Its methods are named after the rules of the
// ABNF, stand below the rule they implement, and consume what they accept:
// a method that returns false has consumed nothing. Slices that they return
// point into the line.
//
// BodyDecoder and BodyEncoder are the only code of the tree that knows how a
// message looks on the wire: CR, LF and the dots. Inside, a message has LF
// line ends. A bare CR or a bare LF never ends a line; the decoder refuses
// both, so that the LF form loses nothing and so that no other server can see
// two messages where this one sees one, or the reverse.
//
// The package is pure: no I/O, no clock, no shared state.
package smtp
