package loop

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Package syscall rather than x/sys/unix accepts here, and reads and writes
// elsewhere: unix.Accept4 asks for the protocol of each socket with another
// system call, and the race detector knows that what is sent through package
// syscall happens before what is received through it.

// acceptMax is how many connections are accepted before others get a turn.
const acceptMax = 64

// accept takes the connections that wait. It runs on a worker like a session
// does, and the worker then opens the connection that it has just accepted.
func (li *Listener) accept() verdict {
	for range acceptMax {
		if li.loop.stopping.Load() {
			return done
		}
		fd, sa, err := syscall.Accept4(int(li.conn.fd), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err == syscall.EMFILE || err == syscall.ENFILE {
			if err = li.loop.refuseOne(int(li.conn.fd)); err == nil {
				li.accepted.Add(1)
				li.refused.Add(1)
				continue
			}
		}
		switch err {
		case nil:
			li.admit(int32(fd), sa)
		case syscall.EAGAIN:
			return done
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
			syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK:
			return li.rest(err)
		default: // EINTR, ECONNABORTED, and what the network had for the new socket
		}
	}
	return again
}

// rest stops accepting until the next tick.
func (li *Listener) rest(err error) verdict {
	li.loop.mu.Lock()
	already := li.resting // and yet a new connection woke it
	li.resting = true
	li.loop.mu.Unlock()
	if !already {
		li.loop.log.Warn("cannot accept", "listener", li.opts.Name, "err", err)
	}
	return done
}

// refuseOne accepts and closes one connection with the descriptor kept in
// reserve for the moment when there are no more. Clients then learn at once
// that they are not served, and the listener does not stay ready for ever.
func (l *Loop) refuseOne(listener int) error {
	l.reserveMu.Lock()
	defer l.reserveMu.Unlock()
	if l.reserve >= 0 {
		unix.Close(l.reserve)
		l.reserve = -1
	}
	fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	if err == nil {
		unix.Close(fd)
	}
	l.openReserve()
	return err // EAGAIN: none waits; without descriptors, accept does not say so itself
}

// openReserve takes the reserve descriptor, if there is one to be had.
func (l *Loop) openReserve() {
	fd, err := unix.FcntlInt(uintptr(l.poller.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		fd = -1
	}
	l.reserve = fd
}

// admit makes a connection of an accepted descriptor.
func (li *Listener) admit(fd int32, sa syscall.Sockaddr) {
	li.accepted.Add(1)
	l := li.loop
	c := &Conn{ln: li, fd: fd, remote: addrPortOf(sa), phase: phaseNew, class: 1}
	c.patience = l.deadline(li.opts.HandshakeTimeout)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping.Load() {
		unix.Close(int(fd))
		return
	}
	if l.conns >= l.connMax {
		li.refuse(fd)
		return
	}
	l.enter(c)
	l.push(c)
}

// refuse says what fits into an empty socket, and closes.
func (li *Listener) refuse(fd int32) {
	li.refused.Add(1)
	if !li.opts.Implicit {
		_, _ = syscall.Write(int(fd), li.opts.TooMany) // it is closed either way
	}
	unix.Close(int(fd))
}

// addrPortOf converts; unix addresses become the zero AddrPort.
func addrPortOf(sa syscall.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// count adds c to the open connections unless a limit is reached.
func (li *Listener) count(c *Conn) bool {
	key := addrKey(c.remote.Addr())
	li.mu.Lock()
	defer li.mu.Unlock()
	if li.opts.ConnMax > 0 && li.open >= li.opts.ConnMax {
		return false
	}
	if li.opts.ConnPerAddrMax > 0 && key.IsValid() {
		if int(li.perAddr[key]) >= li.opts.ConnPerAddrMax {
			return false
		}
		li.perAddr[key]++
		c.key = key
	}
	li.open++
	c.counted = true
	return true
}

// departed undoes count.
func (li *Listener) departed(c *Conn) {
	if !c.counted {
		return
	}
	li.mu.Lock()
	defer li.mu.Unlock()
	li.open--
	if c.key.IsValid() {
		if li.perAddr[c.key]--; li.perAddr[c.key] == 0 {
			delete(li.perAddr, c.key)
		}
	}
}
