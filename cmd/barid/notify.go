package main

import (
	"net"
	"os"
)

// notifySystemd tells the service manager about a change of state (READY=1,
// RELOADING=1, STOPPING=1) as sd_notify(3) describes: one datagram to the
// socket named by NOTIFY_SOCKET. Without a manager it does nothing; an error
// means that the manager is gone, which is nothing a mail server stops for.
func notifySystemd(state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if name[0] == '@' {
		name = "\x00" + name[1:] // a name in the abstract name space
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state)) // see above
}
