package loop

import (
	"crypto/tls"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one connection as its Session sees it. Its methods may be called
// only from within the methods of that Session, and not after its Close.
type Conn struct {
	id      uint64
	ln      *Listener
	session Session
	remote  netip.AddrPort
	key     netip.Addr // under which the listener counts it, if it does so per address
	rare    *rare      // what most connections do not have

	// Owned by the goroutine that runs the connection.
	secure     *secure // TLS; nil while plain
	in, out    *buffer // lent; nil while there is nothing unread or unsent
	worker     *worker // who runs it now
	patience   instant // when the client's patience ends
	stuck      instant // when unsent output is given up; 0 with none
	pause      instant // when WaitPause is over
	owed       int32   // what must be sent before stuck, of the output queued when it was set
	seen       int32   // how much of the unread input the Session has been shown
	discarded  int32   // while lingering
	fd         int32
	phase      phase
	wait       Wait
	class      int8 // size of the next input buffer
	readable   bool // the socket may have something to read
	hungUp     bool // the peer has shut down its side, or the connection failed
	blocked    bool // EPOLLOUT is awaited
	watched    bool // the descriptor is in the epoll set
	watchedOut bool // with EPOLLOUT
	busy       bool // SetBusy
	counted    bool // among the open connections of its listener
	woken      bool // Waker.Wake was called since the last Step

	// Guarded by Loop.mu.
	state   state
	pending events
	next    *Conn // in the ready queue

	timer timer
}

// rare holds what few connections need.
type rare struct {
	local netip.AddrPort // from a PROXY header
	held  int            // see SetHeld
	asked bool           // to give that back
}

// Credentials are those of the process at the other end of a unix socket.
type Credentials struct {
	PID      int32
	UID, GID uint32
}

// ID is unique among the connections of a Loop, and increasing.
func (c *Conn) ID() uint64 { return c.id }

// Listener is the one that accepted the connection.
func (c *Conn) Listener() *Listener { return c.ln }

// RemoteAddr is the client's address: as accepted, as told by a PROXY header,
// or as set by SetRemoteAddr. It is the zero AddrPort on unix sockets.
// IPv4 addresses are never in their IPv6-mapped form.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// SetRemoteAddr changes what RemoteAddr says (XCLIENT). The connection goes
// on being counted under the address that it came from.
func (c *Conn) SetRemoteAddr(a netip.AddrPort) { c.remote = a }

// LocalAddr is the address that the client connected to, as the socket or the
// PROXY header has it. It is the zero AddrPort on unix sockets. It costs a
// system call.
func (c *Conn) LocalAddr() netip.AddrPort {
	if c.rare != nil && c.rare.local.IsValid() {
		return c.rare.local
	}
	sa, err := syscall.Getsockname(int(c.fd))
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPortOf(sa)
}

// Peer tells who is at the other end of a unix socket; false on TCP.
func (c *Conn) Peer() (Credentials, bool) {
	if !c.ln.unix {
		return Credentials{}, false
	}
	u, err := unix.GetsockoptUcred(int(c.fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Credentials{}, false
	}
	return Credentials{PID: u.Pid, UID: u.Uid, GID: u.Gid}, true
}

// TLS describes the TLS connection; nil while there is none. The value is
// made anew by each call: keep it rather than ask again.
func (c *Conn) TLS() *tls.ConnectionState {
	if c.secure == nil || !c.secure.up {
		return nil
	}
	s := c.secure.conn.ConnectionState()
	return &s
}

// Out is the queued output, for appending: c.SetOut(append(c.Out(), ...)).
// At least 512 bytes can be appended without an allocation. The slice is valid until
// the method of the Session returns.
func (c *Conn) Out() []byte { return c.OutRoom(outRoomMin) }

// OutRoom is Out with room for n more bytes.
func (c *Conn) OutRoom(n int) []byte {
	c.out = c.ln.loop.memory.grow(c.out, n)
	return c.out.data[:c.out.end]
}

// SetOut puts back the slice got from Out, extended.
func (c *Conn) SetOut(b []byte) {
	c.out = c.ln.loop.memory.adopt(c.out, b)
}

// Queued is how many bytes of output have not been sent yet (with TLS
// including its framing).
func (c *Conn) Queued() int {
	n := c.out.unread()
	if c.secure != nil {
		n += c.secure.sealed.unread()
	}
	return n
}

// Pending says whether the client has sent input that was not consumed yet.
// It looks at the socket: in Open it finds clients that talk before they are
// greeted.
func (c *Conn) Pending() bool {
	if c.in.unread() == 0 {
		c.readable = true
		c.fill()
	}
	return c.in.unread() > 0
}

// SetPatience starts the wait of kind p anew: unless SetPatience is called
// again, the Session expires when the listener's duration for p is over,
// however much the client sends meanwhile. So a Session calls it when it
// begins to wait for a command, and in a long body each time that a fair
// amount has come; then a client that trickles does not live for ever.
// The resolution is one second. Time spent in WaitDrain or WaitPause counts,
// but nothing expires before it waits for input again.
func (c *Conn) SetPatience(p Patience) {
	c.patience = c.ln.loop.deadline(c.ln.opts.Patience[p&7])
}

// PauseFor sets how long the WaitPause that follows lasts. The resolution is
// 50 milliseconds.
func (c *Conn) PauseFor(d time.Duration) {
	c.pause = c.ln.loop.fresh().add(d)
}

// SetBusy says whether the Session is amid something that a shutdown should
// let finish, such as a transaction. While it is not, shutdown expires it.
func (c *Conn) SetBusy(busy bool) { c.busy = busy }

// Blocking must be called before anything that can wait for something else
// than the client: another goroutine takes over the care of the other
// connections. It holds until the method of the Session returns. Calling it
// again is free.
func (c *Conn) Blocking() {
	if w := c.worker; w != nil && !w.asked {
		w.asked = true
		c.ln.loop.block(w)
	}
}
