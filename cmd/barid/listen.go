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

// The services that only programs of this host reach, by unix sockets of
// their own. The others are named like their keys: smtp, submission, ...
const (
	sendmailService = "sendmail"
	controlService  = "control"
)

// endpoint is one open listening socket and what is served on it.
type endpoint struct {
	service string
	socket  net.Listener
}

// address is where a service listens, and the key that says so.
type address struct {
	service, key string
	config.Address
}

// addresses are all of a configuration.
func addresses(cfg *config.Config) (all []address) {
	for _, s := range []struct {
		service string
		listen  []config.Address
	}{
		{"smtp", cfg.SMTP.Listen},
		{"submission", cfg.Submission.Listen},
		{"submissions", cfg.Submission.ListenTLS},
		{"lmtp", cfg.LMTP.Listen},
		{"pop3", cfg.POP3.Listen},
		{"pop3s", cfg.POP3.ListenTLS},
		{"imap", cfg.IMAP.Listen},
		{"imaps", cfg.IMAP.ListenTLS},
		{metricsService, cfg.Metrics.Listen},
	} {
		for _, a := range s.listen {
			all = append(all, address{s.service, s.service + ".listen", a})
		}
	}
	if cfg.Socket.Sendmail != "" {
		all = append(all, address{sendmailService, "sendmail.socket", config.Address{Network: "unix", Address: cfg.Socket.Sendmail}})
	}
	return append(all, address{controlService, "control.socket", config.Address{Network: "unix", Address: cfg.Socket.Control}})
}

// sockets opens every address, before the program stops being root. On error
// nothing stays open.
func sockets(cfg *config.Config, id *identity) (all []endpoint, err error) {
	for _, a := range addresses(cfg) {
		l, err := a.listen()
		if err == nil {
			all = append(all, endpoint{a.service, l})
			err = a.admit(id)
		}
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("%s: %w", a.key, err)
		}
	}
	return all, nil
}

func closeAll(all []endpoint) {
	for _, e := range all {
		e.socket.Close()
	}
}

// admit says who may connect to a unix socket: everybody to those where mail
// is handed in, only root and the server's user to the control socket.
func (a address) admit(id *identity) error {
	if a.Network != "unix" {
		return nil
	}
	perm := fs.FileMode(0o666)
	if a.service == controlService {
		perm = 0o600
	}
	if err := (vfs.Disk{}).SetMode(a.Address.Address, perm); err != nil {
		return err
	}
	return id.own(a.Address.Address)
}

// listen opens one socket. Errors say what to do.
func (a address) listen() (net.Listener, error) {
	if a.Network == "unix" {
		return listenUnix(a.Address.Address)
	}
	l, err := net.Listen(a.Network, a.Address.Address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use: another program serves it; stop that, or choose another address with -o %s=HOST:PORT", a, a.key)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("no permission for %s: ports below 1024 need root (the server becomes an ordinary user afterwards) or CAP_NET_BIND_SERVICE", a)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this host", a)
	}
	return l, err
}

// listenUnix opens a unix socket. A socket file that nobody answers on is
// left over from a crash and is replaced.
func listenUnix(name string) (net.Listener, error) {
	if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if c, err := net.Dial("unix", name); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s is in use: another barid serves it", name)
		}
		if err := (vfs.Disk{}).Remove(name); err != nil {
			return nil, fmt.Errorf("the socket of an earlier run is in the way: %w", err)
		}
	}
	return net.Listen("unix", name)
}
