package loop

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller is the epoll set. Its descriptor is non-blocking and wrapped in an
// os.File, so that Go's own poller wakes the goroutine that waits for it: a
// thread blocked in epoll_wait would cost a switch of threads per round trip
// (measured: half the round trips of one connection).
type poller struct {
	fd     int
	file   *os.File
	raw    syscall.RawConn
	reap   func(fd uintptr) bool // made once, so that polling allocates nothing
	events [128]unix.EpollEvent
	n      int
}

func (p *poller) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return err
	}
	p.fd = fd
	p.file = os.NewFile(uintptr(fd), "epoll")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return err
	}
	p.reap = p.reapNow
	return nil
}

// reapNow harvests without waiting and says whether there was anything.
func (p *poller) reapNow(uintptr) bool {
	n, err := unix.EpollWait(p.fd, p.events[:], 0)
	if err != nil {
		n = 0
	}
	p.n = n
	return n > 0
}

// poll waits until something happens and returns how many of p.events are
// valid; 0 after the file was closed.
func (p *poller) poll() int {
	if err := p.raw.Read(p.reap); err != nil {
		return 0
	}
	return p.n
}

// look is poll without waiting.
func (p *poller) look() int {
	p.reapNow(0)
	return p.n
}

// mask is what a connection is watched for. Edge-triggered, so that nothing
// has to be re-armed. EPOLLOUT is asked for only once output did not fit.
const mask = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// watch puts fd into the set; id tells its uses apart.
func (p *poller) watch(fd int32, id uint64, mask uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, id, mask)
}

// control changes the set.
func (p *poller) control(op int, fd int32, id uint64, mask uint32) error {
	ev := unix.EpollEvent{Events: mask, Fd: fd, Pad: int32(uint32(id))}
	return unix.EpollCtl(p.fd, op, int(fd), &ev)
}

// eventsOf translates what epoll says.
func eventsOf(bits uint32) events {
	var ev events
	if bits&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		ev |= evRead
	}
	if bits&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		ev |= evWrite
	}
	if bits&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		ev |= evHangup
	}
	return ev
}
