// Package relay hands mail to other servers: it is the spool's agent for
// destinations of the forms "smtp:…" and "lmtp:…".
//
// A job goes through the files in this order:
//
//	key.go       what a destination key says
//	relay.go     Deliver: one destination after the other
//	work.go      recipients with one return path become a batch
//	pool.go      a connection that is still open from the message before
//	way.go       else: MX and address lookups, one candidate after the other
//	dial.go      TCP, the greeting, EHLO, TLS, AUTH, until the server is ready
//	tls.go       which certificate is good enough
//	transact.go  a batch is sent, and who is left tried again at once
//	conn.go      the conversation: the owner of a proto.Client
//	convert.go   the message as the server can take it
//	body.go      its octets, piece by piece
//	outcome.go   what the spool is told, report.go what the log is
//
// Language and verdicts of SMTP are internal/relay/proto's; this package has
// the sockets, the clock, the DNS and the policy. policies.go and passwords.go
// read the files in which operators write it.
//
// # Invariants
//
// A recipient is Delivered only when a server has said so. Whatever goes wrong
// with the network, the DNS, TLS or a login is Deferred. A message that is not
// what was received is never sent: its checksum is verified before the first
// command. A password goes only to a server for which it was written down,
// and not without TLS. An idle connection holds no buffers, and counts against
// ConnectionsMax like any other.
//
// # Standards
//
// RFC 5321 section 5 (MX), 4.5.3.2 (time-outs); RFC 7505 (null MX); RFC 7435
// (opportunistic security); RFC 2033 (LMTP); RFC 3461 (which report is whose).
package relay
