package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"barid/internal/config"
	"barid/internal/log"
	"barid/internal/loop"
	"barid/internal/route"
	"barid/internal/tlsconf"
	"barid/internal/vfs"
	"barid/maildir"
	"barid/spool"
)

// server is a running barid: what the configuration says, made into the parts
// that do it.
type server struct {
	cfg       *config.Config // that it was started with
	notify    notifier
	endpoints []endpoint

	log      *log.Log
	logger   *slog.Logger
	certs    *tlsconf.Store // nil without certificates
	store    *maildir.Store
	relaying *relaying
	spool    *spool.Spool
	loop     *loop.Loop
	doors    doors
	control  *control

	started   time.Time
	observed  observed
	stopping  atomic.Bool
	listeners []doorListener // of the loop
	watchers  *watchers      // nil when nobody may watch
	pickup    *pickup
}

// start makes a server, and leaves nothing behind when that fails.
func start(t terminal, cfg *config.Config) (*server, error) {
	s := &server{cfg: cfg, notify: newNotifier(t.getenv("NOTIFY_SOCKET"))}
	if err := s.start(t); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// start builds everything, in the order in which each part needs the ones
// before it. Ports and keys come first, because root may be needed for them.
func (s *server) start(t terminal) error {
	warnings, err := problems(s.cfg)
	if err != nil {
		return err
	}
	if err := s.openAsRoot(); err != nil {
		return err
	}
	if s.cfg.Memory.Limit > 0 {
		debug.SetMemoryLimit(s.cfg.Memory.Limit)
	}
	if err := s.openLog(t); err != nil {
		return err
	}
	if err := s.openStores(); err != nil {
		return err
	}
	if err := s.serve(); err != nil {
		return err
	}
	for _, w := range append(warnings, s.certificateWarnings()...) {
		s.logger.Warn("configuration", "problem", w)
	}
	for _, e := range s.endpoints {
		s.logger.Info("listening", "service", e.service, "address", e.socket.Addr().String())
	}
	s.logger.Info("started", "version", versionText(), "hostname", s.cfg.Hostname, "data", s.cfg.Data.Dir)
	return nil
}

// openAsRoot does what may need root, and ends with being root.
func (s *server) openAsRoot() error {
	id, err := findIdentity(s.cfg.User)
	if err != nil {
		return err
	}
	if err := prepareFiles(s.cfg, id); err != nil {
		return err
	}
	if s.endpoints, err = sockets(s.cfg, id); err != nil {
		return err
	}
	if s.certs, err = openCertificates(s.cfg); err != nil {
		return err
	}
	return id.become()
}

func (s *server) openLog(t terminal) (err error) {
	l := s.cfg.Log
	s.log, err = log.Open(log.Options{Level: l.Level, Format: l.Format, File: l.File, FS: vfs.Disk{}, Stderr: logStderr(t.err)})
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	s.logger = s.log.Logger()
	return nil
}

// logStderr leaves the process's own standard error to package log, which
// knows when it is the journal.
func logStderr(w io.Writer) io.Writer {
	if w == os.Stderr {
		return nil
	}
	return w
}

// openStores opens accounts, mailboxes and the spool, which begins to deliver.
func (s *server) openStores() error {
	who, err := newWhoIsWho(s.cfg, s.logger)
	if err != nil {
		return err
	}
	s.doors.who.Store(who)
	s.store = maildir.New(maildir.Options{FS: vfs.Disk{}, Host: s.cfg.Hostname, Log: s.logger})
	s.relaying, err = openRelaying(s.cfg, s.doors.who.Load, s.endpoints, s.logger)
	if err != nil {
		return err
	}
	o := spoolOptions(s.cfg)
	o.Agents, o.Limits, o.Destination = s.agents(), s.limits(), s.destinationLimits
	s.observed = newObserved()
	o.Observe = s.observed.observer()
	o.Reporter, o.WarnAfter, o.Log = s.reporter(), s.cfg.Queue.WarnAfter, s.logger
	s.spool, err = openSpool(s.cfg, o)
	return err
}

// How long to wait for a spool that somebody else has open: a server that is
// about to end, or barid queue and barid sendmail, which need it for a moment.
const (
	spoolPatience = 2 * time.Second
	spoolPause    = 20 * time.Millisecond
)

func openSpool(cfg *config.Config, o spool.Options) (*spool.Spool, error) {
	q, err := spool.Open(o)
	for waited := time.Duration(0); errors.Is(err, vfs.ErrLocked) && waited < spoolPatience; waited += spoolPause {
		time.Sleep(spoolPause)
		q, err = spool.Open(o)
	}
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("spool %s is in use: another barid has it open: %w", cfg.Spool.Dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("spool %s: %w", cfg.Spool.Dir, err)
	}
	return q, nil
}

// spoolOptions turns the configuration's zero, which means none, into that of
// package spool, where zero is a default.
func spoolOptions(cfg *config.Config) spool.Options {
	return spool.Options{
		FS: vfs.Disk{}, Dir: cfg.Spool.Dir,
		SegmentSize: cfg.Spool.SegmentSize, SpillSize: cfg.Spool.SpillSize, ReserveBytes: max(cfg.Spool.Reserve, 1),
		Schedule: spool.Schedule{Pauses: cfg.Queue.Retry, Lifetime: cfg.Queue.Lifetime},
		Workers:  deliverers(cfg.Queue.Workers),
	}
}

// serve opens the doors on the listening sockets.
func (s *server) serve() (err error) {
	s.loop, err = loop.New(loop.Options{Log: s.logger, MemoryMax: s.cfg.Memory.Limit / 2})
	if err != nil {
		return err
	}
	s.doors.replace(s.makeDoors())
	s.started = time.Now()
	var watched []net.Listener
	for _, e := range s.endpoints {
		switch e.service {
		case controlService:
			s.control = serveControl(e.socket, s.operator(), s.logger)
		case metricsService:
			watched = append(watched, e.socket)
		default:
			l, err := s.loop.Listen(e.socket, s.listenOptions(e.service))
			if err != nil {
				return fmt.Errorf("%s: %w", e.service, err)
			}
			s.listeners = append(s.listeners, doorListener{e.service, l})
		}
	}
	room := &mailroom{spool: s.spool, who: s.doors.who.Load, logger: s.logger}
	s.pickup = startPickup(dropDir(s.cfg), badDir(s.cfg), room)
	if len(watched) > 0 {
		s.watchers = serveWatchers(watched, s.metrics, s.health)
	}
	return nil
}

// operator steers the queue by the newest maps.
func (s *server) operator() *operator {
	return &operator{spool: s.spool, router: func() (*route.Router, error) { return s.doors.who.Load().router, nil }}
}

// How long the end may take: sessions for what they are at, and then
// deliveries. A service manager should wait for longer than both.
const (
	sessionPatience  = 30 * time.Second
	deliveryPatience = 15 * time.Second
	// relayPatience is how long servers of others are waited for that have not
	// got a whole message yet.
	relayPatience = time.Second
)

// stop ends the server: no more connections, transactions under way are
// finished, deliveries under way too, and what is in the queue waits for the
// next start.
func (s *server) stop() error {
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), sessionPatience)
	defer cancel()
	if err := s.loop.Shutdown(ctx); err != nil {
		s.logger.Warn("some sessions did not end in time", "error", err)
	}
	s.abandon()
	return nil
}

// abandon closes what there is, in the opposite order of start.
func (s *server) abandon() {
	if s.control != nil {
		s.control.close()
	}
	if s.pickup != nil {
		s.pickup.close()
	}
	if s.watchers != nil {
		s.watchers.close()
	}
	if s.loop != nil {
		_ = s.loop.Close() // its connections are closed in any case
	}
	closeAll(s.endpoints)
	if s.spool != nil {
		ctx, cancel := context.WithTimeout(context.Background(), deliveryPatience)
		defer cancel()
		defer time.AfterFunc(relayPatience, s.relaying.agent.Hurry).Stop()
		if err := s.spool.Close(ctx); err != nil {
			s.logger.Error("closing the spool", "error", err)
		}
	}
	if s.relaying != nil {
		s.relaying.agent.Close()
	}
	if s.log != nil {
		s.logger.Info("stopped")
		_ = s.log.Close() // whom to tell?
	}
}
