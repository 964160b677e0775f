package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"syscall"

	"barid/internal/config"
	"barid/internal/route"
	"barid/internal/vfs"
	"barid/spool"
)

// ask has a request done by the running server, or, when there is none, does
// it to the spool on the disk. What is found goes to handle.
func ask(cfg *config.Config, r *request, handle func(*answer) error) (last *answer, err error) {
	conn, err := net.Dial("unix", cfg.Socket.Control)
	switch {
	case err == nil:
		defer conn.Close()
		last, err = exchange(conn, r, handle)
	case nobodyListens(err):
		last, err = askSpool(cfg, r, handle)
	case errors.Is(err, fs.ErrPermission):
		return nil, exitWith(exitNoPerm, "only root and the user that barid runs as may see the queue: %w", err)
	}
	if err == nil && last.Error != "" {
		err = errors.New(last.Error)
	}
	return last, err
}

// nobodyListens says that a unix socket is not there, or was left behind.
func nobodyListens(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// exchange sends a request and reads the answer up to its last line.
func exchange(conn net.Conn, r *request, handle func(*answer) error) (*answer, error) {
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return nil, exitWith(exitTempFail, "the server does not listen: %w", err)
	}
	for in := json.NewDecoder(conn); ; {
		a := new(answer)
		if err := in.Decode(a); err != nil {
			return nil, exitWith(exitTempFail, "the server's answer breaks off: %w", err)
		}
		if a.Done {
			return a, nil
		}
		if err := handle(a); err != nil {
			return nil, err
		}
	}
}

// askSpool opens the spool for one request. Nothing is delivered meanwhile.
func askSpool(cfg *config.Config, r *request, handle func(*answer) error) (last *answer, err error) {
	if r.Verb == "flush" {
		return nil, exitWith(exitUnavailable, "no server answers, and only a server delivers: start it with 'barid serve'")
	}
	q, err := openIdleSpool(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeIdleSpool(q)) }()
	o := &operator{spool: q, router: func() (*route.Router, error) {
		who, err := newWhoIsWho(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		return who.router, nil
	}}
	return o.operate(r, handle), nil
}

// openIdleSpool opens the spool of a server that does not run, as the user
// that the server runs as. Nothing is delivered. Messages can be looked at and
// changed, and new ones taken for every agent that a server has.
func openIdleSpool(cfg *config.Config) (*spool.Spool, error) {
	if _, err := (vfs.Disk{}).Stat(cfg.Spool.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, exitWith(exitUnavailable, "no server answers, and there is no spool in %s: is this the right configuration?", cfg.Spool.Dir)
	}
	id, err := findIdentity(cfg.User)
	if err != nil {
		return nil, err
	}
	if err := id.checkOwner("spool.dir", cfg.Spool.Dir); err != nil {
		return nil, exitWith(exitNoPerm, "no server answers, and only root and its user may open the spool: %w", err)
	}
	if err := id.become(); err != nil {
		return nil, err
	}
	o := spoolOptions(cfg)
	o.Workers, o.Agents, o.Log = -1, map[string]spool.Agent{}, slog.New(slog.DiscardHandler)
	for _, name := range agentNames() {
		o.Agents[name] = nil
	}
	q, err := openSpool(cfg, o)
	if errors.Is(err, vfs.ErrLocked) {
		return nil, exitWith(exitTempFail, "%w: it may be about to start or to end; try again", err)
	}
	return q, err
}

// closeIdleSpool closes what openIdleSpool opened.
func closeIdleSpool(q *spool.Spool) error {
	if err := q.Close(context.Background()); err != nil {
		return fmt.Errorf("closing the spool: %w", err)
	}
	return nil
}
