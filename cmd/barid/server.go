package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"barid/internal/config"
	"barid/internal/log"
	"barid/internal/loop"
	"barid/internal/tlsconf"
	"barid/internal/vfs"
	"barid/maildir"
	"barid/spool"
)

// server is a running barid: what the configuration says, made into the parts
// that do it.
type server struct {
	cfg       *config.Config
	endpoints []endpoint

	log    *log.Log
	logger *slog.Logger
	certs  *tlsconf.Store // nil without certificates
	store  *maildir.Store
	spool  *spool.Spool
	loop   *loop.Loop
	doors  doors
	who    whoIsWho
	ctl    *control
}

// shutdownPatience is how long sessions may take to finish what they are at
// when the server is told to stop.
const shutdownPatience = 30 * time.Second

// runServer runs a server until it is told to stop. reload reads the
// configuration again; ready is called when every port answers.
func runServer(t terminal, cfg *config.Config, reload func() (*config.Config, error), ready func(*server)) error {
	s, err := start(t, cfg)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(s)
	}
	notifySystemd("READY=1")
	s.untilStopped(reload)
	notifySystemd("STOPPING=1")
	return s.stop()
}

// start builds everything, in the order in which each part needs the ones
// before it. Ports and keys come first, because root may be needed for them.
func start(t terminal, cfg *config.Config) (s *server, err error) {
	s = &server{cfg: cfg}
	defer func() {
		if err != nil {
			s.abandon()
		}
	}()
	id, err := findIdentity(cfg.User)
	if err != nil {
		return nil, err
	}
	if err := prepareDirectories(cfg, id); err != nil {
		return nil, err
	}
	if s.endpoints, err = sockets(cfg, id); err != nil {
		return nil, err
	}
	if s.certs, err = openCertificates(cfg); err != nil {
		return nil, err
	}
	if err := id.become(); err != nil {
		return nil, err
	}
	if cfg.Memory.Limit > 0 {
		debug.SetMemoryLimit(cfg.Memory.Limit)
	}
	if err := s.open(t); err != nil {
		return nil, err
	}
	return s, s.serve()
}

// open opens what is on disk and makes the parts that use it.
func (s *server) open(t terminal) (err error) {
	cfg, disk := s.cfg, vfs.Disk{}
	s.log, err = log.Open(log.Options{Level: cfg.Log.Level, Format: cfg.Log.Format, File: cfg.Log.File, FS: disk, Stderr: stderrOf(t)})
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	s.logger = s.log.Logger()
	if s.who, err = newWhoIsWho(cfg, s.logger); err != nil {
		return err
	}
	s.store = maildir.New(maildir.Options{FS: disk, Host: cfg.Hostname, Log: s.logger})
	s.doors.who.Store(&s.who)
	s.spool, err = spool.Open(spoolOptions(cfg, s.logger, s.agents()))
	if err != nil {
		return fmt.Errorf("spool %s: %w", cfg.Spool.Dir, err)
	}
	return nil
}

// serve opens the doors on the listening sockets.
func (s *server) serve() (err error) {
	s.loop, err = loop.New(loop.Options{Log: s.logger, MemoryMax: s.cfg.Memory.Limit / 2})
	if err != nil {
		return err
	}
	s.doors.replace(s.makeDoors())
	for _, e := range s.endpoints {
		if e.service == "control" {
			s.ctl = serveControl(e.socket, s)
			continue
		}
		if _, err := s.loop.Listen(e.socket, s.listenOptions(e.service)); err != nil {
			return fmt.Errorf("%s: %w", e.service, err)
		}
	}
	return nil
}

// stop ends the server: no more connections, transactions under way are
// finished, deliveries under way too, and what is in the queue waits for the
// next start.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	err := s.loop.Shutdown(ctx)
	if err != nil {
		s.logger.Warn("some sessions did not end in time", "error", err)
	}
	s.abandon()
	return nil
}

// abandon closes what there is, in the opposite order of start.
func (s *server) abandon() {
	if s.ctl != nil {
		s.ctl.close()
	}
	if s.loop != nil {
		_ = s.loop.Close() // its connections are closed in any case
	}
	closeAll(s.endpoints)
	if s.spool != nil {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
		defer cancel()
		if err := s.spool.Close(ctx); err != nil {
			s.logger.Error("closing the spool", "error", err)
		}
	}
	if s.log != nil {
		if err := s.log.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "barid: closing the log:", err)
		}
	}
}

// openCertificates reads the certificates; nil when there are none.
func openCertificates(cfg *config.Config) (*tlsconf.Store, error) {
	if len(cfg.TLS.Certificates) == 0 {
		return nil, nil
	}
	return tlsconf.Open(certificatePairs(cfg))
}

func certificatePairs(cfg *config.Config) (pairs []tlsconf.Pair) {
	for _, p := range cfg.TLS.Certificates {
		pairs = append(pairs, tlsconf.Pair{CertFile: p.CertFile, KeyFile: p.KeyFile})
	}
	return pairs
}

// prepareDirectories makes the directories that the server writes to. Others
// may pass through the data directory to the sockets, and look at nothing.
func prepareDirectories(cfg *config.Config, id *identity) error {
	disk := vfs.Disk{}
	for _, d := range []struct {
		name string
		perm os.FileMode
	}{
		{cfg.Data.Dir, 0o711},
		{cfg.Spool.Dir, 0o700},
		{socketDir(cfg.Socket.Control), 0o755},
		{socketDir(cfg.Socket.Sendmail), 0o755},
	} {
		if d.name == "" {
			continue
		}
		if _, err := disk.Stat(d.name); err == nil {
			continue
		}
		if err := disk.MkdirAll(d.name, d.perm); err != nil {
			return fmt.Errorf("making the directory %s: %w", d.name, err)
		}
		if err := id.own(d.name); err != nil {
			return err
		}
	}
	return nil
}

func socketDir(name string) string {
	if name == "" {
		return ""
	}
	return filepath.Dir(name)
}
