package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net"

	"barid/internal/config"
	"barid/internal/loop"
	"barid/internal/vfs"
	"barid/maildir"
)

// errNoDoor: no server runs, and the spool is not ours to open.
var errNoDoor = errors.New("the mail server does not run")

// throughDoor connects to the door for local programs: that of the running
// server, or, when none runs, one that this process opens for itself. So what
// is accepted, how it is routed and what it is marked with is the same, and
// written once.
func throughDoor(cfg *config.Config, talk func(net.Conn) error) error {
	conn, err := net.Dial("unix", cfg.Socket.Sendmail)
	switch {
	case err == nil:
		defer conn.Close()
		return talk(conn)
	case nobodyListens(err) || cfg.Socket.Sendmail == "":
		return throughOwnDoor(cfg, talk)
	case errors.Is(err, fs.ErrPermission):
		return exitWith(exitNoPerm, "the mail server's socket is closed to you: %w", err)
	}
	return exitWith(exitTempFail, "the mail server does not answer: %w", err)
}

// throughOwnDoor opens the spool and a door to it that only this process knows.
// The message is in the spool then, and is delivered when the server starts.
func throughOwnDoor(cfg *config.Config, talk func(net.Conn) error) error {
	if serverRuns(cfg) {
		return exitWith(exitTempFail, "the mail server has no socket for local programs, and its spool open: %w", errNoDoor)
	}
	name := "@barid-sendmail-" + rand.Text() // in the abstract name space: no file
	l, err := net.Listen("unix", name)
	if err != nil {
		return exitWith(exitTempFail, "%w", err)
	}
	defer l.Close()
	// Before openIdleSpool becomes another user, who would be taken for the
	// sender.
	conn, err := net.Dial("unix", name)
	if err != nil {
		return exitWith(exitTempFail, "%w", err)
	}
	defer conn.Close()
	s, err := openOwnDoor(cfg, l)
	if err != nil {
		return exitWith(exitTempFail, "%w (start it with 'barid serve', or try again later): %w", errNoDoor, err)
	}
	err = talk(conn)
	conn.Close()
	return errors.Join(err, s.loop.Shutdown(context.Background()), closeIdleSpool(s.spool))
}

// serverRuns asks at the control socket. Who may not ask may not open the
// spool either.
func serverRuns(cfg *config.Config) bool {
	conn, err := net.Dial("unix", cfg.Socket.Control)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// openOwnDoor makes the parts of a server that take a message from a local
// program, and none that deliver it.
func openOwnDoor(cfg *config.Config, l net.Listener) (*server, error) {
	s := &server{cfg: cfg, logger: slog.New(slog.DiscardHandler)}
	var err error
	if s.spool, err = openIdleSpool(cfg); err != nil {
		return nil, err
	}
	if err = s.openOwnLoop(l); err != nil {
		return nil, errors.Join(err, closeIdleSpool(s.spool))
	}
	return s, nil
}

func (s *server) openOwnLoop(l net.Listener) error {
	who, err := newWhoIsWho(s.cfg, s.logger)
	if err != nil {
		return err
	}
	s.doors.who.Store(who)
	s.store = maildir.New(maildir.Options{FS: vfs.Disk{}, Host: s.cfg.Hostname, Log: s.logger})
	if s.loop, err = loop.New(loop.Options{Log: s.logger}); err != nil {
		return err
	}
	s.doors.replace(s.makeDoors())
	if _, err = s.loop.Listen(l, s.listenOptions(sendmailService)); err != nil {
		return errors.Join(err, s.loop.Close())
	}
	return nil
}
