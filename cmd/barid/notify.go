package main

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// notifier tells the service manager about a change of state, as sd_notify(3)
// describes: READY=1, RELOADING=1, STOPPING=1.
type notifier func(state string)

// newNotifier makes the notifier for the socket that NOTIFY_SOCKET names: one
// datagram each. Without a manager it does nothing; an error means that the
// manager is gone, which is nothing that a mail server stops for.
func newNotifier(socket string) notifier {
	if socket == "" {
		return func(string) {}
	}
	if socket[0] == '@' {
		socket = "\x00" + socket[1:] // a name in the abstract name space
	}
	return func(state string) {
		c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte(state)) // see above
	}
}

// reloading is the state at the begin of a reload. The manager takes it for
// the answer to its request by the time in it.
func reloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return "RELOADING=1"
	}
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/int64(time.Microsecond))
}
