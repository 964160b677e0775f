// Package proto is the IMAP server as a pure engine: bytes of the client go
// in, replies come out, and with them the one thing that the session needs
// next. It knows the order of commands and their syntax (RFC 9051, RFC 3501
// and the extensions of imap.Caps) and nothing else: no socket, no mailbox, no
// clock, no account.
//
// # How it is driven
//
// Step consumes at most one command and says what is needed next. Most
// commands become a Command value and Run: the door executes it, appends
// untagged responses of its own, however long that takes, and says Done.
// Until then Step consumes nothing, so that what a client sends ahead never
// runs before what it sent first (RFC 9051 5.5).
//
//	          Greet
//	            │
//	  NOT AUTHENTICATED ── STARTTLS: StartTLS, then Secured ──┐
//	            │     ◄───────────────────────────────────────┘
//	LOGIN, AUTHENTICATE: AskAuth, then Answer
//	            │                  ┌─ IDLE: Idle, until the client says DONE
//	    AUTHENTICATED    ──────────┼─ COMPRESS: Compress, then Compressed
//	            │ ▲                ├─ APPEND, REPLACE: AskAppend, then Accept;
//	SELECT: Run │ │ CLOSE: Run     │     TakeBody; and Run when all is there
//	            ▼ │                │
//	        SELECTED     ──────────┴─ others: Run, then Done
//	            │
//	LOGOUT: Close
//
// # Commands in one piece
//
// A command is consumed when all of it has come, with its literals, and is
// parsed once. What did not come yet stays with the door, so that the engine
// holds nothing for a client that has begun to say something. A literal is
// invited, or refused, when it is announced: a command for which there is no
// room, no verb or no right is answered before its octets are sent. The one
// exception is the text of a message, which may be large: it goes through
// TakeBody, and the command that it belongs to is taken in pieces.
//
// # Invariants
//
//   - Any cut of the client's bytes into Steps gives the same conversation.
//   - A line ends in CRLF. A bare LF ends the connection, because neither side
//     could say any more where commands begin.
//   - Every command has exactly one tagged reply, or the connection ends.
//   - Nothing that the client said before TLS is kept (RFC 9051 6.2.1).
//   - Memory is bounded: a command by commandMax, what is parsed from it by its
//     length and the limits of package imap. All of it is in the Command, which
//     the door lends; an idle session has none.
package proto
