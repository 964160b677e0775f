package main

import (
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"barid/internal/config"
)

// certificatesEvery is how often certificates are looked at without being
// told, since those who renew them do not always tell.
const certificatesEvery = time.Minute

// untilStopped serves signals until one says stop: SIGTERM and SIGINT end the
// server, SIGHUP makes it read everything again. A second SIGTERM or SIGINT
// ends it as it stands: what was answered 250 is on disk.
func (s *server) untilStopped(reload func() (*config.Config, error)) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	tick := time.NewTicker(certificatesEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.reloadCertificates()
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				s.logger.Info("stopping", "signal", sig.String())
				signal.Reset(syscall.SIGTERM, syscall.SIGINT)
				return
			}
			notifySystemd("RELOADING=1")
			s.reload(reload)
			notifySystemd("READY=1")
		}
	}
}

// reload applies the configuration anew. Whatever cannot be read leaves what
// was in force as it is.
func (s *server) reload(read func() (*config.Config, error)) {
	if err := s.log.Reopen(); err != nil {
		s.logger.Error("log file not reopened", "error", err)
	}
	s.reloadCertificates()
	cfg, err := read()
	if err != nil {
		s.logger.Error("configuration not reread, the old one stays in force", "error", err)
		return
	}
	who, err := s.doors.who.Load().renew(cfg, s.logger)
	if err != nil {
		s.logger.Error("configuration not applied, the old one stays in force", "error", err)
		return
	}
	s.log.SetLevel(cfg.Log.Level)
	s.doors.who.Store(&who)
	s.doors.replace(s.makeDoors())
	for _, group := range needRestart(s.cfg, cfg) {
		s.logger.Warn("a change takes effect only when barid is started anew", "keys", group)
	}
	s.logger.Info("configuration reread")
}

func (s *server) reloadCertificates() {
	if s.certs == nil {
		return
	}
	if err := s.certs.Reload(); err != nil {
		s.logger.Error("certificates not reread, the old ones stay in use", "error", err)
	}
	for _, w := range s.certs.Warnings() {
		s.logger.Warn("certificate", "problem", w)
	}
}

// needRestart names the groups of keys that a running server cannot follow.
func needRestart(old, new *config.Config) (groups []string) {
	for _, g := range []struct {
		keys     string
		old, new any
	}{
		{"*.listen, *.connections-*", listening(old), listening(new)},
		{"smtp.*-timeout", []time.Duration{old.SMTP.CommandTimeout, old.SMTP.BodyTimeout}, []time.Duration{new.SMTP.CommandTimeout, new.SMTP.BodyTimeout}},
		{"tls.*", old.TLS, new.TLS},
		{"proxy.trusted", old.Trusted.Proxy, new.Trusted.Proxy},
		{"user, data.dir, memory.limit", []any{old.User, old.Data, old.Memory}, []any{new.User, new.Data, new.Memory}},
		{"spool.*, queue.*", []any{old.Spool, old.Queue}, []any{new.Spool, new.Queue}},
		{"*.socket", old.Socket, new.Socket},
		{"log.file, log.format", []string{old.Log.File, old.Log.Format}, []string{new.Log.File, new.Log.Format}},
	} {
		if !reflect.DeepEqual(g.old, g.new) {
			groups = append(groups, g.keys)
		}
	}
	return groups
}

func listening(c *config.Config) []any {
	return []any{c.SMTP.Listen, c.SMTP.Limits, c.Submission, c.LMTP, c.POP3.Listen, c.POP3.ListenTLS, c.POP3.Limits}
}
