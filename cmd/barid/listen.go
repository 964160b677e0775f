package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"barid/internal/config"
	"barid/internal/vfs"
)

// endpoint is one open listening socket and what is served on it.
type endpoint struct {
	service string // smtp, submission, submissions, lmtp, pop3, pop3s, sendmail, control
	socket  net.Listener
}

// sockets opens every address of the configuration, before the program stops
// being root. On error nothing stays open.
func sockets(cfg *config.Config, id *identity) (all []endpoint, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
		}
	}()
	for _, s := range []struct {
		service   string
		addresses []config.Address
	}{
		{"smtp", cfg.SMTP.Listen},
		{"submission", cfg.Submission.Listen},
		{"submissions", cfg.Submission.ListenTLS},
		{"lmtp", cfg.LMTP.Listen},
		{"pop3", cfg.POP3.Listen},
		{"pop3s", cfg.POP3.ListenTLS},
		{"sendmail", unixAddress(cfg.Socket.Sendmail)},
		{"control", unixAddress(cfg.Socket.Control)},
	} {
		for _, a := range s.addresses {
			l, err := listen(s.service, a)
			if err != nil {
				return all, err
			}
			all = append(all, endpoint{s.service, l})
			if err := admit(s.service, a, id); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// admit says who may connect to a unix socket: everybody to those where mail
// is handed in, only root and the server's user to the control socket.
func admit(service string, a config.Address, id *identity) error {
	if a.Network != "unix" {
		return nil
	}
	perm := fs.FileMode(0o666)
	if service == "control" {
		perm = 0o600
	}
	if err := (vfs.Disk{}).SetMode(a.Address, perm); err != nil {
		return fmt.Errorf("%s: %w", service, err)
	}
	return id.own(a.Address)
}

func unixAddress(name string) []config.Address {
	if name == "" {
		return nil
	}
	return []config.Address{{Network: "unix", Address: name}}
}

func closeAll(all []endpoint) {
	for _, e := range all {
		e.socket.Close()
	}
}

// listen opens one socket. Errors say which service, and what to do.
func listen(service string, a config.Address) (net.Listener, error) {
	if a.Network == "unix" {
		return listenUnix(service, a.Address)
	}
	l, err := net.Listen(a.Network, a.Address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is in use: another mail server runs there; stop it, or set %s.listen", service, a.Address, service)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: no permission for %s: ports below 1024 need root (barid becomes an ordinary user afterwards) or CAP_NET_BIND_SERVICE", service, a.Address)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	return l, nil
}

// listenUnix opens a unix socket. A socket file that nobody answers on is
// left over from a crash and is replaced.
func listenUnix(service, name string) (net.Listener, error) {
	if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if c, err := net.Dial("unix", name); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s: %s is in use: another barid runs there", service, name)
		}
		if err := (vfs.Disk{}).Remove(name); err != nil {
			return nil, fmt.Errorf("%s: the socket of an earlier run is in the way: %w", service, err)
		}
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	return l, nil
}
