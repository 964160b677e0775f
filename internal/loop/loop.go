// Package loop serves many connections with few goroutines. A connection
// that waits for its client is parked: it is one Conn, its Session and an
// epoll entry, without goroutine, stack or buffer.
//
// # How it runs
//
// All sockets sit edge-triggered in one epoll set. The descriptor of that set
// is itself watched by Go's own poller, so no thread is ever blocked in
// epoll_wait. Worker goroutines take turns: the one that finds no ready
// connection becomes the poller; when events come it queues the connections,
// takes the first and runs its Session on the spot, without a switch of
// goroutine. Another worker is woken only when there is more ready work than
// running workers, or when a Session announces by Conn.Blocking that it is
// about to wait for something else than its client.
//
// # Invariants
//
//   - A Session runs on at most one goroutine at a time. Whatever happens to
//     its connection meanwhile (input, room for output, a deadline, shutdown)
//     is noted in one mask, and looked at before the connection is parked.
//   - An event reaches only the connection that it was meant for: descriptors
//     are reused, so each epoll entry carries the number of the connection.
//   - Buffers are lent while there is something unread or unsent, no longer.
//   - Session.Close is called exactly once for every Session that New made.
//
// docs/loop.md has the reasons and the measurements.
package loop

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"
)

// Session is one conversation. The loop calls its methods one at a time,
// never two at once. A method may use the CPU for some tens of microseconds;
// before anything that can take longer (disk, DNS, a password hash) it calls
// Conn.Blocking.
type Session interface {
	// Open is called once the connection is ready to talk: accepted, the
	// PROXY header read where one is expected, and TLS up on implicit-TLS
	// listeners. It queues the greeting.
	Open(c *Conn) Wait
	// Step is called when what the Session waited for has happened. in holds
	// all input that was not consumed yet, possibly none; it is valid until
	// Step returns. Step consumes in[:n] and says what it waits for next.
	//
	// After WaitInput, Step is called only when in has grown or somebody has
	// called Waker.Wake. At most 64 KiB are gathered: a Session that needs more
	// consumes as it goes.
	Step(c *Conn, in []byte) (n int, w Wait)
	// Expire queues last words (such as 421). The loop sends them and closes
	// the connection.
	Expire(c *Conn, why Reason)
	// Close says that the conversation is over; the Session releases what it
	// holds and must not use c afterwards. why is nil when the Session itself
	// ended it (WaitClose, Expire), io.EOF when the client closed, else what
	// went wrong. Close may be called while output is still being sent.
	Close(c *Conn, why error)
}

// Wait says what a Session waits for.
type Wait uint8

const (
	// WaitInput: more input than was given. The connection is parked.
	WaitInput Wait = iota
	// WaitDrain: all queued output sent. With nothing queued, Step is called
	// again after other ready connections had their turn.
	WaitDrain
	// WaitPause: the time given to Conn.PauseFor. No input is read meanwhile.
	WaitPause
	// WaitTLS: queued output is sent, then a TLS handshake runs with the
	// listener's configuration; then Step is called and Conn.TLS is not nil.
	// Unread plain input closes the connection (CVE-2011-0411).
	WaitTLS
	// WaitClose: queued output is sent, then the connection is closed.
	WaitClose
)

// Reason says why a Session is asked for its last words.
type Reason uint8

const (
	// Timeout: the client's patience ran out (see Conn.SetPatience).
	Timeout Reason = iota
	// Shutdown: the server stops.
	Shutdown
	// Overload: the buffers of all connections exceed Options.MemoryMax.
	Overload
)

// String gives the reason in one word, for logs.
func (r Reason) String() string {
	switch r {
	case Timeout:
		return "timeout"
	case Shutdown:
		return "shutdown"
	}
	return "overload"
}

// Patience is an index into ListenOptions.Patience: the kinds of waiting that
// a protocol knows (greeting, command, body, ...). The door names them.
type Patience uint8

// Options are the settings of a Loop. The zero value is usable.
type Options struct {
	// Workers is how many sessions run at the same time, not counting those
	// that called Conn.Blocking. 0: GOMAXPROCS.
	Workers int
	// WorkersMax bounds the worker goroutines including the blocked ones.
	// When all are blocked, nothing else runs. 0: 1024.
	WorkersMax int
	// MemoryMax bounds the bytes of lent buffers of parked connections, and of
	// what their Sessions hold (Conn.SetHeld).
	// 0: 256 MiB.
	MemoryMax int64
	// ConnMax bounds the open connections of all listeners, those included that
	// were refused and are not closed yet. 0: what RLIMIT_NOFILE allows, less a
	// quarter, or 512, for files.
	ConnMax int
	// HandshakesMax bounds the TLS handshakes that are under way; more wait
	// for their turn. 0: 256.
	HandshakesMax int
	// Clock, when not nil, replaces the real time: each value received is the
	// new now. For tests.
	Clock <-chan time.Time
	// Log gets what an operator should see. nil: slog.Default().
	Log *slog.Logger
}

// ListenOptions are the settings of one listener. New is required.
type ListenOptions struct {
	// Name of the listener, for logs and statistics.
	Name string
	// New makes the Session of a connection.
	New func(c *Conn) Session
	// TLS is used at once when Implicit is set, else by WaitTLS.
	TLS *tls.Config
	// Implicit: the handshake comes before Session.Open.
	Implicit bool
	// Patience is the table behind Conn.SetPatience. Entry 0 holds from the
	// start. 0: 5 minutes.
	Patience [8]time.Duration
	// WriteTimeout is the time that a client has to take all queued output.
	// 0: 5 minutes.
	WriteTimeout time.Duration
	// HandshakeTimeout is the time for a TLS handshake and, separately, for
	// a PROXY header. 0: 30 seconds.
	HandshakeTimeout time.Duration
	// HighWater: a Session whose unsent output exceeds this many bytes gets
	// no further input. 0: 64 KiB.
	HighWater int
	// ConnMax bounds the open connections of the listener. 0: no limit.
	ConnMax int
	// ConnPerAddrMax bounds the open connections from one IPv4 address or one
	// IPv6 /64. 0: no limit.
	ConnPerAddrMax int
	// TooMany are the last words for a connection over a limit. Not sent on
	// implicit-TLS listeners.
	TooMany []byte
	// Proxy says from which addresses a PROXY protocol header is required.
	// nil: from none.
	Proxy func(netip.Addr) bool
}
