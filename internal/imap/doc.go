// Package imap is the grammar of IMAP, for servers and for clients: what
// stands in a command is taken apart by a Parser, and responses are made by
// appenders. It knows RFC 9051 and RFC 3501 and the extensions that Caps
// lists, and nothing else: no connection, no mailbox, no clock.
//
// # Parsing
//
// A Parser walks once over a whole command, literals included, in memory of
// its own, and lends what it finds: decoded strings, sets, FETCH items, the
// tree of a SEARCH. Its methods are named after the rules of the ABNF; they
// return a Fault, in words for the client, which is empty when all is well.
// Parsing allocates nothing once the memory has grown.
//
//   - Everything is bounded by the length of the command, and what could be
//     larger than its text (search keys, FETCH items, depth) by limits of its
//     own.
//   - Quoted strings are unescaped where they stand, so a text is parsed once.
//   - Strings are given as octets. What is a mailbox name is given as UTF-8,
//     with INBOX in capitals, whichever way the client spelled it.
//
// # Encoding
//
// Appenders write the shortest spelling that every client of the dialect
// understands: an atom where that is allowed, else a quoted string, and a
// literal for what cannot be quoted. A string with octets above 127 is quoted
// for a client that has enabled UTF-8 and a literal otherwise; names are in
// modified UTF-7 for the latter.
package imap
